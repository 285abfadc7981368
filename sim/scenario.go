package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/node/life"
	"granary/params"
	"granary/rules/block"
	"granary/state"
	"granary/test/plays"
)

// Troubles is how much goes wrong in a scenario.
type Troubles struct {
	Nodes  int
	Blocks int // that are mined
	// BlockEvery is the mean time from block to block.
	BlockEvery time.Duration
}

// scenario is a life on a chain with a charter while links are cut, networks
// split, nodes killed and blocks mined at the same time in two places.
type scenario struct {
	*World
	Troubles
	lives []*life.Life // one for each node's view of the same people
	payee []byte
	mined int
	side  []int // of a split
}

// Play runs one scenario to its end and gives the world, whose nodes then
// agree. The caller closes it.
func Play(charter *params.Charter, seed uint64, t Troubles, told func(string)) (*World, error) {
	w := NewWorld(seed)
	w.Told = told
	net, err := charter.Network()
	if err != nil {
		return w, err
	}
	s := &scenario{World: w, Troubles: t, side: make([]int, t.Nodes)}
	for i := range t.Nodes {
		n := w.AddNode(fmt.Sprintf("n%d", i), block.Rules{Net: net, Charter: charter})
		// Clocks of real machines differ.
		n.skew = time.Duration(w.rng.Int64N(int64(4*time.Second))) - 2*time.Second
		s.lives = append(s.lives, life.New(life.Options{
			Charter: charter, Chain: lively{n}, Keys: plays.Keys{}, Secret: []byte("sim"), Seed: seed,
			Give: func(tx *state.Tx) error { _, err := n.pool.Accept(tx); return err },
		}))
	}
	s.payee = s.lives[0].Miner().Script
	s.relink()
	s.plan()
	for w.failed == nil && s.mined < t.Blocks {
		if err := w.Run(time.Minute); err != nil {
			return w, err
		}
	}
	return w, s.settle()
}

// lively lets a life look at a node's chain, whichever engine it has.
type lively struct{ n *Node }

func (l lively) Tip() *state.Header { return l.n.engine.Tip() }
func (l lively) View(f func(tip *state.Header, v state.View) error) error {
	return l.n.engine.View(f)
}

// RangeCoins implements stage.Chain.
func (l lively) RangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error {
	return l.n.engine.RangeCoins(f)
}

// plan files the next blocks and troubles, for ever.
func (s *scenario) plan() {
	mean := int64(s.BlockEvery)
	var mine, trouble func()
	mine = func() {
		s.mine(s.nodes[s.rng.IntN(len(s.nodes))])
		if s.rng.IntN(5) == 0 { // somebody else finds one at the same time
			s.after(time.Duration(s.rng.Int64N(int64(time.Second))), func() { s.mine(s.nodes[s.rng.IntN(len(s.nodes))]) })
		}
		s.after(time.Duration(mean/4+s.rng.Int64N(mean+mean/2)), mine)
	}
	trouble = func() {
		s.trouble()
		s.after(time.Duration(s.rng.Int64N(4*mean)), trouble)
	}
	s.after(time.Duration(mean), mine)
	s.after(time.Duration(3*mean), trouble)
}

// mine lets a node find a block; the people act first.
func (s *scenario) mine(n *Node) {
	if n.dead {
		return
	}
	for i := range s.nodes {
		if s.nodes[i] == n && n.engine.Tip().Height >= params.GoodsStartHeight-1 {
			s.fail(s.lives[i].Step())
		}
	}
	ids, err := n.miner.Generate(context.Background(), 1, s.payee, 1<<30)
	s.fail(err)
	if len(ids) == 1 {
		s.mined++
		s.tell("%s mines %v", n.Name, ids[0])
	}
}

// trouble is one thing going wrong, or a thing put right.
func (s *scenario) trouble() {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	switch s.rng.IntN(6) {
	case 0, 1:
		if len(n.links) > 0 {
			s.Cut(n.links[s.rng.IntN(len(n.links))], "lost")
		}
	case 2:
		if !n.dead && s.alive() > 1 {
			n.Kill()
			s.after(time.Duration(s.rng.Int64N(int64(3*s.BlockEvery))), func() { n.Start(); s.relink() })
		}
	case 3: // a split, until somebody relinks
		for i := range s.side {
			s.side[i] = s.rng.IntN(2)
		}
		s.tell("the network splits: %v", s.side)
		for i, n := range s.nodes {
			for j, other := range s.nodes {
				if l := n.linkTo(other); l != nil && s.side[i] != s.side[j] {
					s.Cut(l, "split")
				}
			}
		}
	default:
		clear(s.side)
		s.relink()
	}
}

func (s *scenario) alive() (count int) {
	for _, n := range s.nodes {
		if !n.dead {
			count++
		}
	}
	return count
}

// relink gives every node links to two others of its side.
func (s *scenario) relink() {
	size := len(s.nodes)
	for i, n := range s.nodes {
		for step := 1; step <= 2 && step < size; step++ {
			if j := (i + step) % size; s.side[i] == s.side[j] {
				s.Connect(n, s.nodes[j])
			}
		}
	}
}

// settle heals everything, mines one more block and waits for agreement.
func (s *scenario) settle() error {
	s.agenda = nil // no more blocks or troubles, and nothing under way
	s.tell("everything heals")
	clear(s.side)
	for _, n := range s.nodes {
		for len(n.links) > 0 {
			s.Cut(n.links[0], "anew")
		}
		if n.dead {
			n.Start()
		} else {
			n.tick(n.loop)
		}
	}
	s.relink()
	if err := s.Run(time.Minute); err != nil {
		return err
	}
	s.mine(s.nodes[0])
	for range 30 {
		if err := s.Run(time.Minute); err != nil {
			return err
		}
		if s.agreed() {
			return s.compare()
		}
	}
	return fmt.Errorf("seed %d: no agreement half an hour after everything healed", s.seed)
}

func (s *scenario) agreed() bool {
	for _, n := range s.nodes {
		if n.engine.Tip().Hash != s.nodes[0].engine.Tip().Hash {
			return false
		}
	}
	return true
}

// compare wants the same state everywhere, and a state that its own blocks
// give.
func (s *scenario) compare() error {
	var first chainhash.Hash
	for i, n := range s.nodes {
		if err := n.engine.Check(context.Background(), nil); err != nil {
			return fmt.Errorf("seed %d: %s: %w", s.seed, n.Name, err)
		}
		got, err := n.engine.StateHash()
		if err != nil {
			return err
		}
		if i == 0 {
			first = got
		} else if got != first {
			return fmt.Errorf("seed %d: %s has the state %v, n0 has %v", s.seed, n.Name, got, first)
		}
	}
	s.tell("the state is %v", first)
	return nil
}

package chain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/datadriven"

	"granary/base/check"
	"granary/state"
)

// TestScenarios runs the texts of testdata. The commands:
//
//	build A[..B] on P [spend=C] [with=FAULT]  make blocks, first on block P
//	submit NAME...       hand blocks to the engine, one line for each verdict
//	headers NAME...      hand only their headers
//	grow A..B on P       build and submit, which must succeed
//	tips                 the ends of all branches
//	events [dropped]     what the follower was told since last time, or how much
//	invalidate, reconsider, precious NAME
//	restart              close and open again
//	hash as=X | hash is=X  remember the state hash, or compare with it
//	verify               VerifyChain at level 4 over the whole chain
//
// a1..a9 are the blocks a1 to a9, each on the one before. Spend makes the
// first block spend the coinbase of C. Faults: see the map below.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &scenario{
			t: t, blocks: make(map[string]*state.Block), heights: make(map[string]int32),
			names: make(map[chainhash.Hash]string), hashes: make(map[string]string),
		}
		s.recorder = &recorder{name: func(h *state.Header) string { return s.names[h.Hash] }}
		s.world = newWorld(t, s.recorder)
		s.remember("genesis", s.world.genesis(), 0)
		datadriven.RunTest(t, path, s.run)
	})
}

type scenario struct {
	t        *testing.T
	world    *world
	recorder *recorder
	blocks   map[string]*state.Block
	heights  map[string]int32
	names    map[chainhash.Hash]string
	hashes   map[string]string
}

var faults = map[string]func(d *draft){
	"too-much":      func(d *draft) { d.fees += 1 },
	"missing-input": func(d *draft) { d.txs = append(d.txs, spend(unknownTx(), 0)) },
	"bad-merkle":    func(d *draft) { d.break_ = func(b *wire.MsgBlock) { b.Header.MerkleRoot[0] ^= 1 } },
	"far-future":    func(d *draft) { d.seconds = 40 * 24 * 3600 },
	"too-old":       func(d *draft) { d.seconds = -30 * 24 * 3600 },
	"wrong-height":  func(d *draft) { d.height++ },
}

// unknownTx is a transaction that is nowhere.
func unknownTx() *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxOut(wire.NewTxOut(1000, opTrue))
	return tx
}

func (s *scenario) remember(name string, b *state.Block, height int32) {
	s.blocks[name], s.heights[name], s.names[b.Hash] = b, height, name
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	var words []string
	for _, arg := range d.CmdArgs {
		if len(arg.Vals) == 0 {
			words = append(words, arg.Key)
		}
	}
	e := s.world.engine
	switch d.Cmd {
	case "build":
		s.build(d, words)
		return ""
	case "grow":
		for _, name := range s.build(d, words) {
			if _, err := e.AcceptBlock(s.blocks[name]); err != nil {
				d.Fatalf(t, "%s: %v", name, err)
			}
		}
		return s.tip()
	case "submit", "headers":
		return s.submit(d.Cmd, s.expand(d, words)) + s.tip()
	case "tips":
		return s.tips()
	case "events":
		steps := s.recorder.steps
		s.recorder.steps = nil
		if d.HasArg("dropped") {
			return fmt.Sprintf("%d steps\n", len(steps))
		}
		return strings.Join(append(steps, ""), "\n")
	case "invalidate":
		return s.command(e.Invalidate, d, words)
	case "reconsider":
		return s.command(e.Reconsider, d, words)
	case "precious":
		return s.command(e.Precious, d, words)
	case "restart":
		s.world.close()
		s.world.open()
		return s.tip()
	case "hash":
		return s.hash(d)
	case "verify":
		if err := e.VerifyChain(4, 0); err != nil {
			return err.Error() + "\n"
		}
		return "fine\n"
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

// build makes "A..B on P" and gives the names.
func (s *scenario) build(d *datadriven.TestData, words []string) []string {
	if len(words) != 3 || words[1] != "on" || s.blocks[words[2]] == nil {
		d.Fatalf(s.t, "want: NAME[..NAME] on PARENT")
	}
	names, parent := span(words[0]), words[2]
	for i, name := range names {
		draft := draft{parent: s.blocks[parent], height: s.heights[parent] + 1, name: name}
		if i == 0 {
			s.dress(d, &draft)
		}
		s.remember(name, s.world.make(draft), s.heights[parent]+1)
		parent = name
	}
	return names
}

// dress applies spend= and with= to a draft.
func (s *scenario) dress(d *datadriven.TestData, draft *draft) {
	for _, arg := range d.CmdArgs {
		for _, val := range arg.Vals {
			switch arg.Key {
			case "spend":
				tx := spend(s.blocks[val].Msg.Transactions[0], 1000)
				tx.LockTime = uint32(draft.height) // another id at each height
				draft.txs = append(draft.txs, tx)
				draft.fees += 1000
			case "with":
				if faults[val] == nil {
					d.Fatalf(s.t, "unknown fault %q", val)
				}
				faults[val](draft)
			}
		}
	}
}

// span spells out a1..a9.
func span(word string) []string {
	from, to, ok := strings.Cut(word, "..")
	if !ok {
		return []string{word}
	}
	stem := strings.TrimRight(from, "0123456789")
	first, _ := strconv.Atoi(from[len(stem):])
	last, _ := strconv.Atoi(strings.TrimPrefix(to, stem))
	var names []string
	for i := first; i <= last; i++ {
		names = append(names, fmt.Sprint(stem, i))
	}
	return names
}

func (s *scenario) expand(d *datadriven.TestData, words []string) []string {
	var names []string
	for _, word := range words {
		names = append(names, span(word)...)
	}
	for _, name := range names {
		if s.blocks[name] == nil {
			d.Fatalf(s.t, "there is no block %q", name)
		}
	}
	return names
}

func (s *scenario) submit(how string, names []string) string {
	var out strings.Builder
	for _, name := range names {
		b := s.blocks[name]
		isNew, err := true, error(nil)
		if how == "headers" {
			_, err = s.world.engine.AcceptHeader(&b.Msg.Header)
		} else {
			isNew, err = s.world.engine.AcceptBlock(b)
		}
		switch {
		case err != nil && check.AsRule(err) != nil:
			fmt.Fprintf(&out, "%s: %s\n", name, check.CodeOf(err))
		case err != nil:
			fmt.Fprintf(&out, "%s: %v\n", name, err)
		case !isNew:
			fmt.Fprintf(&out, "%s: known\n", name)
		}
	}
	return out.String()
}

func (s *scenario) tip() string {
	tip := s.world.engine.Tip()
	return fmt.Sprintf("tip %d %s\n", tip.Height, s.names[tip.Hash])
}

func (s *scenario) tips() string {
	var lines []string
	for _, tip := range s.world.engine.Tips() {
		lines = append(lines, fmt.Sprintf("%d %s %s, branch of %d\n",
			tip.Header.Height, s.names[tip.Header.Hash], tip.Status, tip.BranchLen))
	}
	slices.Sort(lines)
	best := s.world.engine.BestHeader()
	return strings.Join(lines, "") + fmt.Sprintf("best header %d %s\n", best.Height, s.names[best.Hash])
}

func (s *scenario) command(f func(chainhash.Hash) error, d *datadriven.TestData, words []string) string {
	var out strings.Builder
	for _, name := range words {
		hash := chainhash.Hash{1}
		if b := s.blocks[name]; b != nil {
			hash = b.Hash
		}
		if err := f(hash); err != nil {
			fmt.Fprintf(&out, "%s: %v\n", name, err)
		}
	}
	return out.String() + s.tip()
}

func (s *scenario) hash(d *datadriven.TestData) string {
	now := s.world.stateHash()
	for _, arg := range d.CmdArgs {
		switch {
		case arg.Key == "as":
			s.hashes[arg.Vals[0]] = now
		case arg.Key == "is" && s.hashes[arg.Vals[0]] == now:
			return "equal\n"
		case arg.Key == "is":
			return "different\n"
		}
	}
	return ""
}

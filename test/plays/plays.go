// Package plays gives tests a chain with a charter on which a whole seeded
// life goes on (node/life): every record of the goods rules, on the real
// engine. Its own tests take such a life apart by reorganisations; test/peers
// shows it to unmodified Bitcoin nodes.
package plays

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"granary/base/clock"
	"granary/chain"
	"granary/node/life"
	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// Keys are the keys of every seat, known to everybody.
type Keys struct{}

// SeatKey implements life.KeyRing.
func (Keys) SeatKey(role state.Role, index uint16, generation uint32) *btcec.PrivateKey {
	digest := sha256.Sum256(fmt.Appendf(nil, "%s %d, generation %d", role, index, generation))
	key, _ := btcec.PrivKeyFromBytes(digest[:]) // a digest beyond the group order has a chance of 2^-127
	return key
}

// Charter is the demo's on a network, with windows that pass within a test.
func Charter(t testing.TB, base params.NetworkBase) *params.Charter {
	t.Helper()
	script := func(role state.Role, index uint16) []byte { return stage.ScriptOf(Keys{}.SeatKey(role, index, 0)) }
	demo, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{script(state.RoleCustodian, 0), script(state.RoleCustodian, 1)},
		Auditors:   [3][]byte{script(state.RoleAuditor, 0), script(state.RoleAuditor, 1), script(state.RoleAuditor, 2)},
		Council:    script(state.RoleCouncil, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := *demo
	c.Base.Base = base
	p := &c.Parameters
	p.DeliveryWindowBlocks, p.PickupWindowBlocks, p.GraceWindowBlocks = 8, 5, 5
	p.AttestationLifeBlocks, p.AmendmentDelayBlocks = 30, 16
	p.UnbondedAllowanceUnits = 200 * params.UnitsPerCoin
	c.Low, c.High = *p, *p
	c.Low.RedemptionFeeBP, c.High.RedemptionFeeBP = 0, 100
	charter, err := params.NewCharter(c)
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

// Play is a chain and the people who live on it.
type Play struct {
	*stage.House
	Life *life.Life
	// Seen counts the records of connected blocks, by type; what the miner
	// did by itself is among them.
	Seen map[goods.RecordType]int
	// Defaults counts custodians that came into default.
	Defaults int
	// Block, if set, hears every connected block.
	Block func(*state.Block)

	t testing.TB
}

// Open begins a play in a directory of its own, which ends with the test.
func Open(t testing.TB, charter *params.Charter, seed uint64) *Play {
	t.Helper()
	return OpenAt(t, t.TempDir(), charter, seed)
}

// OpenAt is Open in a directory that stays, for a node to run on: the folder
// of the network below the node's data directory.
func OpenAt(t testing.TB, dir string, charter *params.Charter, seed uint64) *Play {
	t.Helper()
	h, err := stage.OpenHouse(t.Context(), dir, charter, &clock.Mock{Base: clock.Real{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Play{House: h, Seen: map[goods.RecordType]int{}, t: t}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	p.Life = life.New(life.Options{
		Charter: charter, Chain: h.Chain, Keys: Keys{}, Secret: []byte("plays"), Seed: seed,
		Give: func(tx *state.Tx) error { _, err := h.Pool.Accept(tx); return err },
	})
	h.MinerScript = p.Life.Miner().Script
	h.Seen = p.see
	return p
}

func (p *Play) see(e *chain.Event) {
	for _, tx := range e.Block.Msg.Transactions {
		if record, ok, err := goods.DecodeRecord(tx.TxOut[len(tx.TxOut)-1].PkScript); ok && err == nil {
			p.Seen[record.Type()]++
		}
	}
	for _, event := range e.Goods {
		if s, ok := event.(goods.StandingChanged); ok && s.After.Defaulted && !s.Before.Defaulted {
			p.Defaults++
		}
	}
	if p.Block != nil {
		p.Block(e.Block)
	}
}

// Live plays and mines blocks until the chain has this height.
func (p *Play) Live(height int32) {
	p.t.Helper()
	for p.Height() < height {
		if err := p.Life.Step(); err != nil {
			p.t.Fatal(err)
		}
		if err := p.Mine(p.t.Context(), 1); err != nil {
			p.t.Fatalf("block %d: %v", p.Height()+1, err)
		}
	}
}

// MustCheck counts the goods state again.
func (p *Play) MustCheck() {
	p.t.Helper()
	if err := p.CheckState(); err != nil {
		p.t.Fatalf("height %d: %v", p.Height(), err)
	}
}

// MustHaveSeen fails the test for each record that did not occur.
func (p *Play) MustHaveSeen() {
	p.t.Helper()
	for kind := goods.TypeRotate; kind <= goods.TypeReseat; kind++ {
		p.t.Logf("%-8s %d", kind, p.Seen[kind])
		if p.Seen[kind] == 0 {
			p.t.Errorf("no %s in %d blocks", kind, p.Height())
		}
	}
}

package goods

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/node/life"
	"granary/node/stage"
	"granary/params"
	"granary/state"
)

// ring holds the keys of every seat of a life.
type ring struct{}

func (ring) SeatKey(role state.Role, index uint16, generation uint32) *btcec.PrivateKey {
	sum := sha256.Sum256(fmt.Append(nil, "seat", role, index, generation))
	key, _ := btcec.PrivKeyFromBytes(sum[:])
	return key
}

// TestLife lets people live for a while, GRANARY_LONG blocks where that is set:
// every block's derivation is held against the state, the figures against the
// sums, and in the end going back and forth and building late give the same
// bytes.
func TestLife(t *testing.T) {
	blocks := 120
	if long, err := strconv.Atoi(os.Getenv("GRANARY_LONG")); err == nil {
		blocks = max(long, blocks)
	}
	script := func(role state.Role, index uint16) []byte { return stage.ScriptOf(ring{}.SeatKey(role, index, 0)) }
	p := openPlay(t, func(c *params.Charter) {
		quick(c)
		for i := range c.Custodians {
			c.Custodians[i].Script = script(state.RoleCustodian, uint16(i))
		}
		for i := range c.Auditors {
			c.Auditors[i].Script = script(state.RoleAuditor, uint16(i))
		}
		c.Council.Script = script(state.RoleCouncil, 0)
	})
	people := life.New(life.Options{
		Charter: p.Charter, Chain: p.Chain, Keys: ring{}, Secret: p.secret, Seed: 3,
		Give: func(tx *state.Tx) error { _, err := p.Give(tx, nil); return err },
	})
	p.MinerScript = people.Miner().Script
	for range blocks {
		p.must(people.Step())
		p.mine(1)
	}
	t.Logf("records %v, %d refused, the last because %v", people.Given, people.Refused, people.LastRefusal)
	if len(people.Given) < 8 {
		t.Errorf("only %d kinds of records were given", len(people.Given))
	}
	if p.index.idle || len(p.past) < int(p.Height())-1 {
		t.Fatalf("the history ended: %d of %d blocks", len(p.past), p.Height())
	}
	p.mustHoldCoverage()
	end := dump(t, p.index)
	back := p.Chain.AtHeight(p.Height() - int32(blocks)/2)
	p.must(p.Chain.Invalidate(back.Hash))
	half := p.open(vfs.NewMem())
	p.must(half.Sync(t.Context(), p.Chain, nil))
	mustEqual(t, dump(t, p.index), dump(t, half), "the index taken back")
	p.must(p.Chain.Reconsider(back.Hash))
	mustEqual(t, dump(t, p.index), end, "the index after going back and forth")
	mustEqual(t, dump(t, half), end, "the index that was built late")
}

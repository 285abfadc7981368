package life_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"granary/base/clock"
	"granary/chain"
	"granary/node/life"
	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

type keyRing struct{}

func (keyRing) SeatKey(role state.Role, index uint16, generation uint32) *btcec.PrivateKey {
	digest := sha256.Sum256(fmt.Appendf(nil, "%s %d, generation %d", role, index, generation))
	key, _ := btcec.PrivKeyFromBytes(digest[:])
	return key
}

// quickCharter is the demo's with windows that pass within a test.
func quickCharter(t testing.TB) *params.Charter {
	t.Helper()
	script := func(role state.Role, index uint16) []byte { return stage.ScriptOf(keyRing{}.SeatKey(role, index, 0)) }
	demo, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{script(state.RoleCustodian, 0), script(state.RoleCustodian, 1)},
		Auditors:   [3][]byte{script(state.RoleAuditor, 0), script(state.RoleAuditor, 1), script(state.RoleAuditor, 2)},
		Council:    script(state.RoleCouncil, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := *demo
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

func live(t testing.TB, seed uint64) (*stage.House, *life.Life) {
	t.Helper()
	charter := quickCharter(t)
	at := &clock.Mock{Base: clock.Real{}}
	h, err := stage.OpenHouse(t.Context(), t.TempDir(), charter, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	l := life.New(life.Options{
		Charter: charter, Chain: h.Chain, Keys: keyRing{}, Secret: []byte("life test"), Seed: seed,
		Give: func(tx *state.Tx) error { _, err := h.Pool.Accept(tx); return err },
	})
	h.MinerScript = l.Miner().Script
	return h, l
}

// TestLife lives for some hundred blocks: every record occurs, the state is
// right all the way, and few acts are refused.
func TestLife(t *testing.T) {
	const blocks = 500
	h, l := live(t, 7)
	released, slashed, defaults := 0, 0, 0
	h.Seen = func(e *chain.Event) {
		for _, event := range e.Goods {
			switch event := event.(type) {
			case goods.Released:
				released++
			case goods.Slashed:
				slashed++
			case goods.StandingChanged:
				if event.After.Defaulted && !event.Before.Defaulted {
					defaults++
				}
			}
		}
	}
	began := time.Now()
	if err := h.Mine(t.Context(), params.GoodsStartHeight-1); err != nil {
		t.Fatal(err)
	}
	for range blocks {
		if err := l.Step(); err != nil {
			t.Fatal(err)
		}
		if err := h.Mine(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if h.Height()%50 == 0 {
			if err := h.CheckState(); err != nil {
				t.Fatalf("height %d: %v", h.Height(), err)
			}
		}
	}
	given := 0
	for kind := goods.TypeRotate; kind <= goods.TypeReseat; kind++ {
		t.Logf("%-8s %d", kind, l.Given[kind])
		given += l.Given[kind]
		byMiner := kind == goods.TypeDraw || kind == goods.TypeSlash
		if l.Given[kind] == 0 && !byMiner {
			t.Errorf("no %s in %d blocks", kind, blocks)
		}
	}
	t.Logf("%d draws, %d slashes, %d defaults", released, slashed, defaults)
	if released == 0 || slashed == 0 {
		t.Error("the miner drew or slashed nothing")
	}
	t.Logf("%d refused of %d, the last: %v; %v", l.Refused, l.Refused+given, l.LastRefusal, time.Since(began))
	if l.Refused*10 > given {
		t.Errorf("%d acts were refused, %d happened", l.Refused, given)
	}
}

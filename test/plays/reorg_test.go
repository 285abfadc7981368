package plays

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/node/stage"
	"granary/params"
	"granary/state"
)

// TestReorganisations takes a life of every record back to each depth from 1
// to 150 and lets it come again: the whole state, coins, goods and tree, is
// byte for byte what it was at that height when the chain came there first,
// and what another node has that never saw a reorganisation.
func TestReorganisations(t *testing.T) {
	const deepest = 150
	depths := []int32{1, 2, 6, 17, 60, deepest}
	if number("GRANARY_LONG", 0) > 0 {
		depths = nil
		for depth := int32(1); depth <= deepest; depth++ {
			depths = append(depths, depth)
		}
	}
	seeds := number("GRANARY_LIVES", 1)
	for seed := range seeds {
		takeApart(t, uint64(number("GRANARY_SEED", 7)+seed), depths)
	}
}

func takeApart(t *testing.T, seed uint64, depths []int32) {
	t.Helper()
	const top = 420
	p := Open(t, Charter(t, params.BaseRegtest), seed)
	was := map[int32]chainhash.Hash{} // state by height
	p.Live(top - 150)
	for height := int32(top - 150); ; height++ {
		was[height] = stateHash(t, p.House)
		if height == top {
			break
		}
		p.Live(height + 1)
	}
	p.MustHaveSeen()
	tip := p.Chain.Tip()
	for _, depth := range depths {
		first := p.Chain.AtHeight(top - depth + 1)
		if err := p.Chain.Invalidate(first.Hash); err != nil {
			t.Fatal(err)
		}
		if got := stateHash(t, p.House); p.Height() != top-depth || got != was[top-depth] {
			t.Fatalf("seed %d: %d blocks back the state at %d is %v, it was %v", seed, depth, p.Height(), got, was[top-depth])
		}
		if err := p.Chain.Reconsider(first.Hash); err != nil {
			t.Fatal(err)
		}
		if got := stateHash(t, p.House); p.Chain.Tip() != tip || got != was[top] {
			t.Fatalf("seed %d: after %d blocks back and forth the state at %d is %v, it was %v", seed, depth, p.Height(), got, was[top])
		}
	}
	p.MustCheck()
	fresh(t, p, was[top])
}

// fresh hands every block to another node.
func fresh(t *testing.T, p *Play, want chainhash.Hash) {
	t.Helper()
	other, err := stage.OpenHouse(t.Context(), t.TempDir(), p.Charter, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	for height := int32(1); height <= p.Height(); height++ {
		b, err := p.Chain.Block(p.Chain.AtHeight(height))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Chain.AcceptBlock(state.NewBlock(b.Msg)); err != nil {
			t.Fatalf("block %d: %v", height, err)
		}
	}
	if got := stateHash(t, other); got != want {
		t.Fatalf("a node that only synced has the state %v, not %v", got, want)
	}
}

func stateHash(t *testing.T, h *stage.House) chainhash.Hash {
	t.Helper()
	hash, err := h.Chain.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

package template

import (
	"errors"
	"slices"
	"testing"

	"granary/mempool"
)

// TestBestIsEnough: a block that the best candidates fill is the one that all
// of them make.
func TestBestIsEnough(t *testing.T) {
	const limit = 200_000
	w := newWorld(t, plain())
	w.mine(101)
	for i, op := range w.fan(1, 2500) {
		tx := w.accept(w.spend(int64(150+(i*7919)%9000), 2, op))
		if i%3 == 0 {
			w.accept(w.spend(int64(150+(i*104_729)%9000), 1, out(tx, 0)))
		}
		if i%6 == 0 {
			w.accept(w.spend(int64(150+(i*15_485_863)%20_000), 1, out(tx, 1)))
		}
	}
	fill := func(choose func(*draft, []mempool.Candidate) error, candidates []mempool.Candidate) *Template {
		got, err := w.builder.build(anyone, 0, func(d *draft) error {
			d.limit = limit
			return choose(d, candidates)
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	best, all := w.pool.BestCandidates(5 * limit)
	if n := w.pool.Info().Count; all || len(best) >= n*9/10 {
		t.Fatalf("%d of %d are the best", len(best), n)
	}
	got, want := fill((*draft).chooseBest, best), fill((*draft).choose, w.pool.Candidates())
	if !slices.Equal(txids(got), txids(want)) || got.Weight < limit*9/10 {
		t.Errorf("%d transactions that pay %d, want %d that pay %d", len(got.Fees), got.FeesUnits, len(want.Fees), want.FeesUnits)
	}
	// Where they do not fill it, all are asked for.
	_, err := w.builder.build(anyone, 0, func(d *draft) error { return d.chooseBest(best) })
	if !errors.Is(err, errWantsAll) {
		t.Errorf("got %v", err)
	}
	if got := w.build(); len(got.Fees) != w.pool.Info().Count+1 {
		t.Errorf("%d transactions in a block that has room for all", len(got.Fees))
	}
}

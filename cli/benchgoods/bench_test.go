package benchgoods

import (
	"strings"
	"testing"
)

// TestSmallForm makes and measures a small chain, so that everything but the
// size is tried.
func TestSmallForm(t *testing.T) {
	r, err := Run(t.Context(), Options{Dir: t.TempDir(), Receipts: 2_000, Claims: 900, Blocks: 1, Calls: 3, DBCacheMiB: 32, Version: "0"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Small.Receipts != 1_000 || r.Full.Receipts != 2_000 || r.Full.Claims != 900 {
		t.Errorf("sizes are %+v", r)
	}
	for _, s := range []Stage{r.Small, r.Full} {
		for what, median := range map[string]float64{
			"engine": s.CoreBlocks.Median, "node": s.NodeBlocks.Median, "rules": s.Rules.Median,
			"getreserve": s.Reserve.Median, "proof": s.Proof.Median, "first proof": s.FirstProof.Median,
			"opening": s.OpenNode, "bytes": float64(s.ProofBytes), "state": float64(s.StateBytes), "blocks": float64(s.BlockBytes),
		} {
			if median <= 0 {
				t.Errorf("%s was not measured: %+v", what, s)
			}
		}
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
}

func TestRefusesImpossibleShapes(t *testing.T) {
	for _, o := range []Options{
		{Receipts: 999, Claims: 600, Blocks: 1, Calls: 1},
		{Receipts: 1_000, Claims: 599, Blocks: 1, Calls: 1},
		{Receipts: 1_000, Claims: 10_001, Blocks: 1, Calls: 1},
		{Receipts: 1_000, Claims: 600, Blocks: 0, Calls: 1},
		{Receipts: 1_000, Claims: 600, Blocks: 1, Calls: 0},
	} {
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

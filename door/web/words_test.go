package web

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
)

// charter is the one that granary charter new prints.
func charter(t *testing.T) *params.Charter {
	t.Helper()
	c, err := params.ParseCharter([]byte(params.TemplateCharter()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRecordsInWords(t *testing.T) {
	s := &Server{options: Options{Charter: charter(t)}}
	receive := goods.Receive{Openings: []goods.Opening{{Good: 0, Serial: "LOT-7", Quantity: 500}, {Good: 999, Serial: "X", Quantity: 1}}}
	for _, c := range []struct {
		record   goods.Record
		attested bool
		want     []string
	}{
		{goods.Rotate{}, false, []string{"Rotation", "holds the office now"}},
		{goods.Attest{Proposals: []chainhash.Hash{{1}, {2}, {3}}}, true, []string{"Attestation", "3 proposals", "the auditor's word"}},
		{receive, true, []string{"Goods received", "500 kg of Milling wheat", "lot LOT-7", "1 measures of good 999"}},
		{goods.Draw{Receipt: 4, Quantity: 9}, false, []string{"Draw", "receipt 4", "Nobody signs"}},
	} {
		tx := wire.NewMsgTx(2)
		tx.AddTxOut(wire.NewTxOut(0, []byte{0x51}))
		tx.AddTxOut(wire.NewTxOut(0, goods.RecordScript(c.record)))
		words := s.recordWords(tx.TxHash(), tx, nil)
		if words == nil {
			t.Fatalf("%s has no words", c.record.Type())
		}
		said := words.Title + " " + words.Short + " " + strings.Join(words.Lines, " ")
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not said in %q", c.record.Type(), want, said)
			}
		}
		if words.Attested != c.attested {
			t.Errorf("%s: attested %v", c.record.Type(), words.Attested)
		}
	}
}

package rpc

import (
	"encoding/json"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
	"granary/state"
)

// Every record is shown in words beside its bytes.
func TestGoodsRecordsInWords(t *testing.T) {
	receive := goods.Receive{Custodian: 1, Expiry: 120, Observed: goods.Observed{Height: 101}, Openings: []goods.Opening{
		{Good: 2, Serial: "A-1", Quantity: 1_000, Location: "Hall", Script: []byte{0x51}},
	}}
	zero := chainhash.Hash{}.String()
	for _, c := range []struct {
		record goods.Record
		want   string
	}{
		{goods.Rotate{}, `{"n":0,"record":"rotate"}`},
		{
			goods.Attest{Proposals: []chainhash.Hash{{}}},
			`{"n":0,"record":"attest","body":"0100` + zero + `","proposals":["` + zero + `"]}`,
		},
		{receive, `{"n":0,"record":"receive","body":"` + hexOf(receive.Body()) + `","receive":{"custodian":1,"expiry":120,"observed_height":101,` +
			`"observed_hash":"` + zero + `","receipts":[{"good":2,"registry":0,"lot":"A-1","quantity":1000,"document":"` + zero +
			`","location":"Hall","script":"51"}]}}`},
		{
			goods.Draw{Receipt: 7, ID: state.ObjectID{1}, Quantity: 5},
			`{"n":0,"record":"draw","body":"070000000000000001000000000000000500000000000000","draw":{"receipt":7,"id":"0100000000000000","quantity":5}}`,
		},
	} {
		msg := wire.NewMsgTx(2)
		msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(c.record)))
		got, err := json.Marshal(goodsOf(msg))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s %v, want %s", c.record.Type(), got, err, c.want)
		}
	}
}

package rpc

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/rules/goods"
)

// goodsJSON is the goods record that a transaction carries. Whether the chain
// would accept it is not said here: that needs the state.
type goodsJSON struct {
	N      int    `json:"n"`      // the output that holds it
	Record string `json:"record"` // the record's type, "invalid" where it cannot be read
	Body   string `json:"body,omitempty"`
	Error  string `json:"error,omitempty"`
}

// goodsOf decodes the record of a transaction, nil if it has none. A
// transaction with several shows the first; the rules refuse it.
func goodsOf(msg *wire.MsgTx) *goodsJSON {
	for i, out := range msg.TxOut {
		record, ok, err := goods.DecodeRecord(out.PkScript)
		switch {
		case !ok:
			continue
		case err != nil:
			return &goodsJSON{N: i, Record: "invalid", Error: string(check.CodeOf(err))}
		}
		return &goodsJSON{N: i, Record: record.Type().String(), Body: hexOf(record.Body())}
	}
	return nil
}

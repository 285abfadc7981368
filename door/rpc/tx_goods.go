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

	Proposals []string     `json:"proposals,omitempty"` // attest: hex, in the order of their bytes
	Receive   *receiveJSON `json:"receive,omitempty"`
	Draw      *drawJSON    `json:"draw,omitempty"`
}

// receiveJSON is what a receive record says; numbers are the charter's.
type receiveJSON struct {
	Custodian      uint16        `json:"custodian"`
	Expiry         int32         `json:"expiry"` // the last height at which it is valid
	ObservedHeight int32         `json:"observed_height"`
	ObservedHash   string        `json:"observed_hash"`
	Receipts       []openingJSON `json:"receipts"`
}

type openingJSON struct {
	Good     uint16 `json:"good"`
	Registry uint16 `json:"registry"`
	Lot      string `json:"lot"`
	Quantity int64  `json:"quantity"` // measures
	Document string `json:"document"` // hex, in the order of its bytes
	Location string `json:"location"`
	Script   string `json:"script"` // hex
}

type drawJSON struct {
	Receipt  uint64 `json:"receipt"`
	ID       string `json:"id"`
	Quantity int64  `json:"quantity"` // measures
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
		shown := &goodsJSON{N: i, Record: record.Type().String(), Body: hexOf(record.Body())}
		shown.explain(record)
		return shown
	}
	return nil
}

// explain adds what the body says.
func (j *goodsJSON) explain(record goods.Record) {
	switch r := record.(type) {
	case goods.Attest:
		for i := range r.Proposals {
			j.Proposals = append(j.Proposals, hexOf(r.Proposals[i][:]))
		}
	case goods.Receive:
		j.Receive = &receiveJSON{
			Custodian: r.Custodian, Expiry: r.Expiry,
			ObservedHeight: r.Observed.Height, ObservedHash: r.Observed.Hash.String(),
		}
		for i := range r.Openings {
			o := &r.Openings[i]
			j.Receive.Receipts = append(j.Receive.Receipts, openingJSON{
				Good: o.Good, Registry: o.Registry, Lot: o.Serial, Quantity: o.Quantity,
				Document: hexOf(o.Document[:]), Location: o.Location, Script: hexOf(o.Script),
			})
		}
	case goods.Draw:
		j.Draw = &drawJSON{Receipt: r.Receipt, ID: hexOf(r.ID[:]), Quantity: r.Quantity}
	}
}

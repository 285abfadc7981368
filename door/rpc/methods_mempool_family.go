package rpc

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/mempool"
)

func mempoolFamilyMethods() []Method {
	parameters := []Param{
		{Name: "txid", Type: Hash, Help: "The transaction's id."},
		{Name: "verbose", Type: Boolean, Optional: true, Default: "false", Help: "Give each with its figures."},
	}
	result := "An array of ids, or an object by id, as getmempoolentry."
	return []Method{
		{
			Name: "getmempoolancestors", Family: familyChain, Params: parameters, Result: result,
			Summary: "Lists what a waiting transaction depends on in the mempool.",
			run: func(c *call) (any, error) {
				return c.relatives(c.Pool.Ancestors)
			},
		},
		{
			Name: "getmempooldescendants", Family: familyChain, Params: parameters, Result: result,
			Summary: "Lists what depends on a waiting transaction in the mempool.",
			run: func(c *call) (any, error) {
				return c.relatives(c.Pool.Descendants)
			},
		},
		{
			Name: "gettxspendingprevout", Family: familyChain,
			Summary: "Tells which waiting transactions spend some outputs.",
			Params:  []Param{{Name: "outputs", Type: List, Help: `Objects {"txid": hex, "vout": number}.`}},
			Result:  "An array in the same order: txid, vout, and spendingtxid where there is one.",
			run:     getTxSpendingPrevout,
		},
	}
}

func (c *call) relatives(of func(chainhash.Hash) []*mempool.Entry) (any, error) {
	txid, err := c.hash("txid")
	if err != nil {
		return nil, err
	}
	if c.Pool.Get(txid) == nil {
		return nil, errorf(CodeInvalidAddress, "Transaction not in mempool")
	}
	entries := of(txid)
	if !c.flag("verbose", false) {
		out := make([]string, len(entries))
		for i, e := range entries {
			out[i] = e.Tx.Txid.String()
		}
		return out, nil
	}
	out := object{}
	for _, e := range entries {
		if shown, ok := c.entryJSON(e); ok {
			out = append(out, member{e.Tx.Txid.String(), shown})
		}
	}
	return out, nil
}

func getTxSpendingPrevout(c *call) (any, error) {
	given := c.arg("outputs").items
	if len(given) == 0 {
		return nil, errorf(CodeInvalidParameter, "Invalid parameter, outputs are missing")
	}
	type spending struct {
		Txid  string `json:"txid"`
		Vout  uint32 `json:"vout"`
		Spent string `json:"spendingtxid,omitempty"`
	}
	out := make([]spending, len(given))
	for i, item := range given {
		op, err := parseOutPoint(item)
		if err != nil {
			return nil, err
		}
		out[i] = spending{Txid: op.Hash.String(), Vout: op.Index}
		if e := c.Pool.Spender(op); e != nil {
			out[i].Spent = e.Tx.Txid.String()
		}
	}
	return out, nil
}

// parseOutPoint reads {"txid": hex, "vout": number} and nothing else.
func parseOutPoint(item Value) (op wire.OutPoint, err error) {
	if item.kind != Object {
		return op, errorf(CodeType, "%s", mismatch(item.kind, "object"))
	}
	for _, key := range item.keys {
		if key != "txid" && key != "vout" {
			return op, errorf(CodeType, "Unexpected key %s", clip(key))
		}
	}
	txid, _ := item.Get("txid")
	vout, _ := item.Get("vout")
	switch {
	case txid.IsNull():
		return op, errorf(CodeType, "Missing txid")
	case vout.IsNull():
		return op, errorf(CodeType, "Missing vout")
	}
	if op.Hash, err = txid.hash("txid"); err != nil {
		return op, err
	}
	n, err := vout.int64()
	switch {
	case err != nil:
		return op, err
	case n < 0:
		return op, errorf(CodeInvalidParameter, "Invalid parameter, vout cannot be negative")
	case n > 0x7fffffff:
		return op, errIntegerRange
	}
	op.Index = uint32(n)
	return op, nil
}

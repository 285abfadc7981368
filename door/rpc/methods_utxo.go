package rpc

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/chain"
	"granary/state"
)

func utxoMethods() []Method {
	return []Method{
		{
			Name: "gettxout", Family: familyChain,
			Summary: "Gives an unspent output.",
			Params: []Param{
				{Name: "txid", Type: Hash, Help: "The transaction's id."},
				{Name: "n", Type: Integer, Help: "The output's number in it, from 0."},
				{Name: "include_mempool", Type: Boolean, Optional: true, Default: "true", Help: "Count the mempool's spends and outputs."},
			},
			Result: "An object with bestblock, confirmations (0 in the mempool), value (coins), scriptPubKey, coinbase; null where there is no such unspent output.",
			run:    getTxOut,
		},
		{
			Name: "gettxoutsetinfo", Family: familyChain,
			Summary: "Counts the whole set of unspent outputs and hashes it.",
			Detail:  "It reads every unspent output and may take minutes on a long chain.",
			Params: []Param{
				{Name: "hash_type", Type: Text, Optional: true, Default: "hash_serialized_3", Help: "hash_serialized_3, muhash or none."},
				{Name: "hash_or_height", Type: HashOrHeight, Optional: true, Help: "Not available: only the last block can be asked for."},
				{Name: "use_index", Type: Boolean, Optional: true, Default: "true", Help: "Accepted and ignored: there is no index of these figures."},
			},
			Result: "An object with height, bestblock, txouts, bogosize, the hash, total_amount (coins), transactions, disk_size (bytes).",
			run:    getTxOutSetInfo,
		},
	}
}

type txOutJSON struct {
	BestBlock     string     `json:"bestblock"`
	Confirmations int32      `json:"confirmations"`
	Value         amount     `json:"value"`
	ScriptPubKey  scriptJSON `json:"scriptPubKey"`
	Coinbase      bool       `json:"coinbase"`
}

func getTxOut(c *call) (any, error) {
	txid, err := c.hash("txid")
	if err != nil {
		return nil, err
	}
	n, err := c.integer("n", 0)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > 0xffffffff {
		return nil, nil
	}
	op := wire.OutPoint{Hash: txid, Index: uint32(n)}
	withPool := c.flag("include_mempool", true)
	if withPool {
		if c.Pool.Spender(op) != nil {
			return nil, nil
		}
		if entry := c.Pool.Get(txid); entry != nil {
			return c.poolTxOut(entry.Tx, op), nil
		}
	}
	var out any
	err = c.Chain.View(func(tip *state.Header, v state.View) error {
		coin, err := v.Coin(op)
		if err == nil && coin != nil {
			out = txOutJSON{
				tip.Hash.String(), tip.Height - coin.Height + 1, amount(coin.ValueUnits),
				newScriptJSON(coin.Script, c.server.opts.Net.Chain, true), coin.Coinbase,
			}
		}
		return err
	})
	return out, err
}

func (c *call) poolTxOut(tx *state.Tx, op wire.OutPoint) any {
	if int64(op.Index) >= int64(len(tx.Msg.TxOut)) || state.Unspendable(tx.Msg.TxOut[op.Index].PkScript) {
		return nil
	}
	out := tx.Msg.TxOut[op.Index]
	return txOutJSON{
		c.Chain.Tip().Hash.String(), 0, amount(out.Value),
		newScriptJSON(out.PkScript, c.server.opts.Net.Chain, true), false,
	}
}

type setInfoJSON struct {
	Height       int32  `json:"height"`
	BestBlock    string `json:"bestblock"`
	TxOuts       int64  `json:"txouts"`
	BogoSize     int64  `json:"bogosize"`
	Serialized   string `json:"hash_serialized_3,omitempty"`
	MuHash       string `json:"muhash,omitempty"`
	Total        amount `json:"total_amount"`
	Transactions int64  `json:"transactions"`
	DiskSize     int64  `json:"disk_size"`
}

var setHashes = map[string]chain.HashKind{
	"hash_serialized_3": chain.HashSerialized3, "muhash": chain.HashMuHash, "none": chain.HashNone,
}

func getTxOutSetInfo(c *call) (any, error) {
	name := c.text("hash_type", "hash_serialized_3")
	kind, ok := setHashes[name]
	if !ok {
		return nil, errorf(CodeInvalidParameter, "'%s' is not a valid hash_type", clip(name))
	}
	if !c.arg("hash_or_height").IsNull() {
		return nil, errorf(CodeInvalidParameter, "Querying specific block heights requires coinstatsindex")
	}
	stats, err := c.Chain.UTXOStats(kind)
	if err != nil {
		return nil, err
	}
	out := setInfoJSON{
		Height: stats.Height, BestBlock: stats.Tip.String(), TxOuts: stats.TxOuts, BogoSize: stats.BogoSize,
		Total: amount(stats.TotalUnits), Transactions: stats.Transactions, DiskSize: stats.DiskBytes,
	}
	switch kind {
	case chain.HashSerialized3:
		out.Serialized = stats.Hash.String()
	case chain.HashMuHash:
		out.MuHash = stats.Hash.String()
	}
	return out, nil
}

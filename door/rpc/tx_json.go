package rpc

import (
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/block"
	"granary/state"
)

// txJSON is a decoded transaction with Bitcoin Core's fields. The last four
// are there only where the block or the pool gives them.
type txJSON struct {
	InActiveChain *bool      `json:"in_active_chain,omitempty"`
	Txid          string     `json:"txid"`
	Hash          string     `json:"hash"`
	Version       uint32     `json:"version"`
	Size          int        `json:"size"`
	VSize         int64      `json:"vsize"`
	Weight        int64      `json:"weight"`
	LockTime      uint32     `json:"locktime"`
	Vin           []vinJSON  `json:"vin"`
	Vout          []voutJSON `json:"vout"`
	Goods         *goodsJSON `json:"goods,omitempty"`
	Fee           *amount    `json:"fee,omitempty"`
	Hex           string     `json:"hex,omitempty"`

	BlockHash     string `json:"blockhash,omitempty"`
	Confirmations *int32 `json:"confirmations,omitempty"`
	Time          int64  `json:"time,omitempty"`
	BlockTime     int64  `json:"blocktime,omitempty"`
}

type vinJSON struct {
	Coinbase  *string        `json:"coinbase,omitempty"`
	Txid      string         `json:"txid,omitempty"`
	Vout      *uint32        `json:"vout,omitempty"`
	ScriptSig *scriptSigJSON `json:"scriptSig,omitempty"`
	Witness   []string       `json:"txinwitness,omitempty"`
	Prevout   *prevoutJSON   `json:"prevout,omitempty"`
	Sequence  uint32         `json:"sequence"`
}

type scriptSigJSON struct {
	Asm string `json:"asm"`
	Hex string `json:"hex"`
}

type prevoutJSON struct {
	Generated    bool       `json:"generated"`
	Height       int32      `json:"height"`
	Value        amount     `json:"value"`
	ScriptPubKey scriptJSON `json:"scriptPubKey"`
}

type voutJSON struct {
	Value        amount     `json:"value"`
	N            int        `json:"n"`
	ScriptPubKey scriptJSON `json:"scriptPubKey"`
}

// txDetail says how much of a transaction to show: spent are the coins of its
// inputs where they are known (nil otherwise, and for a coinbase).
type txDetail struct {
	chain    *chaincfg.Params
	spent    []*state.Coin
	prevouts bool // show the coins too, not only the fee
	hex      bool
}

func newTxJSON(tx *state.Tx, d txDetail) *txJSON {
	msg := tx.Msg
	out := &txJSON{
		Txid: tx.Txid.String(), Hash: tx.Wtxid.String(), Version: uint32(msg.Version),
		Size: len(tx.Raw), VSize: tx.VBytes(), Weight: tx.Weight(), LockTime: msg.LockTime,
		Vin: make([]vinJSON, len(msg.TxIn)), Vout: make([]voutJSON, len(msg.TxOut)),
		Goods: goodsOf(msg),
	}
	coinbase := block.IsCoinbase(msg)
	known := !coinbase && len(d.spent) == len(msg.TxIn)
	var inUnits, outUnits int64
	for i, in := range msg.TxIn {
		out.Vin[i] = newVin(in, coinbase)
		if known {
			inUnits += d.spent[i].ValueUnits
			if d.prevouts {
				out.Vin[i].Prevout = newPrevout(d.spent[i], d.chain)
			}
		}
	}
	for i, o := range msg.TxOut {
		outUnits += o.Value
		out.Vout[i] = voutJSON{amount(o.Value), i, newScriptJSON(o.PkScript, d.chain, true)}
	}
	if known {
		fee := amount(inUnits - outUnits)
		out.Fee = &fee
	}
	if d.hex {
		out.Hex = hexOf(tx.Raw)
	}
	return out
}

func newVin(in *wire.TxIn, coinbase bool) vinJSON {
	out := vinJSON{Sequence: in.Sequence}
	script := hexOf(in.SignatureScript)
	if coinbase {
		out.Coinbase = &script
	} else {
		index := in.PreviousOutPoint.Index
		out.Txid, out.Vout = in.PreviousOutPoint.Hash.String(), &index
		out.ScriptSig = &scriptSigJSON{scriptAsm(in.SignatureScript, true), script}
	}
	for _, item := range in.Witness {
		out.Witness = append(out.Witness, hexOf(item))
	}
	return out
}

func newPrevout(coin *state.Coin, chain *chaincfg.Params) *prevoutJSON {
	return &prevoutJSON{
		Generated: coin.Coinbase, Height: coin.Height, Value: amount(coin.ValueUnits),
		ScriptPubKey: newScriptJSON(coin.Script, chain, true),
	}
}

package rpc

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/desc"
	"granary/state"
)

const familyRawTx = "Rawtransactions"

func rawTxMethods() []Method {
	return []Method{
		{
			Name: "getrawtransaction", Family: familyRawTx,
			Summary: "Gives a transaction of the mempool, of the transaction index (--txindex), or of a named block.",
			Params: []Param{
				{Name: "txid", Type: Hash, Help: "The transaction's id."},
				{Name: "verbosity", Alias: "verbose", Type: Verbosity, Optional: true, Default: "0", Help: "0 gives hex, 1 an object, 2 adds the spent outputs and the fee where they are known."},
				{Name: "blockhash", Type: Hash, Optional: true, Help: "The block to look in."},
			},
			Result: "A hex string, or the object of decoderawtransaction with hex, blockhash, confirmations, time and blocktime (Unix seconds); fee in coins.",
			run:    getRawTransaction,
		},
		{
			Name: "decoderawtransaction", Family: familyRawTx,
			Summary: "Takes a serialized transaction apart.",
			Params: []Param{
				{Name: "hexstring", Type: Hex, Help: "The transaction."},
				{Name: "iswitness", Type: Boolean, Optional: true, Help: "Read it only with (true) or without (false) witnesses; both are tried where this is absent."},
			},
			Result: "An object with txid, hash, version, size (bytes), vsize (vbytes), weight, locktime, vin, vout (value in coins), and goods where it carries a goods record.",
			run:    decodeRawTransaction,
		},
		{
			Name: "decodescript", Family: familyRawTx,
			Summary: "Takes a script apart and gives the addresses that would pay to it.",
			Params:  []Param{{Name: "hexstring", Type: Hex, Help: "The script; may be empty."}},
			Result:  "An object with asm, desc, type, and where they exist address, p2sh and segwit.",
			run:     decodeScript,
		},
		{
			Name: "sendrawtransaction", Family: familyRawTx,
			Summary: "Puts a signed transaction into the mempool, from where it is mined and announced.",
			Params: []Param{
				{Name: "hexstring", Type: Hex, Help: "The transaction."},
				{Name: "maxfeerate", Type: Amount, Optional: true, Default: "0.10", Help: "Refuse it above this fee, in coins per 1,000 vbytes; 0 takes any."},
				{Name: "maxburnamount", Type: Amount, Optional: true, Default: "0", Help: "Refuse it where an unspendable output holds more than this, in coins."},
			},
			Result: "The transaction's id.",
			run:    sendRawTransaction,
		},
		{
			Name: "testmempoolaccept", Family: familyRawTx,
			Summary: "Says whether the mempool would take transactions, without adding them.",
			Params: []Param{
				{Name: "rawtxs", Type: List, Help: "1 to 25 transactions in hex, parents before children."},
				{Name: "maxfeerate", Type: Amount, Optional: true, Default: "0.10", Help: "Refuse above this fee, in coins per 1,000 vbytes; 0 takes any."},
			},
			Result: "An array in the same order: txid, wtxid, allowed, and vsize (vbytes) with fees (coins), or reject-reason.",
			run:    testMempoolAccept,
		},
	}
}

func decodeRawTransaction(c *call) (any, error) {
	tryWitness, tryPlain := true, true
	if v := c.arg("iswitness"); !v.IsNull() {
		tryWitness, tryPlain = v.truth, !v.truth
	}
	tx, ok := decodeTxHex(c.text("hexstring", ""), tryWitness, tryPlain)
	if !ok {
		return nil, errTxDecode
	}
	return newTxJSON(tx, txDetail{chain: c.server.opts.Net.Chain}), nil
}

var errTxDecode = errorf(CodeDeserialization, "TX decode failed. Make sure the tx has at least one input.")

// foundTx is a transaction with the block that holds it; block is nil for one
// that waits in the mempool.
type foundTx struct {
	tx    *state.Tx
	index int // in the block
	block *state.Header
}

func getRawTransaction(c *call) (any, error) {
	txid, err := c.arg("txid").hash("parameter 1")
	if err != nil {
		return nil, err
	}
	if txid == c.server.opts.Net.Chain.GenesisBlock.Header.MerkleRoot {
		return nil, errorf(CodeInvalidAddress, "The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved")
	}
	verbosity, err := c.verbosity("verbosity", 0)
	if err != nil {
		return nil, err
	}
	found, err := c.findTx(txid)
	if err != nil {
		return nil, err
	}
	if verbosity <= 0 {
		return hexOf(found.tx.Raw), nil
	}
	detail := txDetail{chain: c.server.opts.Net.Chain, hex: true}
	if verbosity >= 2 && found.block != nil && found.index > 0 {
		if undo, err := c.Chain.Undo(found.block); err == nil && found.index <= len(undo.Spent) {
			detail.spent, detail.prevouts = undo.Spent[found.index-1], true
		}
	}
	out := newTxJSON(found.tx, detail)
	if found.block != nil {
		c.placeTx(out, found.block)
	}
	return out, nil
}

// placeTx adds where the transaction stands in the chain.
func (c *call) placeTx(out *txJSON, block *state.Header) {
	active := c.Chain.Contains(block)
	confirmations := int32(0)
	if !c.arg("blockhash").IsNull() {
		out.InActiveChain = &active
	}
	out.BlockHash = block.Hash.String()
	if active {
		confirmations = 1 + c.Chain.Tip().Height - block.Height
		out.Time = block.Raw.Timestamp.Unix()
		out.BlockTime = out.Time
	}
	out.Confirmations = &confirmations
}

func (c *call) findTx(txid chainhash.Hash) (foundTx, error) {
	if !c.arg("blockhash").IsNull() {
		return c.findTxInBlock(txid)
	}
	if entry := c.Pool.Get(txid); entry != nil {
		return foundTx{tx: entry.Tx}, nil
	}
	missing := "No such mempool or blockchain transaction"
	if c.TxIndex == nil {
		missing = "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries"
	} else {
		tip := c.Chain.Tip()
		place, indexed, err := c.TxIndex.Find(c.Chain, txid)
		if err != nil {
			return foundTx{}, err
		}
		if indexed {
			if found, err := c.txOfBlock(txid, place.Block); err != nil || found.tx != nil {
				return found, err
			}
		}
		if !c.indexSynced(tip) {
			missing = "No such mempool transaction. Blockchain transactions are still in the process of being indexed"
		}
	}
	return foundTx{}, errorf(CodeInvalidAddress, "%s. Use gettransaction for wallet transactions.", missing)
}

func (c *call) findTxInBlock(txid chainhash.Hash) (foundTx, error) {
	hash, err := c.arg("blockhash").hash("parameter 3")
	if err != nil {
		return foundTx{}, err
	}
	h := c.Chain.Header(hash)
	if h == nil {
		return foundTx{}, errorf(CodeInvalidAddress, "Block hash not found")
	}
	if h.Parent != nil && !c.Chain.Status(h).Have() {
		return foundTx{}, errorf(CodeMisc, "Block not available")
	}
	found, err := c.txOfBlock(txid, h)
	if err == nil && found.tx == nil {
		err = errorf(CodeInvalidAddress, "No such transaction found in the provided block. Use gettransaction for wallet transactions.")
	}
	return found, err
}

func (c *call) txOfBlock(txid chainhash.Hash, h *state.Header) (foundTx, error) {
	block, err := c.Chain.Block(h)
	if err != nil {
		return foundTx{}, errorf(CodeMisc, "Block not available: %v", err)
	}
	for i := range block.Txids {
		if block.Txids[i] == txid {
			return foundTx{block.Tx(i), i, h}, nil
		}
	}
	return foundTx{}, nil
}

// scriptFacts is the answer of decodescript.
type scriptFacts struct {
	scriptJSON
	P2SH   string       `json:"p2sh,omitempty"`
	Segwit *segwitFacts `json:"segwit,omitempty"`
}

type segwitFacts struct {
	scriptJSON
	P2SHSegwit string `json:"p2sh-segwit"`
}

func decodeScript(c *call) (any, error) {
	script, err := c.bytes("hexstring")
	if err != nil {
		return nil, err
	}
	chain := c.server.opts.Net.Chain
	out := scriptFacts{scriptJSON: newScriptJSON(script, chain, false)}
	s := solve(script)
	if !wrappable(script, s) {
		return out, nil
	}
	out.P2SH, _ = desc.ScriptAddress(scriptHashOf(script), chain)
	inner, ok := segwitOf(script, s)
	if !ok {
		return out, nil
	}
	segwit := &segwitFacts{scriptJSON: newScriptJSON(inner, chain, true)}
	if len(inner) == 34 {
		segwit.Desc = inferWrapped(script, inner, chain)
	}
	segwit.P2SHSegwit, _ = desc.ScriptAddress(scriptHashOf(inner), chain)
	out.Segwit = segwit
	return out, nil
}

// wrappable reports whether a script makes sense inside P2SH.
func wrappable(script []byte, s solved) bool {
	switch s.class {
	case classNullData, classScriptHash, classWitnessUnknown, classTaproot, classAnchor:
		return false
	}
	if !validOps(script) || state.Unspendable(script) {
		return false
	}
	ops, ok := scriptOps(script)
	for _, op := range ops {
		if op.code == opCheckSigAdd || opSuccess(op.code) {
			return false
		}
	}
	return ok
}

// segwitOf gives the witness program for a script, if it may have one.
func segwitOf(script []byte, s solved) ([]byte, bool) {
	switch s.class {
	case classPubKey:
		if !compressed(s.parts[0]) {
			return nil, false
		}
		return append([]byte{0, 20}, address.Hash160(s.parts[0])...), true
	case classPubKeyHash:
		return append([]byte{0, 20}, s.parts[0]...), true
	case classMultiSig:
		for _, key := range s.parts {
			if !compressed(key) {
				return nil, false
			}
		}
	case classNonStandard:
	default:
		return nil, false
	}
	sum := sha256.Sum256(script)
	return append([]byte{0, 32}, sum[:]...), true
}

func scriptHashOf(script []byte) []byte {
	return append(append([]byte{opHash160, 20}, address.Hash160(script)...), opEqual)
}

package rpc

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

func txProofMethods() []Method {
	return []Method{
		{
			Name: "gettxoutproof", Family: familyChain,
			Summary: "Proves that transactions are in a block.",
			Detail:  "Without a block hash the block is found by an unspent output of one of the transactions, or by the transaction index (--txindex).",
			Params: []Param{
				{Name: "txids", Type: List, Help: "The transactions' ids, all in one block."},
				{Name: "blockhash", Type: Hash, Optional: true, Help: "The block to look in."},
			},
			Result: "The proof in hex (BIP37's merkleblock).",
			run:    getTxOutProof,
		},
		{
			Name: "verifytxoutproof", Family: familyChain,
			Summary: "Checks a proof of gettxoutproof against the active chain.",
			Params:  []Param{{Name: "proof", Type: Hex, Help: "The proof."}},
			Result:  "An array of the ids that the proof commits to; empty where it is not valid.",
			run:     verifyTxOutProof,
		},
	}
}

func getTxOutProof(c *call) (any, error) {
	given := c.arg("txids").items
	if len(given) == 0 {
		return nil, errorf(CodeInvalidParameter, "Parameter 'txids' cannot be empty")
	}
	wanted := make(map[chainhash.Hash]bool, len(given))
	for _, v := range given {
		txid, err := v.hash("txid")
		if err != nil {
			return nil, err
		}
		if wanted[txid] {
			return nil, errorf(CodeInvalidParameter, "Invalid parameter, duplicated txid: %v", txid)
		}
		wanted[txid] = true
	}
	h, err := c.blockWith(given)
	if err != nil {
		return nil, err
	}
	b, err := c.readBlock(h)
	if err != nil {
		return nil, err
	}
	found := 0
	proof := newMerkleBlock(b, func(txid *chainhash.Hash) bool {
		if wanted[*txid] {
			found++
		}
		return wanted[*txid]
	})
	if found != len(wanted) {
		return nil, errorf(CodeInvalidAddress, "Not all transactions found in specified or retrieved block")
	}
	return hexOf(proof.encode()), nil
}

// blockWith finds the block that holds one of the transactions.
func (c *call) blockWith(txids []Value) (*state.Header, error) {
	if !c.arg("blockhash").IsNull() {
		return c.header("blockhash")
	}
	for _, v := range txids {
		txid, err := v.hash("txid")
		if err != nil {
			return nil, err
		}
		if c.TxIndex != nil {
			place, found, err := c.TxIndex.Find(c.Chain, txid)
			if err != nil {
				return nil, err
			}
			if found {
				return place.Block, nil
			}
		}
		h, err := c.blockOfUnspent(txid)
		if h != nil || err != nil {
			return h, err
		}
	}
	return nil, errorf(CodeInvalidAddress, "Transaction not yet in block")
}

// blockOfUnspent finds a transaction's block by any of its outputs that is
// unspent. It looks at as many as a block can hold, some at a time so that the
// chain can go on in between.
func (c *call) blockOfUnspent(txid chainhash.Hash) (found *state.Header, err error) {
	const most, atOnce = params.MaxBlockBytes / params.WitnessScaleFactor / 9, 1000
	op := wire.OutPoint{Hash: txid}
	for op.Index < most && found == nil && err == nil && c.ctx.Err() == nil {
		err = c.Chain.View(func(tip *state.Header, v state.View) error {
			for range atOnce {
				coin, err := v.Coin(op)
				if err != nil {
					return err
				}
				if coin != nil {
					found = tip.Ancestor(coin.Height)
					return nil
				}
				op.Index++
			}
			return nil
		})
	}
	return found, err
}

func verifyTxOutProof(c *call) (any, error) {
	raw, err := c.bytes("proof")
	if err != nil {
		return nil, err
	}
	proof, err := decodeMerkleBlock(raw)
	if err != nil {
		return nil, errorf(CodeDeserialization, "%v", err)
	}
	root, matches, ok := proof.root()
	if !ok || root != proof.header.MerkleRoot {
		return []string{}, nil
	}
	h := c.Chain.Header(proof.header.BlockHash())
	if h == nil || !c.Chain.Contains(h) || c.txCount(h) == 0 {
		return nil, errorf(CodeInvalidAddress, "Block not found in chain")
	}
	if c.txCount(h) != int64(proof.txs) {
		return []string{}, nil
	}
	return hashTexts(matches), nil
}

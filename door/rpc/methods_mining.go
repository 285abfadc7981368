package rpc

import (
	"encoding/hex"

	"granary/base/check"
	"granary/params"
	"granary/rules/block"
	"granary/state"
)

const familyMining = "Mining"

func miningMethods() []Method {
	return []Method{
		{
			Name: "submitblock", Family: familyMining,
			Summary: "Hands a block to the chain (BIP22).",
			Params: []Param{
				{Name: "hexdata", Type: Hex, Help: "The block."},
				{Name: "dummy", Type: Anything, Optional: true, Help: "Ignored; for clients that send BIP22's options."},
			},
			Result: "null where the block is now in the chain, else a word: duplicate, duplicate-invalid, inconclusive (kept, off the best chain) or the reason why it was refused.",
			run:    submitBlock,
		},
		{
			Name: "submitheader", Family: familyMining,
			Summary: "Hands a header to the chain; its block may come later.",
			Params:  []Param{{Name: "hexdata", Type: Hex, Help: "The 80 bytes of the header."}},
			Result:  "null",
			run:     submitHeader,
		},
	}
}

func submitBlock(c *call) (any, error) {
	b, failure := decodeBlockHex(c.text("hexdata", ""))
	if failure != nil {
		return nil, failure
	}
	if h := c.Chain.Header(b.Hash); h != nil {
		switch status := c.Chain.Status(h); {
		case h.Parent == nil || (status.Have() && status.Status&state.StatusBlockValid != 0):
			return "duplicate", nil
		case status.Failed():
			return "duplicate-invalid", nil
		}
	}
	if parent := c.Chain.Header(b.Msg.Header.PrevBlock); parent != nil {
		b = c.withWitnessNonce(b, parent.Height+1)
	}
	isNew, err := c.Chain.AcceptBlock(b)
	switch rule := check.AsRule(err); {
	case rule != nil:
		return string(rule.Code), nil
	case err != nil:
		return nil, errorf(CodeVerify, "%v", err)
	case !isNew:
		return "duplicate", nil
	}
	if h := c.Chain.Header(b.Hash); h == nil || !c.Chain.Contains(h) {
		return "inconclusive", nil
	}
	return nil, nil
}

const noCoinbase = "Block does not start with a coinbase"

func decodeBlockHex(text string) (*state.Block, *Error) {
	bad := errorf(CodeDeserialization, "Block decode failed")
	if len(text) > 2*params.MaxBlockBytes {
		return nil, bad
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, bad
	}
	b, err := state.DecodeBlock(raw)
	if err != nil {
		return nil, bad
	}
	if len(b.Msg.Transactions) == 0 || !block.IsCoinbase(b.Msg.Transactions[0]) {
		return nil, errorf(CodeDeserialization, noCoinbase)
	}
	return b, nil
}

// withWitnessNonce completes a block whose coinbase has the witness commitment
// but not the 32 zero bytes in its witness that go with it: some miners submit
// the coinbase without its witness.
func (c *call) withWitnessNonce(b *state.Block, height int32) *state.Block {
	coinbase := b.Msg.Transactions[0]
	if height < c.Rules.Net.SegwitHeight || len(coinbase.TxIn[0].Witness) != 0 ||
		block.WitnessCommitmentIndex(coinbase) < 0 {
		return b
	}
	msg := *b.Msg
	msg.Transactions = append(msg.Transactions[:0:0], b.Msg.Transactions...)
	msg.Transactions[0] = coinbase.Copy()
	msg.Transactions[0].TxIn[0].Witness = [][]byte{make([]byte, 32)}
	return state.NewBlock(&msg)
}

func submitHeader(c *call) (any, error) {
	raw, err := hex.DecodeString(c.text("hexdata", ""))
	if err != nil {
		return nil, errorf(CodeDeserialization, "Block header decode failed")
	}
	header, err := state.DecodeHeader(raw)
	if err != nil {
		return nil, errorf(CodeDeserialization, "Block header decode failed")
	}
	if c.Chain.Header(header.PrevBlock) == nil {
		return nil, errorf(CodeVerify, "Must submit previous header (%v) first", header.PrevBlock)
	}
	if _, err := c.Chain.AcceptHeader(header); err != nil {
		return nil, err // a broken rule is −25 with its reason
	}
	return nil, nil
}

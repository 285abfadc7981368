package rpc

import (
	"bufio"
	"bytes"
	"errors"

	"granary/rules/goods"
	"granary/rules/proof"
	"granary/state"
)

// maxProofDepth is how many blocks below the tip a proof may be made at: each
// has to be taken back in memory.
const maxProofDepth = 144

// auditPageBytes and headersPage bound one answer of the paged methods. They
// are variables for the tests alone, which have little to page through.
var (
	auditPageBytes = 1 << 20
	headersPage    = int32(8192)
)

func proofMethods() []Method {
	at := Param{
		Name: "blockhash", Type: Hash, Optional: true,
		Help: "The block whose coinbase commits to the state, in the active chain and at most 144 blocks deep; without it the last one.",
	}
	return []Method{
		{
			Name: "getgoodsproof", Family: familyGoods,
			Summary: "Makes a reserve proof: what the chain says of a receipt, for someone who holds block headers only.",
			Detail:  "A block commits to the goods state after the block before it, so a proof is one block older than getgoodsinfo.",
			Params: []Param{
				{Name: "receipt", Type: Integer, Optional: true, Help: "The receipt's number; without it the proof is of the reserve's sums alone."},
				at,
				{Name: "claims", Type: List, Optional: true, Help: "Numbers of claims on the receipt that are to be proved with it."},
			},
			Result: "An object: blockhash and height of the block that commits to the state, stateheight (the last block whose effects are in it), bytes (the length), proof (hex, a file for granary proof verify).",
			run:    getGoodsProof,
		},
		{
			Name: "verifygoodsproof", Family: familyGoods,
			Summary: "Checks a reserve proof against the active chain.",
			Detail:  "A proof that does not hold is an error. One whose block is not in the active chain proves nothing of this chain: inactivechain says so, and every label too.",
			Params:  []Param{{Name: "proof", Type: Hex, Help: "What getgoodsproof gave."}},
			Result:  "An object: blockhash, height, stateheight, time (Unix seconds), inactivechain, confirmations (blocks, -1 off the active chain), charter (its id), charterknown (here always true), name, ticker, and each with its label: sums (coins: R as reserve, D as redemption_base, C as redeeming; coverage in basis points of circulating, absent where nothing circulates), receipt, attested, custodian and claims (coins; quantities in the good's measure).",
			run:     verifyGoodsProof,
		},
		{
			Name: "getgoodsaudit", Family: familyGoods,
			Summary: "Gives a page of a whole audit file: every key of the goods state that a block commits to.",
			Detail:  "The pages of one block, joined, are a file for granary proof verify; granary proof make --all fetches them.",
			Params: []Param{
				at,
				{Name: "from", Type: Hex, Optional: true, Help: "What next of the page before was; without it the file begins."},
			},
			Result: "An object: blockhash, height, stateheight, data (hex, about a million bytes), next (hex; absent on the last page).",
			run:    getGoodsAudit,
		},
		{
			Name: "getgoodsheaders", Family: familyGoods,
			Summary: "Gives a page of a header file: charter and headers from block 1, against which proofs are checked.",
			Params: []Param{
				{Name: "blockhash", Type: Hash, Optional: true, Help: "The last header of the file; without it that of the tip."},
				{Name: "from", Type: Integer, Optional: true, Help: "What next of the page before was, a height; without it the file begins."},
			},
			Result: "An object: blockhash and height of the last header of the file, data (hex), next (a height; absent on the last page).",
			run:    getGoodsHeaders,
		},
	}
}

// provable finds the block that a proof is to be made at.
func (c *call) provable() (*state.Header, error) {
	if c.Rules.Charter == nil {
		return nil, errNoCharter
	}
	at := c.Chain.Tip()
	if !c.arg("blockhash").IsNull() {
		var err error
		if at, err = c.header("blockhash"); err != nil {
			return nil, err
		}
	}
	tip := c.Chain.Tip()
	switch {
	case at.Height < 1:
		return nil, errorf(CodeMisc, "Block 0 commits to no goods state: wait for block 1")
	case !tip.Descends(at):
		return nil, errorf(CodeInvalidAddress, "Block is not in the active chain any more: begin again")
	case tip.Height-at.Height > maxProofDepth:
		return nil, errorf(CodeMisc, "Block lies %d deep, proofs can be made for %d: begin again with a later one", tip.Height-at.Height, maxProofDepth)
	}
	return at, nil
}

// committed calls f with the goods state that the block of at commits to,
// which is that after its parent. trees says that f makes proofs.
func (c *call) committed(at *state.Header, trees bool, f func(then state.GoodsView) error) error {
	for {
		tip := c.Chain.Tip()
		if !tip.Descends(at) {
			return errorf(CodeInvalidAddress, "Block is not in the active chain any more: begin again")
		}
		past, err := c.wayBack(tip, at, trees)
		if err == nil {
			err = c.Chain.View(func(now *state.Header, v state.View) error {
				if now != tip {
					return errMoved
				}
				return f(past.Over(v))
			})
		}
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
}

// wayBack gives the way from tip to the state that the block of at commits to,
// with the nodes of the tree where f makes proofs.
func (c *call) wayBack(tip, at *state.Header, trees bool) (*proof.Past, error) {
	if trees {
		c.server.proofs.asked()
		past, err := c.server.proofs.get(c.ctx, c.Chain, tip, at)
		if err != nil && !errors.Is(err, errMoved) {
			return nil, errorf(CodeMisc, "No proof can be made at block %d: %v", at.Height, err)
		}
		return past, err
	}
	if past := c.server.proofs.known(tip, at); past != nil {
		return past, nil
	}
	undos, err := undosBack(c.Chain, tip, at)
	if err != nil {
		return nil, errorf(CodeMisc, "No audit can be made at block %d: %v", at.Height, err)
	}
	return proof.Leaves(undos), nil
}

// anchor makes the anchor of a block, given the state that it commits to.
func (c *call) anchor(b *state.Block, then state.GoodsView) (*proof.Anchor, error) {
	root, err := goods.Root(then)
	if err != nil {
		return nil, err
	}
	return proof.NewAnchor(c.Rules.Charter.ID(), b, root)
}

// subject reads what a proof is to be about.
func (c *call) subject() (s proof.Subject, err error) {
	natural := func(v Value, name string) (uint64, error) {
		n, err := v.int64()
		if err == nil && n < 0 {
			err = errorf(CodeInvalidParameter, "%s %d is negative", name, n)
		}
		return uint64(n), err
	}
	if v := c.arg("receipt"); !v.IsNull() {
		number, err := natural(v, "receipt")
		if err != nil {
			return s, err
		}
		s.Receipt = &number
	}
	const maxClaims = 64
	claims := c.arg("claims")
	if claims.Len() > maxClaims {
		return s, errorf(CodeInvalidParameter, "%d claims are too many for one proof, %d are allowed", claims.Len(), maxClaims)
	}
	for _, item := range claims.items {
		number, err := natural(item, "claim")
		if err != nil {
			return s, err
		}
		s.Claims = append(s.Claims, number)
	}
	return s, nil
}

func getGoodsProof(c *call) (any, error) {
	subject, err := c.subject()
	if err != nil {
		return nil, err
	}
	at, err := c.provable()
	if err != nil {
		return nil, err
	}
	block, err := c.readBlock(at)
	if err != nil {
		return nil, err
	}
	var encoded []byte
	err = c.committed(at, true, func(then state.GoodsView) error {
		keys, err := proof.Keys(c.Rules.Charter, then, subject)
		if err != nil {
			return err
		}
		anchor, err := c.anchor(block, then)
		if err != nil {
			return err
		}
		made, err := proof.Make(anchor, then, keys)
		if err == nil {
			encoded = made.Encode()
		}
		return err
	})
	if errors.Is(err, proof.ErrUnknown) {
		return nil, errorf(CodeInvalidAddress, "%v (after block %d)", err, at.Height-1)
	}
	if err != nil {
		return nil, err
	}
	return object{
		{"blockhash", at.Hash.String()},
		{"height", at.Height},
		{"stateheight", at.Height - 1},
		{"bytes", len(encoded)},
		{"proof", hexOf(encoded)},
	}, nil
}

func verifyGoodsProof(c *call) (any, error) {
	if c.Rules.Charter == nil {
		return nil, errNoCharter
	}
	raw, err := c.bytes("proof")
	if err != nil {
		return nil, err
	}
	if kind, err := proof.OpenFile(bufio.NewReader(bytes.NewReader(raw))); err == nil && kind != proof.KindProof {
		return nil, errorf(CodeDeserialization, "This is %v, not a reserve proof: use granary proof verify", kind)
	}
	p, err := proof.Decode(raw)
	if err != nil {
		return nil, errorf(CodeDeserialization, "%v", err)
	}
	facts, err := p.Verify(c.Rules.Charter)
	if err != nil {
		return nil, errorf(CodeVerify, "%v", err)
	}
	place := ProofPlace{Confirmations: -1}
	if h := c.Chain.Header(facts.Block.Hash); h != nil {
		if h.Height != facts.Block.Height {
			return nil, errorf(CodeVerify, "The block of the proof claims height %d, it is at %d", facts.Block.Height, h.Height)
		}
		if tip := c.Chain.Tip(); tip.Descends(h) {
			place = ProofPlace{Anchored: true, Confirmations: tip.Height - h.Height + 1}
		}
	}
	return ProofJSON(facts, place), nil
}

func getGoodsAudit(c *call) (any, error) {
	from := c.arg("from")
	var cursor []byte
	var err error
	if !from.IsNull() {
		if cursor, err = c.bytes("from"); err != nil {
			return nil, err
		}
		if state.CheckKey(cursor) != nil {
			return nil, errorf(CodeInvalidParameter, "from is not what a page before gave as next")
		}
	}
	at, err := c.provable()
	if err != nil {
		return nil, err
	}
	block := (*state.Block)(nil)
	if cursor == nil { // the first page
		if block, err = c.readBlock(at); err != nil {
			return nil, err
		}
	}
	var data, next []byte
	err = c.committed(at, block != nil, func(then state.GoodsView) error {
		data = nil
		if block != nil {
			anchor, err := c.anchor(block, then)
			if err != nil {
				return err
			}
			data = proof.AppendAuditStart(nil, c.Rules.Charter, anchor)
		}
		var err error
		data, next, err = proof.AppendAuditKeys(data, then, cursor, len(data)+auditPageBytes)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := object{{"blockhash", at.Hash.String()}, {"height", at.Height}, {"stateheight", at.Height - 1}}
	if next == nil {
		return append(out, member{"data", hexOf(proof.AppendAuditEnd(data))}), nil
	}
	return append(out, member{"data", hexOf(data)}, member{"next", hexOf(next)}), nil
}

func getGoodsHeaders(c *call) (any, error) {
	if c.Rules.Charter == nil {
		return nil, errNoCharter
	}
	last := c.Chain.Tip()
	var err error
	if !c.arg("blockhash").IsNull() {
		if last, err = c.header("blockhash"); err != nil {
			return nil, err
		}
	}
	from, err := c.int32("from", 0)
	if err != nil {
		return nil, err
	}
	if from < 0 || from > last.Height {
		return nil, errorf(CodeInvalidParameter, "from %d is not a height of the file, which ends at %d", from, last.Height)
	}
	var data []byte
	if from == 0 {
		data, from = proof.AppendHeadersStart(nil, c.Rules.Charter, uint32(last.Height)), 1
	}
	end := min(from+headersPage-1, last.Height)
	for height := from; height <= end; height++ {
		data = proof.AppendHeader(data, &last.Ancestor(height).Raw)
	}
	out := object{{"blockhash", last.Hash.String()}, {"height", last.Height}, {"data", hexOf(data)}}
	if end < last.Height {
		out = append(out, member{"next", end + 1})
	}
	return out, nil
}

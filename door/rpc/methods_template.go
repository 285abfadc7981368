package rpc

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/mine/template"
	"granary/params"
	"granary/rules/block"
	"granary/state"
)

// TemplateBuilder makes the blocks that getblocktemplate hands out.
type TemplateBuilder interface {
	Build(minerScript []byte, extraNonce uint64) (*template.Template, error)
}

var _ TemplateBuilder = (*template.Builder)(nil)

func templateMethods() []Method {
	return []Method{{
		Name: "getblocktemplate", Family: familyMining,
		Summary: "Gives what a miner needs to build the next block (BIP22, BIP23, BIP145), or judges a proposed block.",
		Detail:  "With longpollid in the request the answer waits until the tip moves, or, after a minute, until the mempool has changed. On a chain with a charter the coinbase has outputs of its own, listed under goods: coinbase_outputs in their order, of which the one at miner_output is the miner's and gets its script; coinbasevalue is what that output holds.",
		Params: []Param{{
			Name: "template_request", Type: Dict,
			Help: `An object: rules (["segwit"], and "signet" on signets), mode (template or proposal), capabilities, longpollid, data (the proposed block in hex).`,
		}},
		Result: "An object with capabilities, version, rules, vbavailable, vbrequired, previousblockhash, transactions (data, txid, hash, depends, fee in units, sigops, weight), coinbaseaux, coinbasevalue (units), longpollid, target, mintime, mutable, noncerange, sigoplimit, sizelimit, weightlimit, curtime, bits, height, default_witness_commitment. For a proposal: null, or the reason against it.",
		run:    getBlockTemplate,
	}}
}

// Error codes that only getblocktemplate gives.
const (
	codeNotConnected = -9
	codeInitialSync  = -10
)

func getBlockTemplate(c *call) (any, error) {
	request := c.arg("template_request")
	mode, _ := request.Get("mode")
	switch {
	case mode.kind == String && mode.text == "proposal":
		return c.judgeProposal(request)
	case mode.kind == String && mode.text == "template", mode.IsNull():
	default:
		return nil, errorf(CodeInvalidParameter, "Invalid mode")
	}
	if c.Templates == nil {
		return nil, errNoMiner
	}
	if err := c.mayWork(); err != nil {
		return nil, err
	}
	if id, given := request.Get("longpollid"); given && !id.IsNull() {
		if err := c.longPoll(id); err != nil {
			return nil, err
		}
	}
	if err := c.knowsRules(request); err != nil {
		return nil, err
	}
	return c.server.work.answer(c)
}

// mayWork refuses on the main network while the node is alone or far behind:
// work on such a tip would be lost. Other networks are made by their users.
func (c *call) mayWork() error {
	if c.Rules.Net.Name != "mainnet" || c.Rules.Charter != nil {
		return nil
	}
	switch {
	case c.connections() == 0:
		return errorf(codeNotConnected, "Granary is not connected!")
	case c.initialDownload(c.Chain.Tip()):
		return errorf(codeInitialSync, "Granary is in initial sync and waiting for blocks...")
	}
	return nil
}

func (c *call) knowsRules(request Value) error {
	known := map[string]bool{}
	list, _ := request.Get("rules")
	for _, v := range list.items {
		known[v.text] = true
	}
	if c.Rules.Net.SignetChallenge != nil && !known["signet"] {
		return errorf(CodeInvalidParameter, `getblocktemplate must be called with the signet rule set (call with {"rules": ["segwit", "signet"]})`)
	}
	if !known["segwit"] {
		return errorf(CodeInvalidParameter, `getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})`)
	}
	return nil
}

// Waiting for other work: the mempool is looked at after a minute, and then
// every ten seconds.
const (
	poolFirstLook = time.Minute
	poolNextLook  = 10 * time.Second
)

// longPoll waits until the work that id names is old.
func (c *call) longPoll(id Value) error {
	hash, sequence := c.Chain.Tip().Hash, c.Pool.Info().Sequence
	if id.kind == String && len(id.text) >= 2*chainhash.HashSize {
		var err error
		if hash, err = StringValue(id.text[:2*chainhash.HashSize]).hash("longpollid"); err != nil {
			return err
		}
		sequence, _ = strconv.ParseUint(id.text[2*chainhash.HashSize:], 10, 64) //nolint:errcheck // 0 as Core reads it
	}
	look := time.NewTimer(cmp.Or(c.server.work.firstLook, poolFirstLook))
	defer look.Stop()
	for {
		step, closed := c.server.tip.next()
		if closed {
			return errorf(codeNotConnected, "Shutting down")
		}
		if c.Chain.Tip().Hash != hash {
			return nil
		}
		select {
		case <-step:
		case <-look.C:
			if c.Pool.Info().Sequence != sequence {
				return nil
			}
			look.Reset(cmp.Or(c.server.work.nextLook, poolNextLook))
		case <-c.ctx.Done():
			return errorf(codeNotConnected, "Shutting down")
		}
	}
}

// judgeProposal holds a block without work to all other rules.
func (c *call) judgeProposal(request Value) (any, error) {
	data, _ := request.Get("data")
	if data.kind != String {
		return nil, errorf(CodeType, "Missing data String key for proposal")
	}
	b, failure := decodeBlockHex(data.text)
	if failure != nil {
		if failure.Message == noCoinbase {
			return "bad-cb-missing", nil // as Core judges it
		}
		return nil, failure
	}
	if h := c.Chain.Header(b.Hash); h != nil {
		switch status := c.Chain.Status(h); {
		case h.Parent == nil || status.Status&state.StatusBlockValid != 0:
			return "duplicate", nil
		case status.Failed():
			return "duplicate-invalid", nil
		}
		return "duplicate-inconclusive", nil
	}
	if b.Msg.Header.PrevBlock != c.Chain.Tip().Hash {
		return "inconclusive-not-best-prevblk", nil
	}
	err := c.Chain.View(func(tip *state.Header, v state.View) error { return c.tryBlock(b, tip, v) })
	if rule := check.AsRule(err); rule != nil {
		return string(rule.Code), nil
	}
	return nil, err
}

// tryBlock judges a block on the tip by every rule but its work.
func (c *call) tryBlock(b *state.Block, tip *state.Header, v state.View) error {
	if b.Msg.Header.PrevBlock != tip.Hash {
		return check.Rule("inconclusive-not-best-prevblk", "the tip has moved")
	}
	if err := c.Rules.CheckHeaderContext(&b.Msg.Header, tip, c.Clock.Now().Unix()); err != nil {
		return err
	}
	if err := c.Rules.CheckBlock(b); err != nil {
		return err
	}
	if err := c.Rules.CheckBlockContext(b, tip); err != nil {
		return err
	}
	_, _, _, err := c.Rules.Connect(b, state.NewHeader(&b.Msg.Header, tip), v, c.Scripts)
	return err
}

type templateTxJSON struct {
	Data    string `json:"data"`
	Txid    string `json:"txid"`
	Hash    string `json:"hash"`
	Depends []int  `json:"depends"`
	Fee     int64  `json:"fee"`
	SigOps  int64  `json:"sigops"`
	Weight  int64  `json:"weight"`
}

// templateTxs shows the transactions of a template, numbered from 1.
func templateTxs(t *template.Template, sigOpScale int64) ([]templateTxJSON, error) {
	txs := t.Block.Transactions[1:]
	out := make([]templateTxJSON, len(txs))
	numbers := make(map[chainhash.Hash]int, len(txs))
	for i, msg := range txs {
		raw, err := serializeTx(msg)
		if err != nil {
			return nil, err
		}
		txid := msg.TxHash()
		numbers[txid] = i + 1
		depends, seen := []int{}, map[int]bool{}
		for _, in := range msg.TxIn {
			if n := numbers[in.PreviousOutPoint.Hash]; n > 0 && !seen[n] {
				seen[n] = true
				depends = append(depends, n)
			}
		}
		out[i] = templateTxJSON{
			Data: hexOf(raw), Txid: txid.String(), Hash: msg.WitnessHash().String(), Depends: depends,
			Fee: t.Fees[i+1], SigOps: t.SigOpCosts[i+1] / sigOpScale, Weight: state.TxWeight(msg),
		}
	}
	return out, nil
}

// coinbaseValue is what the miner's output of a template holds at most.
func coinbaseValue(t *template.Template, r block.Rules) int64 {
	if r.Charter != nil {
		return t.FeesUnits
	}
	return t.FeesUnits + r.Net.SubsidyUnits(t.Height)
}

// shown is what a template says that does not change while it is valid.
func shownTemplate(t *template.Template, r block.Rules, longPollID string, txs any) object {
	scale, rules := int64(1), []string{"csv"}
	if t.Height >= r.Net.SegwitHeight {
		rules = append(rules, "!segwit", "taproot")
	} else {
		scale = params.WitnessScaleFactor
	}
	if r.Net.SignetChallenge != nil {
		rules = append(rules, "!signet")
	}
	out := object{
		{"capabilities", []string{"proposal"}},
		{"version", t.Block.Header.Version},
		{"rules", rules},
		{"vbavailable", object{}},
		{"vbrequired", 0},
		{"previousblockhash", t.Parent.Hash.String()},
		{"transactions", txs},
		{"coinbaseaux", object{}},
		{"coinbasevalue", coinbaseValue(t, r)},
		{"longpollid", longPollID},
		{"mutable", []string{"time", "transactions", "prevblock"}},
		{"noncerange", "00000000ffffffff"},
		{"sigoplimit", params.MaxBlockSigOpsCost / scale},
		{"sizelimit", params.MaxBlockBytes / scale},
	}
	if scale == 1 {
		out = append(out, member{"weightlimit", params.MaxBlockWeight})
	}
	out = append(out, member{"height", t.Height})
	if r.Net.SignetChallenge != nil {
		out = append(out, member{"signet_challenge", hexOf(r.Net.SignetChallenge)})
	}
	coinbase := t.Block.Transactions[0]
	if at := block.WitnessCommitmentIndex(coinbase); at >= 0 {
		out = append(out, member{"default_witness_commitment", hexOf(coinbase.TxOut[at].PkScript)})
	}
	if r.Charter != nil {
		out = append(out, member{"goods", charterCoinbase(t)})
	}
	return out
}

// charterCoinbase lists what the coinbase of a chain with a charter must pay.
func charterCoinbase(t *template.Template) object {
	type output struct {
		Value  int64  `json:"value"`
		Script string `json:"scriptPubKey"`
	}
	coinbase := t.Block.Transactions[0]
	outs, miner := []output{}, any(nil)
	commitment := block.WitnessCommitmentIndex(coinbase)
	for i, out := range coinbase.TxOut {
		switch {
		case i == commitment:
		case t.FeesUnits > 0 && out.Value == t.FeesUnits && string(out.PkScript) == string(placeholder):
			miner = i
			outs = append(outs, output{out.Value, ""})
		default:
			outs = append(outs, output{out.Value, hexOf(out.PkScript)})
		}
	}
	return object{
		{"coinbase_outputs", outs},
		{"miner_output", miner},
		{"coinbase_locktime", coinbase.LockTime},
		{"coinbase_sequence", coinbase.TxIn[0].Sequence},
	}
}

// placeholder stands where a template pays its miner.
var placeholder = []byte{op1}

func targetHex(bits uint32) string {
	target, _ := state.TargetOf(bits)
	return fmt.Sprintf("%064x", target.Bytes32())
}

package rpc

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

func statsMethods() []Method {
	return []Method{
		{
			Name: "getblockstats", Family: familyChain,
			Summary: "Gives figures about the transactions of a block of any branch.",
			Detail:  "Amounts are in units (satoshis); fee rates in units per vbyte. The coinbase counts only in outs, subsidy, txs and the utxo figures. The block and its undo data must not be pruned.",
			Params: []Param{
				{Name: "hash_or_height", Type: HashOrHeight, Help: "The block."},
				{Name: "stats", Type: List, Optional: true, Help: "Names of the figures that are wanted; all where this is absent."},
			},
			Result: "An object by figure: avgfee, avgfeerate, avgtxsize, blockhash, feerate_percentiles (10th, 25th, 50th, 75th, 90th by weight), height, ins, maxfee, maxfeerate, maxtxsize, medianfee, mediantime, mediantxsize, minfee, minfeerate, mintxsize, outs, subsidy, swtotal_size, swtotal_weight, swtxs, time, total_out, total_size, total_weight, totalfee, txs, utxo_increase, utxo_size_inc, utxo_increase_actual, utxo_size_inc_actual.",
			run:    getBlockStats,
		},
		{
			Name: "getchaintxstats", Family: familyChain,
			Summary: "Gives how many transactions the chain holds and at what rate they came.",
			Params: []Param{
				{Name: "nblocks", Type: Integer, Optional: true, Default: "one month", Help: "How many blocks the window has."},
				{Name: "blockhash", Type: Hash, Optional: true, Default: "the tip", Help: "The block that ends the window."},
			},
			Result: "An object with time (Unix seconds), txcount, window_final_block_hash, window_final_block_height, window_block_count, window_tx_count, window_interval (seconds), txrate (transactions per second).",
			run:    getChainTxStats,
		},
		{
			Name: "getdeploymentinfo", Family: familyChain,
			Summary: "Tells which of Bitcoin's rule changes hold in the block after a block.",
			Params:  []Param{{Name: "blockhash", Type: Hash, Optional: true, Default: "the tip", Help: "The block."}},
			Result:  "An object with hash, height and deployments: by name type, active, height, and for one of type bip9 the object bip9.",
			run:     getDeploymentInfo,
		},
	}
}

// blockOf finds the block that a hash or a height names.
func (c *call) blockOf(name string) (*state.Header, error) {
	v := c.arg(name)
	if v.kind != Number {
		return c.header(name)
	}
	height, err := c.int32(name, 0)
	if err != nil {
		return nil, err
	}
	tip := c.Chain.Tip()
	switch {
	case height < 0:
		return nil, errorf(CodeInvalidParameter, "Target block height %d is negative", height)
	case height > tip.Height:
		return nil, errorf(CodeInvalidParameter, "Target block height %d after current tip %d", height, tip.Height)
	}
	return tip.Ancestor(height), nil
}

func getBlockStats(c *call) (any, error) {
	h, err := c.blockOf("hash_or_height")
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, v := range c.arg("stats").items {
		if v.kind != String {
			return nil, errorf(CodeType, "%s", mismatch(v.kind, "string"))
		}
		wanted[v.text] = true
	}
	b, err := c.readBlock(h)
	if err != nil {
		return nil, err
	}
	undo := &state.Undo{}
	if h.Parent != nil {
		if undo, err = c.Chain.Undo(h); err != nil {
			return nil, errorf(CodeMisc, "Undo data expected but can't be read. This could be due to disk corruption or a conflict with a pruning event.")
		}
	}
	all := c.figuresOf(h, b, undo)
	if len(wanted) == 0 {
		return all, nil
	}
	var out object
	for _, m := range all {
		if wanted[m.key] {
			out = append(out, m)
			delete(wanted, m.key)
		}
	}
	for _, v := range c.arg("stats").items {
		if wanted[v.text] {
			return nil, errorf(CodeInvalidParameter, "Invalid selected statistic '%s'", clip(v.text))
		}
	}
	return out, nil
}

// figuresOf counts a block.
func (c *call) figuresOf(h *state.Header, b *state.Block, undo *state.Undo) object {
	s := blockStats{unspentCoinbase: h.Parent != nil && !c.Rules.Net.BIP30Exceptions[h.Hash]}
	for i := range b.Txids {
		var spent []*state.Coin
		if i > 0 && i <= len(undo.Spent) {
			spent = undo.Spent[i-1]
		}
		s.add(b.Tx(i), spent, i == 0)
	}
	perTx := func(sum int64) int64 { return sum / max(int64(len(b.Txids)-1), 1) }
	return object{
		{"avgfee", perTx(s.fees.sum)},
		{"avgfeerate", 4 * s.fees.sum / max(s.weight, 1)},
		{"avgtxsize", perTx(s.sizes.sum)},
		{"blockhash", h.Hash.String()},
		{"feerate_percentiles", s.percentiles()},
		{"height", h.Height},
		{"ins", s.inputs},
		{"maxfee", s.fees.highest()},
		{"maxfeerate", s.rates.highest()},
		{"maxtxsize", s.sizes.highest()},
		{"medianfee", s.fees.median()},
		{"mediantime", h.MedianTimePast()},
		{"mediantxsize", s.sizes.median()},
		{"minfee", s.fees.lowest()},
		{"minfeerate", s.rates.lowest()},
		{"mintxsize", s.sizes.lowest()},
		{"outs", s.outputs},
		{"subsidy", c.Rules.Net.SubsidyUnits(h.Height)},
		{"swtotal_size", s.witnessSize},
		{"swtotal_weight", s.witnessWeight},
		{"swtxs", s.witnessTxs},
		{"time", h.Raw.Timestamp.Unix()},
		{"total_out", s.outUnits},
		{"total_size", s.sizes.sum},
		{"total_weight", s.weight},
		{"totalfee", s.fees.sum},
		{"txs", len(b.Txids)},
		{"utxo_increase", s.outputs - s.inputs},
		{"utxo_size_inc", s.setBytes},
		{"utxo_increase_actual", s.created - s.inputs},
		{"utxo_size_inc_actual", s.setBytesActual},
	}
}

// chainWindow reads the arguments of getchaintxstats: the block at the end and
// how many blocks the window has.
func (c *call) chainWindow() (end *state.Header, blocks int32, err error) {
	end = c.Chain.Tip()
	if !c.arg("blockhash").IsNull() {
		if end, err = c.header("blockhash"); err != nil {
			return nil, 0, err
		}
		if !c.Chain.Contains(end) {
			return nil, 0, errorf(CodeInvalidParameter, "Block is not in main chain")
		}
	}
	if c.arg("nblocks").IsNull() {
		const monthSeconds = 30 * 24 * 60 * 60
		month := int32(monthSeconds / c.Rules.Net.SpacingSeconds)
		return end, max(0, min(month, end.Height-1)), nil
	}
	blocks, err = c.int32("nblocks", 0)
	if err == nil && (blocks < 0 || blocks > 0 && blocks >= end.Height) {
		err = errorf(CodeInvalidParameter, "Invalid block count: should be between 0 and the block's height - 1")
	}
	return end, blocks, err
}

func getChainTxStats(c *call) (any, error) {
	end, blocks, err := c.chainWindow()
	if err != nil {
		return nil, err
	}
	begin := end.Ancestor(end.Height - blocks)
	before := c.txsUpTo(begin)
	total := before
	for h := end; h != begin; h = h.Parent {
		total += c.txCount(h)
	}
	out := object{
		{"time", end.Raw.Timestamp.Unix()},
		{"txcount", total},
		{"window_final_block_hash", end.Hash.String()},
		{"window_final_block_height", end.Height},
		{"window_block_count", blocks},
	}
	if blocks == 0 {
		return out, nil
	}
	interval := end.MedianTimePast() - begin.MedianTimePast()
	out = append(out, member{"window_interval", interval}, member{"window_tx_count", total - before})
	if interval > 0 {
		out = append(out, member{"txrate", float(total-before) / float(interval)})
	}
	return out, nil
}

// txCount is the number of transactions in a block whose bytes are or were
// there.
func (c *call) txCount(h *state.Header) int64 {
	if h.Parent == nil {
		return 1
	}
	return int64(c.Chain.Status(h).TxCount)
}

// txsUpTo counts the transactions from genesis up to and with h. The last
// answer is remembered, since the same block is asked for again and again.
func (c *call) txsUpTo(h *state.Header) int64 {
	at, sum := c.server.txSum.get()
	from := int64(0)
	stop := chainhash.Hash{}
	if at != nil && h.Descends(at) {
		from, stop = sum, at.Hash
	}
	for walk := h; walk != nil && walk.Hash != stop; walk = walk.Parent {
		from += c.txCount(walk)
	}
	c.server.txSum.put(h, from)
	return from
}

// activeAfter reports that a rule which holds from a height on holds in the
// block after h.
func activeAfter(h *state.Header, height int32) bool { return h.Height+1 >= height }

func getDeploymentInfo(c *call) (any, error) {
	h := c.Chain.Tip()
	if !c.arg("blockhash").IsNull() {
		var err error
		if h, err = c.header("blockhash"); err != nil {
			return nil, err
		}
	}
	net, out := c.Rules.Net, object{}
	for _, d := range []struct {
		name   string
		height int32
	}{
		{"bip34", net.BIP34Height},
		{"bip66", net.BIP66Height},
		{"bip65", net.BIP65Height},
		{"csv", net.CSVHeight},
		{"segwit", net.SegwitHeight},
	} {
		out = append(out, member{d.name, object{
			{"type", "buried"}, {"active", activeAfter(h, d.height)}, {"height", d.height},
		}})
	}
	out = append(out, member{"taproot", taprootDeployment(h, net.TaprootHeight)})
	return object{{"hash", h.Hash.String()}, {"height", h.Height}, {"deployments", out}}, nil
}

// taprootDeployment shows taproot as Core does where it has always held; on
// the main network it is shown as buried at its height.
func taprootDeployment(h *state.Header, height int32) object {
	if height > 1 {
		return object{{"type", "buried"}, {"active", activeAfter(h, height)}, {"height", height}}
	}
	const always, never = -1, int64(1<<63 - 1)
	return object{
		{"type", "bip9"},
		{"active", true},
		{"height", 0},
		{"bip9", object{
			{"start_time", always},
			{"timeout", never},
			{"min_activation_height", 0},
			{"status", "active"},
			{"since", 0},
			{"status_next", "active"},
		}},
	}
}

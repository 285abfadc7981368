package rpc

import (
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/mempool"
	"granary/params"
	"granary/state"
)

func mempoolMethods() []Method {
	return []Method{
		{
			Name: "getrawmempool", Family: familyChain,
			Summary: "Lists the transactions that wait for a block.",
			Params: []Param{
				{Name: "verbose", Type: Boolean, Optional: true, Default: "false", Help: "Give each with its figures."},
				{Name: "mempool_sequence", Type: Boolean, Optional: true, Default: "false", Help: "Give the pool's sequence number too; not with verbose."},
			},
			Result: "An array of transaction ids; an object with txids and mempool_sequence; or an object by id, as getmempoolentry.",
			run:    getRawMempool,
		},
		{
			Name: "getmempoolentry", Family: familyChain,
			Summary: "Gives the figures of a waiting transaction.",
			Params:  []Param{{Name: "txid", Type: Hash, Help: "The transaction's id."}},
			Result:  "An object with vsize (vbytes), weight, time (Unix seconds), height, counts and sizes of ancestors and descendants, wtxid, fees (coins), depends, spentby, bip125-replaceable, unbroadcast.",
			run:     getMempoolEntry,
		},
		{
			Name: "getmempoolinfo", Family: familyChain,
			Summary: "Gives the state of the mempool as a whole.",
			Result:  "An object with loaded, size (transactions), bytes (vbytes), usage and maxmempool (bytes of memory), total_fee (coins), mempoolminfee, minrelaytxfee and incrementalrelayfee (coins per 1,000 vbytes), unbroadcastcount, fullrbf.",
			run:     getMempoolInfo,
		},
	}
}

type entryJSON struct {
	VSize           int64    `json:"vsize"`
	Weight          int64    `json:"weight"`
	Time            int64    `json:"time"`
	Height          int32    `json:"height"`
	DescendantCount int      `json:"descendantcount"`
	DescendantSize  int64    `json:"descendantsize"`
	AncestorCount   int      `json:"ancestorcount"`
	AncestorSize    int64    `json:"ancestorsize"`
	Wtxid           string   `json:"wtxid"`
	Fees            feesJSON `json:"fees"`
	Depends         []string `json:"depends"`
	SpentBy         []string `json:"spentby"`
	Replaceable     bool     `json:"bip125-replaceable"`
	Unbroadcast     bool     `json:"unbroadcast"`
}

type feesJSON struct {
	Base       amount `json:"base"`
	Modified   amount `json:"modified"`
	Ancestor   amount `json:"ancestor"`
	Descendant amount `json:"descendant"`
}

// entryJSON shows an entry; ok is false where it has just left the pool.
func (c *call) entryJSON(e *mempool.Entry) (out entryJSON, ok bool) {
	f, ok := c.Pool.Family(e.Tx.Txid)
	if !ok {
		return out, false
	}
	return entryJSON{
		VSize: e.VBytes, Weight: e.Weight, Time: e.Added.Unix(), Height: e.Height,
		DescendantCount: f.DescendantCount, DescendantSize: f.DescendantVBytes,
		AncestorCount: f.AncestorCount, AncestorSize: f.AncestorVBytes,
		Wtxid: e.Tx.Wtxid.String(),
		Fees: feesJSON{
			amount(e.FeeUnits), amount(f.ModifiedFeeUnits), amount(f.AncestorFeeUnits), amount(f.DescendantFeeUnits),
		},
		Depends: hashTexts(f.Depends), SpentBy: hashTexts(f.SpentBy), Replaceable: c.signalsReplacement(e),
		Unbroadcast: f.Unbroadcast,
	}, true
}

// signalsReplacement is BIP125's signal, of the transaction or an unconfirmed
// ancestor.
func (c *call) signalsReplacement(e *mempool.Entry) bool {
	if replaceable(e.Tx.Msg) {
		return true
	}
	for _, ancestor := range c.Pool.Ancestors(e.Tx.Txid) {
		if replaceable(ancestor.Tx.Msg) {
			return true
		}
	}
	return false
}

func hashTexts(hashes []chainhash.Hash) []string {
	out := make([]string, len(hashes))
	for i := range hashes {
		out[i] = hashes[i].String()
	}
	return out
}

func getRawMempool(c *call) (any, error) {
	verbose, withSequence := c.flag("verbose", false), c.flag("mempool_sequence", false)
	if verbose && withSequence {
		return nil, errorf(CodeInvalidParameter, "Verbose results cannot contain mempool sequence values.")
	}
	sequence := c.Pool.Info().Sequence
	entries := c.Pool.Entries()
	if verbose {
		out := object{}
		for _, e := range entries {
			if shown, ok := c.entryJSON(e); ok {
				out = append(out, member{e.Tx.Txid.String(), shown})
			}
		}
		return out, nil
	}
	txids := make([]string, len(entries))
	for i, e := range entries {
		txids[i] = e.Tx.Txid.String()
	}
	if withSequence {
		return object{{"txids", txids}, {"mempool_sequence", sequence + 1}}, nil
	}
	return txids, nil
}

func getMempoolEntry(c *call) (any, error) {
	txid, err := c.hash("txid")
	if err != nil {
		return nil, err
	}
	if e := c.Pool.Get(txid); e != nil {
		if out, ok := c.entryJSON(e); ok {
			return out, nil
		}
	}
	return nil, errorf(CodeInvalidAddress, "Transaction not in mempool")
}

func getMempoolInfo(c *call) (any, error) {
	info := c.Pool.Info()
	return object{
		{"loaded", c.mempoolLoaded()},
		{"size", info.Count},
		{"bytes", info.VBytes},
		{"usage", info.UsageBytes},
		{"total_fee", amount(info.TotalFeeUnits)},
		{"maxmempool", info.MaxBytes},
		{"mempoolminfee", amount(info.MinUnitsPerKVB)},
		{"minrelaytxfee", amount(info.RelayUnitsPerKVB)},
		{"incrementalrelayfee", amount(info.IncrementalUnitsPerKVB)},
		{"unbroadcastcount", info.Unbroadcast},
		{"fullrbf", info.FullReplacement},
	}, nil
}

// feeRateCap reads maxfeerate, in units per 1,000 vbytes; 0 takes any fee.
func (c *call) feeRateCap() (unitsPerKVB int64, err error) {
	unitsPerKVB, err = c.unitsOr("maxfeerate", params.UnitsPerCoin/10)
	if err == nil && unitsPerKVB >= params.UnitsPerCoin {
		err = errorf(CodeInvalidParameter, "Fee rates larger than or equal to 1BTC/kvB are not accepted")
	}
	return unitsPerKVB, err
}

// tooDear reports a fee above the cap, which counts plain vbytes.
func tooDear(e *mempool.Entry, tx *state.Tx, capUnitsPerKVB int64) bool {
	return capUnitsPerKVB > 0 && e.FeeUnits > capUnitsPerKVB*tx.VBytes()/1000
}

func sendRawTransaction(c *call) (any, error) {
	tx, ok := decodeTxHex(c.text("hexstring", ""), true, true)
	if !ok {
		return nil, errTxDecode
	}
	burnUnits, err := c.unitsOr("maxburnamount", 0)
	if err != nil {
		return nil, err
	}
	if burns(tx, burnUnits) {
		return nil, errBurn
	}
	capUnits, err := c.feeRateCap()
	if err != nil {
		return nil, err
	}
	if c.Pool.Get(tx.Txid) != nil {
		c.broadcast(tx.Txid)
		return tx.Txid.String(), nil
	}
	if confirmed, err := c.hasUnspent(tx); err != nil || confirmed {
		return nil, orError(err, errorf(CodeAlreadyInChain, "Transaction outputs already in utxo set"))
	}
	if capUnits > 0 {
		tried := c.Pool.TestAccept([]*state.Tx{tx})[0]
		if tried.Err != nil {
			return nil, rejection(tried.Err)
		}
		if tooDear(tried.Entry, tx, capUnits) {
			return nil, errorf(CodeVerify, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
		}
	}
	if _, err := c.Pool.Accept(tx); err != nil {
		return nil, rejection(err)
	}
	c.broadcast(tx.Txid)
	return tx.Txid.String(), nil
}

func orError(err, fallback error) error {
	if err != nil {
		return err
	}
	return fallback
}

// hasUnspent reports whether an output of tx is in the UTXO set.
func (c *call) hasUnspent(tx *state.Tx) (found bool, err error) {
	op := wire.OutPoint{Hash: tx.Txid}
	err = c.Chain.View(func(_ *state.Header, v state.View) error {
		for i := range tx.Msg.TxOut {
			op.Index = uint32(i)
			coin, err := v.Coin(op)
			if err != nil {
				return err
			}
			found = found || coin != nil
		}
		return nil
	})
	return found, err
}

// rejection says a refusal of the mempool in the terms of sendrawtransaction:
// −25 where inputs are not known, −26 for any other broken rule.
func rejection(err error) error {
	rule := check.AsRule(err)
	switch {
	case rule == nil:
		return err
	case rule.Kind == check.Unconnected:
		return errorf(CodeVerify, "%s", rule.Code)
	}
	return errorf(CodeVerifyRejected, "%s", refusalText(rule))
}

// refusalText is a reject reason with its detail, as Core writes it.
func refusalText(err error) string { return strings.Replace(err.Error(), ", (", " (", 1) }

// rejectReason is the reason alone, with the script error in parentheses that
// belongs to it.
func rejectReason(result *mempool.Result) string {
	reason := result.RejectReason()
	if rule := check.AsRule(result.Err); rule != nil && strings.HasPrefix(rule.Detail, "(") {
		if end := strings.Index(rule.Detail, ")"); end > 0 {
			reason += " " + rule.Detail[:end+1]
		}
	}
	return reason
}

type tryJSON struct {
	Txid         string       `json:"txid"`
	Wtxid        string       `json:"wtxid"`
	PackageError string       `json:"package-error,omitempty"`
	Allowed      *bool        `json:"allowed,omitempty"`
	VSize        int64        `json:"vsize,omitempty"`
	Fees         *tryFeesJSON `json:"fees,omitempty"`
	RejectReason string       `json:"reject-reason,omitempty"`
}

type tryFeesJSON struct {
	Base      amount   `json:"base"`
	Effective amount   `json:"effective-feerate"`
	Includes  []string `json:"effective-includes"`
}

// txOf reads one transaction of a list of them in hex.
func txOf(v *Value) (*state.Tx, error) {
	if v.kind != String {
		return nil, errorf(CodeType, "%s", mismatch(v.kind, "string"))
	}
	tx, ok := decodeTxHex(v.text, true, true)
	if !ok {
		return nil, errorf(CodeDeserialization, "TX decode failed: %s Make sure the tx has at least one input.", clip(v.text))
	}
	return tx, nil
}

func testMempoolAccept(c *call) (any, error) {
	given := c.arg("rawtxs").items
	if len(given) < 1 || len(given) > 25 {
		return nil, errorf(CodeInvalidParameter, "Array must contain between 1 and 25 transactions.")
	}
	capUnits, err := c.feeRateCap()
	if err != nil {
		return nil, err
	}
	txs := make([]*state.Tx, len(given))
	for i := range given {
		if txs[i], err = txOf(&given[i]); err != nil {
			return nil, err
		}
	}
	out := make([]tryJSON, len(txs))
	stopped := false
	for i, result := range c.Pool.TestAccept(txs) {
		out[i] = tryJSON{Txid: txs[i].Txid.String(), Wtxid: txs[i].Wtxid.String(), PackageError: result.PackageError}
		if result.Evaluated && !stopped {
			stopped = out[i].judge(&result, txs[i], capUnits)
		}
	}
	return out, nil
}

// judge fills in the verdict; stop says that later ones are left open because
// this one is too dear.
func (t *tryJSON) judge(result *mempool.Result, tx *state.Tx, capUnits int64) (stop bool) {
	allowed := result.Err == nil
	t.Allowed = &allowed
	switch {
	case !allowed:
		t.RejectReason = rejectReason(result)
	case tooDear(result.Entry, tx, capUnits):
		allowed, t.RejectReason = false, "max-fee-exceeded"
		return true
	default:
		e := result.Entry
		t.VSize = e.VBytes
		t.Fees = &tryFeesJSON{
			amount(e.FeeUnits), effectiveRate(result), includes(result),
		}
	}
	return false
}

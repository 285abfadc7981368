package rpc

import (
	"errors"
	"io/fs"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/mempool"
	"granary/mempool/policy"
	"granary/state"
)

func poolMethods() []Method {
	return []Method{
		{
			Name: "prioritisetransaction", Family: familyMining,
			Summary: "Adds to the fee by which a transaction is chosen; nothing is paid.",
			Params: []Param{
				{Name: "txid", Type: Hash, Help: "The transaction's id; it may come later."},
				{Name: "dummy", Type: JSON, Optional: true, Help: "0 or null, for old clients."},
				{Name: "fee_delta", Type: Integer, Optional: true, Help: "Units to add, or to take away where negative; must be given."},
			},
			Result: "true",
			run:    prioritiseTransaction,
		},
		{
			Name: "getprioritisedtransactions", Family: familyMining,
			Summary: "Lists the changes of prioritisetransaction.",
			Result:  "An object by txid: fee_delta (units), in_mempool, modified_fee (units, of one in the mempool).",
			run:     getPrioritisedTransactions,
		},
		{
			Name: "savemempool", Family: familyChain,
			Summary: "Writes the mempool to its file.",
			Result:  "An object with filename.",
			run:     saveMempool,
		},
		{
			Name: "importmempool", Family: familyChain,
			Summary: "Takes transactions from a file of a mempool, of this program or of Bitcoin Core.",
			Params: []Param{
				{Name: "filepath", Type: Text, Help: "The file."},
				{Name: "options", Type: Dict, Optional: true, Help: "use_current_time (default true), apply_fee_delta_priority (false), apply_unbroadcast_set (false)."},
			},
			Result: "An empty object.",
			run:    importMempool,
		},
		{
			Name: "submitpackage", Family: familyRawTx,
			Summary: "Puts a child and the parents that it pays for into the mempool.",
			Params: []Param{
				{Name: "package", Type: List, Help: "2 to 25 transactions in hex, the child last."},
				{Name: "maxfeerate", Type: Amount, Optional: true, Default: "0.10", Help: "Refuse above this fee, in coins per 1,000 vbytes; 0 takes any."},
				{Name: "maxburnamount", Type: Amount, Optional: true, Default: "0", Help: "Refuse where an unspendable output holds more than this, in coins."},
			},
			Result: "An object with package_msg, tx-results by wtxid (txid, other-wtxid, vsize, fees in coins, error) and replaced-transactions.",
			run:    submitPackage,
		},
	}
}

func prioritiseTransaction(c *call) (any, error) {
	txid, err := c.hash("txid")
	if err != nil {
		return nil, err
	}
	if dummy := c.arg("dummy"); !dummy.IsNull() {
		if units, ok := parseAmount(dummy.text); dummy.kind != Number || !ok || units != 0 {
			return nil, errorf(CodeInvalidParameter, "Priority is no longer supported, dummy argument to prioritisetransaction must be 0.")
		}
	}
	if c.arg("fee_delta").IsNull() {
		return nil, errorf(CodeMisc, "%s", c.method.Help())
	}
	delta, err := c.integer("fee_delta", 0)
	if err != nil {
		return nil, err
	}
	c.Pool.Prioritise(txid, delta)
	return true, nil
}

func getPrioritisedTransactions(c *call) (any, error) {
	out := object{}
	for _, p := range c.Pool.Priorities() {
		one := object{{"fee_delta", p.DeltaUnits}, {"in_mempool", p.Entry != nil}}
		if p.Entry != nil {
			one = append(one, member{"modified_fee", p.Entry.FeeUnits + p.DeltaUnits})
		}
		out = append(out, member{p.Txid.String(), one})
	}
	return out, nil
}

func saveMempool(c *call) (any, error) {
	switch {
	case !c.mempoolLoaded():
		return nil, errorf(CodeMisc, "The mempool was not loaded yet")
	case c.SaveMempool == nil:
		return nil, errorf(CodeMisc, "this node keeps no mempool file")
	}
	path, err := c.SaveMempool()
	if err != nil {
		return nil, errorf(CodeMisc, "Unable to dump mempool to disk: %v", err)
	}
	return object{{"filename", path}}, nil
}

func (c *call) mempoolLoaded() bool { return c.MempoolLoaded == nil || c.MempoolLoaded() }

func importMempool(c *call) (any, error) {
	options := mempool.LoadOptions{FreshTimes: true}
	given := c.arg("options")
	for i, key := range given.keys {
		target := map[string]*bool{
			"use_current_time": &options.FreshTimes, "apply_fee_delta_priority": &options.Deltas,
			"apply_unbroadcast_set": &options.Unbroadcast,
		}[key]
		v := given.items[i]
		switch {
		case target == nil:
			return nil, errorf(CodeType, "Unexpected key %s", clip(key))
		case v.kind == Bool:
			*target = v.truth
		case !v.IsNull():
			return nil, errorf(CodeType, "%s", mismatch(v.kind, "bool"))
		}
	}
	switch {
	case c.ImportMempool == nil:
		return nil, errorf(CodeMisc, "this node takes no mempool files")
	case c.initialDownload(c.Chain.Tip()):
		return nil, errorf(codeInitialSync, "Can only import the mempool after the block download and sync is done.")
	}
	switch _, err := c.ImportMempool(c.ctx, c.text("filepath", ""), options); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errorf(CodeMisc, "Unable to import mempool file: there is no such file")
	case err != nil:
		return nil, errorf(CodeMisc, "Unable to import mempool file: %v", err)
	}
	return object{}, nil
}

// packageTxs reads the transactions of submitpackage.
func (c *call) packageTxs() ([]*state.Tx, error) {
	given := c.arg("package").items
	if len(given) < 2 || len(given) > policy.MaxPackageTxs {
		return nil, errorf(CodeInvalidParameter, "Array must contain between 2 and %d transactions.", policy.MaxPackageTxs)
	}
	burnUnits, err := c.unitsOr("maxburnamount", 0)
	if err != nil {
		return nil, err
	}
	txs := make([]*state.Tx, len(given))
	for i := range given {
		if txs[i], err = txOf(&given[i]); err != nil {
			return nil, err
		}
		if burns(txs[i], burnUnits) {
			return nil, errBurn
		}
	}
	if !childWithParents(txs) {
		return nil, errorf(CodeVerify, "package topology disallowed. not child-with-parents or parents depend on each other.")
	}
	return txs, nil
}

var errBurn = errorf(CodeVerify, "Unspendable output exceeds maximum configured by user (maxburnamount)")

// burns reports an unspendable output of more than a sum.
func burns(tx *state.Tx, mostUnits int64) bool {
	for _, out := range tx.Msg.TxOut {
		if (state.Unspendable(out.PkScript) || !validOps(out.PkScript)) && out.Value > mostUnits {
			return true
		}
	}
	return false
}

// childWithParents reports that the last spends from all others, which do not
// spend from each other.
func childWithParents(txs []*state.Tx) bool {
	spends := func(tx *state.Tx) map[chainhash.Hash]bool {
		out := map[chainhash.Hash]bool{}
		for _, in := range tx.Msg.TxIn {
			out[in.PreviousOutPoint.Hash] = true
		}
		return out
	}
	child, parents := spends(txs[len(txs)-1]), txs[:len(txs)-1]
	for _, parent := range parents {
		from := spends(parent)
		for _, other := range parents {
			if from[other.Txid] {
				return false
			}
		}
		if !child[parent.Txid] {
			return false
		}
	}
	return true
}

func submitPackage(c *call) (any, error) {
	txs, err := c.packageTxs()
	if err != nil {
		return nil, err
	}
	capUnits, err := c.feeRateCap()
	if err != nil {
		return nil, err
	}
	result, err := c.Pool.SubmitPackage(txs, capUnits)
	if err != nil {
		return nil, err
	}
	shown := object{}
	for i := range result.Results {
		one := &result.Results[i]
		if one.Entry != nil {
			c.broadcast(one.Entry.Tx.Txid)
		}
		shown = append(shown, member{one.Tx.Wtxid.String(), packageTxJSON(one)})
	}
	return object{
		{"package_msg", result.Message}, {"tx-results", shown}, {"replaced-transactions", hashTexts(result.Replaced)},
	}, nil
}

func packageTxJSON(r *mempool.Result) object {
	out := object{{"txid", r.Tx.Txid.String()}}
	switch {
	case r.Other != nil:
		return append(out, member{"other-wtxid", r.Other.String()})
	case r.Err != nil:
		return append(out, member{"error", refusalText(r.Err)})
	case !r.Evaluated || r.Entry == nil:
		return append(out, member{"error", "package-not-validated"})
	}
	fees := object{{"base", amount(r.Entry.FeeUnits)}}
	if !r.Already {
		fees = append(fees, member{"effective-feerate", effectiveRate(r)}, member{"effective-includes", includes(r)})
	}
	return append(out, member{"vsize", r.Entry.VBytes}, member{"fees", fees})
}

// effectiveRate is the fee rate by which a transaction was judged.
func effectiveRate(r *mempool.Result) amount {
	return amount(r.EffectiveFeeUnits * 1000 / max(r.EffectiveVBytes, 1))
}

// includes are the wtxids of those that were judged together.
func includes(r *mempool.Result) []string {
	if len(r.Includes) == 0 {
		return []string{r.Tx.Wtxid.String()}
	}
	return hashTexts(r.Includes)
}

// broadcast marks a transaction of the pool as ours and announces it.
func (c *call) broadcast(txid chainhash.Hash) {
	if c.Net == nil {
		return
	}
	c.Pool.AddUnbroadcast(txid)
	c.Net.Broadcast(txid)
}

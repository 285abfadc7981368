package block

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
)

// Rules are the rules of one chain. The value is immutable, its methods are
// safe for concurrent use.
type Rules struct {
	Net     *params.Network
	Charter *params.Charter // nil: plain Bitcoin
}

// cleanup reports whether BIP54 holds: on every chain with a charter, from
// block 1.
func (r Rules) cleanup() bool { return r.Charter != nil }

// IsCoinbase reports whether a transaction has the form of a coinbase: one
// input, which spends nothing.
func IsCoinbase(tx *wire.MsgTx) bool {
	return len(tx.TxIn) == 1 && isNull(&tx.TxIn[0].PreviousOutPoint)
}

// isNull reports whether an outpoint is the one that names no output.
func isNull(op *wire.OutPoint) bool {
	return op.Index == wire.MaxPrevOutIndex && op.Hash == chainhash.Hash{}
}

// inTx says which transaction of a block broke a rule; other errors pass as
// they are.
func inTx(err error, index int, txid *chainhash.Hash) error {
	var rule *check.RuleError
	if !errors.As(err, &rule) {
		return err
	}
	named := *rule
	named.Detail = fmt.Sprintf("transaction %d (%v)", index, txid)
	if rule.Detail != "" {
		named.Detail += ": " + rule.Detail
	}
	return &named
}

// moneyRange reports whether an amount or sum is one that can be.
func moneyRange(units int64) bool { return units >= 0 && units <= params.MaxMoneyUnits }

package script

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// interpreter runs inputs of one transaction through btcsuite's script engine,
// sharing what it can between them. It is not safe for concurrent use.
//
// Where txscript v2.0.0 is known to differ from Bitcoin Core:
//   - Without DERSig it reads signatures more strictly than Core's lax reader.
//     Templates use the lax one; other scripts matter only for a mainnet block
//     below height 363,725 that Bitcoin never had.
//   - NullFail looks away where the key, or a number of the signature, is out
//     of range: a policy, which then lets a little more pass.
//   - Without CLTV (CSV), DiscourageUpgradableNops forbids its opcode; no set
//     of flags in use has the one without the other.
//   - It hashes the annex, and the output beside a SINGLE signature, again for
//     every signature of a tapscript. Checker steps through the scripts where
//     that would cost much (leafRun).
//   - A Schnorr S beyond the group order is reduced instead of refused. Nobody
//     can make such a signature hold; templates refuse it in any case.
type interpreter struct {
	tx       *wire.MsgTx
	spent    []*state.Coin
	prevouts *txscript.MultiPrevOutFetcher
	hashes   *txscript.TxSigHashes
	leaves   *leafRun // for tapscripts whose signatures sign much; nil: they run like others
}

// Interpret runs one input through btcsuite's interpreter alone: the slow
// oracle beside Checker, without its cache and its templates. It gives nil or
// a RuleError as Checker.Check does. job.Spent[i] is the coin of input i.
func Interpret(job *Job, input int) error {
	var vm interpreter
	vm.reset(job.Tx.Msg, job.Spent)
	return vm.judge(job, input, job.Flags, vm.run(input, job.Flags))
}

func (vm *interpreter) reset(tx *wire.MsgTx, spent []*state.Coin) {
	*vm = interpreter{tx: tx, spent: spent, leaves: vm.leaves}
}

// run gives the interpreter's own error, or nil where the input may spend. A
// panic inside the interpreter counts as a broken assumption and as a failed
// script: nothing that makes it panic is known to be valid.
func (vm *interpreter) run(input int, flags Flags) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			check.Assume(false)
			err = gaveUp{trouble}
		}
	}()
	if vm.prevouts == nil {
		vm.prepare()
	}
	if vm.leaves.suits(vm.tx, input, vm.spent[input].Script, flags) {
		engine, err := vm.newEngine(input, flags&^DiscourageUpgradablePubKeyType)
		if err != nil {
			return err
		}
		return vm.leaves.execute(engine, vm.tx.TxIn[input].Witness, input, flags)
	}
	engine, err := vm.newEngine(input, flags)
	if err != nil {
		return err
	}
	return engine.Execute()
}

func (vm *interpreter) newEngine(input int, flags Flags) (*txscript.Engine, error) {
	coin := vm.spent[input]
	return txscript.NewEngine(coin.Script, vm.tx, input, flags.forInterpreter(),
		nil, vm.hashes, coin.ValueUnits, vm.prevouts)
}

// gaveUp is a panic of the interpreter.
type gaveUp struct{ trouble any }

func (g gaveUp) Error() string { return fmt.Sprintf("the script interpreter gave up: %v", g.trouble) }

// prepare hashes what the inputs share. No signature cache is used: btcsuite's
// keeps one entry for each digest, so that the signatures of a multisig evict
// each other; our cache of whole inputs does better.
func (vm *interpreter) prepare() {
	vm.prevouts = txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range vm.tx.TxIn {
		coin := vm.spent[i]
		vm.prevouts.AddPrevOut(in.PreviousOutPoint, &wire.TxOut{Value: coin.ValueUnits, PkScript: coin.Script})
	}
	vm.hashes = txscript.NewTxSigHashes(vm.tx, vm.prevouts)
}

// The reject reasons of Bitcoin Core for scripts.
const (
	codeConsensus check.Code = "mandatory-script-verify-flag-failed"
	codePolicy    check.Code = "non-mandatory-script-verify-flag"
)

// judge turns the interpreter's error under flags into the house's: a policy
// failure where the consensus rules alone let the input pass. It gives nil for
// nil.
func (vm *interpreter) judge(job *Job, input int, flags Flags, failure error) error {
	if failure == nil {
		return nil
	}
	if flags&^ConsensusFlags != 0 {
		consensus := vm.run(input, flags&ConsensusFlags)
		if consensus == nil {
			return refusal(check.Policy, codePolicy, job, input, reasonOf(failure, flags))
		}
		failure = consensus
	}
	return refusal(check.Consensus, codeConsensus, job, input, reasonOf(failure, flags&ConsensusFlags))
}

// refusal words a failed input: "(reason), input 1 of <txid> (wtxid <wtxid>),
// spending <txid>:<index>".
func refusal(kind check.Kind, code check.Code, job *Job, input int, reason string) error {
	return check.RuleKind(kind, code, "(%s), input %d of %v (wtxid %v), spending %v",
		reason, input, job.Tx.Txid, job.Tx.Wtxid, job.Tx.Msg.TxIn[input].PreviousOutPoint)
}

// reasonOf names the interpreter's error as Bitcoin Core does.
func reasonOf(err error, flags Flags) string {
	var scriptErr txscript.Error
	if panicked := (gaveUp{}); errors.As(err, &panicked) {
		return panicked.Error()
	} else if !errors.As(err, &scriptErr) {
		return reasonSchnorr // a taproot key or signature that does not parse
	}
	if scriptErr.ErrorCode == txscript.ErrMinimalData && flags&MinimalData == 0 {
		return reasonUnknown
	}
	if reason, ok := reasons[scriptErr.ErrorCode]; ok {
		return reason
	}
	return scriptErr.Error()
}

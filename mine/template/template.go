package template

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/clock"
	"granary/base/hash"
	"granary/mempool"
	"granary/params"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
)

// ErrSealed says that blocks of this chain need signatures that this node
// cannot make.
var ErrSealed = errors.New("this signet's blocks are sealed by its challenge's keys, which this node does not hold: follow it with granary node, or mine a chain with an open challenge")

// Chain is what a template needs of the engine.
type Chain interface {
	// View calls f with the tip and the state after it, which stand still
	// until f returns.
	View(f func(tip *state.Header, v state.View) error) error
}

// Pool is where transactions come from.
type Pool interface {
	// Candidates lists what waits, parents before children.
	Candidates() []mempool.Candidate
	// BestCandidates lists the part of it whose rates are the best up to about
	// a weight; all says that this is everything.
	BestCandidates(weight int64) (list []mempool.Candidate, all bool)
}

// Options are the parts that a Builder is made of.
type Options struct {
	Chain Chain
	Pool  Pool // nil: blocks with no transactions but those given
	// Vault lets the builder draw by itself; nil leaves draws to the pool.
	Vault *Vault
	Rules block.Rules
	// Scripts checks the scripts of transactions given to BuildWith; those
	// of the pool are checked already. nil skips it.
	Scripts *script.Checker
	Clock   clock.Clock // nil: the machine's
}

// Builder makes templates. Its methods are safe for concurrent use.
type Builder struct{ o Options }

// NewBuilder puts the parts together.
func NewBuilder(o Options) *Builder {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	return &Builder{o}
}

// Template is a block that lacks only its work. It belongs to the caller.
type Template struct {
	Block  *wire.MsgBlock
	Parent *state.Header
	Height int32
	// FeesUnits is what the transactions pay, and Fees, SigOpCosts by
	// transaction, the coinbase (0) included.
	FeesUnits  int64
	Fees       []int64
	SigOpCosts []int64
	Weight     int64

	rules  block.Rules
	script []byte           // of the coinbase, without the extra nonce
	branch []chainhash.Hash // from the coinbase to the Merkle root
}

// Build makes the block on top of the tip whose coinbase pays minerScript.
// extraNonce tells templates on the same tip apart. ErrSealed says that this
// chain cannot be mined here; any other error is the world's, or says that the
// miner's script cannot be paid.
func (b *Builder) Build(minerScript []byte, extraNonce uint64) (*Template, error) {
	if b.o.Vault != nil && open(b.o.Rules.Net.SignetChallenge) {
		if err := b.o.Vault.ready(); err != nil {
			return nil, err
		}
	}
	var candidates []mempool.Candidate
	if b.o.Pool != nil {
		best, all := b.o.Pool.BestCandidates(chosenFrom)
		if !all {
			t, err := b.build(minerScript, extraNonce, func(d *draft) error { return d.chooseBest(best) })
			if !errors.Is(err, errWantsAll) {
				return t, err
			}
			best = b.o.Pool.Candidates()
		}
		candidates = best
	}
	return b.build(minerScript, extraNonce, func(d *draft) error { return d.choose(candidates) })
}

// BuildWith makes the block on top of the tip with exactly these
// transactions, in this order (generateblock). A RuleError says which of them
// cannot stand there and why.
func (b *Builder) BuildWith(minerScript []byte, extraNonce uint64, txs []*state.Tx) (*Template, error) {
	return b.build(minerScript, extraNonce, func(d *draft) error {
		for _, tx := range txs {
			if err := d.include(tx); err != nil {
				return err
			}
		}
		return d.checkScripts(b.o.Scripts)
	})
}

func (b *Builder) build(minerScript []byte, extraNonce uint64, fill func(*draft) error) (*Template, error) {
	if !open(b.o.Rules.Net.SignetChallenge) {
		return nil, ErrSealed
	}
	if len(minerScript) > params.MaxScriptBytes {
		return nil, fmt.Errorf("the miner's script has %d bytes, the most is %d", len(minerScript), params.MaxScriptBytes)
	}
	var t *Template
	err := b.o.Chain.View(func(tip *state.Header, v state.View) error {
		d, err := b.begin(tip, v, minerScript)
		if err != nil {
			return err
		}
		if err := fill(d); err != nil {
			return err
		}
		t, err = d.finish(extraNonce)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// open reports whether a signet challenge is met by an empty solution: the
// forms that need no key are `1` and `<salt> DROP 1`. nil is no signet.
func open(challenge []byte) bool {
	if challenge == nil {
		return true
	}
	tokens := txscript.MakeScriptTokenizer(0, challenge)
	ops := make([]byte, 0, 3)
	for tokens.Next() && len(ops) < 4 {
		ops = append(ops, tokens.Opcode())
	}
	if tokens.Err() != nil {
		return false
	}
	switch len(ops) {
	case 1:
		return ops[0] == txscript.OP_TRUE
	case 3:
		return ops[0] <= txscript.OP_PUSHDATA4 && ops[1] == txscript.OP_DROP && ops[2] == txscript.OP_TRUE
	}
	return false
}

// maxExtraNonceBytes is what SetExtraNonce puts behind the height.
const maxExtraNonceBytes = 8

// SetExtraNonce gives the coinbase another number, and with it the header
// another Merkle root: a fresh search space.
func (t *Template) SetExtraNonce(n uint64) {
	sigScript := slices.Clone(t.script)
	sigScript = append(sigScript, maxExtraNonceBytes)
	coinbase := t.Block.Transactions[0]
	coinbase.TxIn[0].SignatureScript = binary.LittleEndian.AppendUint64(sigScript, n)
	t.Block.Header.MerkleRoot = hash.RootFromBranch(coinbase.TxHash(), t.branch, 0)
}

// SetTime moves the header's time to now, or to the earliest that the rules
// allow, and the difficulty with it.
func (t *Template) SetTime(now time.Time) {
	seconds := max(now.Unix(), minTime(t.rules, t.Parent))
	t.Block.Header.Timestamp = time.Unix(seconds, 0)
	t.Block.Header.Bits = t.rules.NextBits(t.Parent, seconds)
}

// minTime is the earliest time of a block below parent: after the median of
// the past, and not far back where a difficulty period begins or ends.
func minTime(r block.Rules, parent *state.Header) int64 {
	earliest := parent.MedianTimePast() + 1
	before := parent.Raw.Timestamp.Unix()
	height, interval := parent.Height+1, r.Net.RetargetInterval()
	if height%interval == 0 {
		if r.Net.EnforceBIP94 {
			earliest = max(earliest, before-params.TimewarpGraceSeconds)
		}
		if r.Charter != nil {
			earliest = max(earliest, before-params.BIP54TimewarpGraceSeconds)
		}
	}
	if r.Charter != nil && height%interval == interval-1 {
		earliest = max(earliest, parent.Ancestor(height-interval+1).Raw.Timestamp.Unix())
	}
	return earliest
}

// coinbase makes the coinbase without the witness commitment.
func coinbase(r block.Rules, height int32, v state.View, feesUnits int64, minerScript []byte) (*wire.MsgTx, error) {
	tx := wire.NewMsgTx(2)
	sigScript := append(slices.Clone(block.HeightScript(height)), maxExtraNonceBytes)
	sigScript = append(sigScript, make([]byte, maxExtraNonceBytes)...)
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  sigScript, Sequence: wire.MaxTxInSequenceNum,
	})
	subsidy := r.Net.SubsidyUnits(height)
	if r.Charter == nil {
		tx.AddTxOut(wire.NewTxOut(subsidy+feesUnits, minerScript))
		return tx, nil
	}
	outs, err := goods.CoinbaseOutputs(r.Charter, height, v, subsidy, feesUnits, minerScript)
	if err != nil {
		return nil, err
	}
	tx.TxOut = outs
	tx.LockTime = uint32(height - 1)
	tx.TxIn[0].Sequence = wire.MaxTxInSequenceNum - 1
	return tx, nil
}

// selfTest holds the finished block to all rules but work and scripts. A
// failure is our own mistake, and nothing is handed out.
func selfTest(r block.Rules, msg *wire.MsgBlock, parent *state.Header, v state.View) error {
	b := state.NewBlock(msg)
	err := r.CheckBlock(b)
	if err == nil {
		err = r.CheckBlockContext(b, parent)
	}
	if err == nil {
		_, _, _, err = r.Connect(b, state.NewHeader(&msg.Header, parent), v, nil)
	}
	if rule := check.AsRule(err); rule != nil {
		return fmt.Errorf("the new block does not pass its own test, nothing was mined: %w", err)
	}
	return err
}

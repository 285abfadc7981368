package chain

import (
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
	"granary/store"
)

// UTXOStats are the figures of gettxoutsetinfo.
type UTXOStats = store.Stats

// HashKind says which hash of the UTXO set is wanted.
type HashKind = store.HashKind

// The hashes of the UTXO set.
const (
	HashNone        = store.HashNone
	HashSerialized3 = store.HashSerialized3
	HashMuHash      = store.HashMuHash
)

// UTXOStats counts the whole UTXO set as it is after one block, which the
// figures name. Everybody may go on meanwhile, the chain too. Close ends the
// walk with ErrClosed.
func (e *Engine) UTXOStats(kind HashKind) (stats UTXOStats, err error) {
	err = e.frozen(nil, func(s *store.Snapshot) error {
		stats, err = s.Stats(kind)
		return err
	})
	return stats, err
}

// RangeCoins calls f for every coin after one block, in ascending order of
// txid bytes and output, until f returns false. The chain goes on meanwhile,
// and f may call the Engine as it likes. Close ends the walk with ErrClosed.
func (e *Engine) RangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error {
	return e.frozen(nil, func(s *store.Snapshot) error { return s.RangeCoins(f) })
}

// Settle waits until the engine has done, and the followers have heard of,
// everything that was asked before.
func (e *Engine) Settle() error { return e.control(func() error { return nil }) }

// WalkCoins is RangeCoins for whoever must know after which block: begin hears
// it before the first coin.
func (e *Engine) WalkCoins(begin func(tip *state.Header), f func(op wire.OutPoint, c *state.Coin) bool) error {
	var tip *state.Header
	note := func() error {
		tip = e.Tip()
		return nil
	}
	return e.frozen(note, func(s *store.Snapshot) error {
		begin(tip)
		return s.RangeCoins(f)
	})
}

// StateHash is one hash of everything that the tip determines; see
// store.Snapshot.StateHash. It costs what UTXOStats costs.
func (e *Engine) StateHash() (hash chainhash.Hash, err error) {
	err = e.frozen(nil, func(s *store.Snapshot) error {
		hash, err = s.StateHash()
		return err
	})
	return hash, err
}

// frozen commits what waits, freezes the state and calls f with it. No lock is
// held: the chain goes on while f runs. first, which may be nil, runs on the
// engine's goroutine at the tip that is going to be frozen.
func (e *Engine) frozen(first func() error, f func(*store.Snapshot) error) (err error) {
	var snapshot *store.Snapshot
	err = e.control(func() (err error) {
		if err = e.commit(); err == nil && first != nil {
			err = first()
		}
		if err != nil {
			return err
		}
		snapshot, err = e.store.Snapshot(e.goOn)
		return e.world(err, "the state could not be frozen")
	})
	if snapshot == nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	if err != nil {
		return err // the engine failed when it had frozen the state
	}
	return f(snapshot)
}

// EndWalks ends with ErrClosed every walk over the whole state that runs or is
// begun from now on (UTXOStats, RangeCoins, StateHash, VerifyChain, Check). It
// is for whoever waits for callers before Close.
func (e *Engine) EndWalks() { e.walksEnded.Store(true) }

// mayWalk is ErrClosed once walks are to end.
func (e *Engine) mayWalk() error {
	if e.walksEnded.Load() || e.stopping() {
		return ErrClosed
	}
	return nil
}

// goOn is mayWalk as the walks over frozen states ask it.
func (e *Engine) goOn() error {
	if e.walking != nil {
		e.walking()
	}
	return e.mayWalk()
}

// SizeOnDisk is the length of the block and undo files in bytes.
func (e *Engine) SizeOnDisk() int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store.FileBytes()
}

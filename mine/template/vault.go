package template

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/chain"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// VaultChain is what a Vault needs of the engine.
type VaultChain interface {
	Chain
	// RangeCoins calls f for every coin after some block that is not below
	// the tip at the call, until f returns false. The chain may go on.
	RangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error
}

// Vault remembers from where to where a new block can draw: the outputs of the
// pool and the receipts with undrawn measures. It reads the whole state once,
// for the first block that is built, and follows the chain from then on, so
// that a node which never mines pays nothing for it.
//
// All that it knows are hints: it may name what is spent or drawn already, and
// the state has the last word. So it needs no undo of its own, and a block in
// between costs a draw at most.
//
// Its methods are safe for concurrent use. Vault.mu comes after the engine's
// read lock and is never held while the engine is called.
type Vault struct {
	chain    VaultChain
	treasury []byte

	reading sync.Mutex // held while the whole state is read

	mu        sync.Mutex
	following bool // blocks are taken note of
	complete  bool // and so was everything before
	purse     purse
	receipts  receiptList
}

// NewVault makes a Vault for the chain of charter. It must become a follower
// of that chain.
func NewVault(c VaultChain, charter *params.Charter) *Vault {
	return &Vault{chain: c, treasury: goods.TreasuryScript(charter.ID())}
}

// ready makes the Vault complete where the next block may hold a draw. The
// first call reads the whole state.
func (v *Vault) ready() error {
	v.reading.Lock()
	defer v.reading.Unlock()
	if v.startReading() {
		return nil
	}
	var next int32
	err := v.chain.View(func(tip *state.Header, _ state.View) error {
		next = tip.Height + 1
		return nil
	})
	if err != nil || next < params.GoodsStartHeight {
		return err
	}
	if err := v.readCoins(); err != nil {
		return fmt.Errorf("reading the pool's outputs: %w", err)
	}
	if err := v.readReceipts(); err != nil {
		return fmt.Errorf("reading the receipts: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.complete = true
	return nil
}

// startReading reports that nothing is to be read; otherwise it forgets what
// it knows and listens to the chain.
func (v *Vault) startReading() (complete bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.complete && !v.purse.short() {
		return true
	}
	v.following, v.complete = true, false
	v.purse, v.receipts = purse{}, receiptList{}
	return false
}

// readCoins takes note of every treasury output there is.
func (v *Vault) readCoins() error {
	return v.chain.RangeCoins(func(op wire.OutPoint, c *state.Coin) bool {
		if bytes.Equal(c.Script, v.treasury) {
			v.mu.Lock()
			v.purse.put(op, c.ValueUnits)
			v.mu.Unlock()
		}
		return true
	})
}

// receiptsPerRead is for how many receipts the chain stands still.
const receiptsPerRead = 10_000

// readReceipts takes note of every receipt with undrawn measures.
func (v *Vault) readReceipts() error {
	from, to := state.ReceiptKeys()
	for from != nil {
		var next []byte
		seen := 0
		err := v.chain.View(func(_ *state.Header, view state.View) error {
			var failed error
			err := view.GoodsRange(from, to, func(key, value []byte) bool {
				if seen == receiptsPerRead {
					next = bytes.Clone(key)
					return false
				}
				seen++
				failed = v.noteReceipt(key, value)
				return failed == nil
			})
			if err == nil {
				err = failed
			}
			return err
		})
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

func (v *Vault) noteReceipt(key, value []byte) error {
	r, err := state.DecodeReceipt(key, value)
	if err != nil || r.Undrawn == 0 {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.receipts.put(hintOf(r))
	return nil
}

// Connect implements chain.Follower.
func (v *Vault) Connect(ev *chain.Event) error { return v.follow(ev) }

// Disconnect implements chain.Follower.
func (v *Vault) Disconnect(ev *chain.Event) error { return v.follow(ev) }

// Prune implements chain.Follower.
func (v *Vault) Prune(int32) error { return nil }

// follow takes note of what a block changed, forwards or back.
func (v *Vault) follow(ev *chain.Event) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.following {
		return nil
	}
	for i := range ev.Undo.Goods {
		if err := v.followGoods(&ev.Undo.Goods[i], ev.Connected); err != nil {
			return err
		}
	}
	for i, tx := range ev.Block.Msg.Transactions {
		if ev.Connected {
			v.followOutputs(ev.Block, i)
			continue
		}
		for j := range tx.TxOut {
			v.purse.drop(outpoint(ev.Block, i, j))
		}
	}
	for i, tx := range ev.Block.Msg.Transactions[1:] {
		for j, in := range tx.TxIn {
			coin := ev.Undo.Spent[i][j]
			if !bytes.Equal(coin.Script, v.treasury) {
				continue
			}
			if ev.Connected {
				v.purse.drop(in.PreviousOutPoint)
			} else {
				v.purse.put(in.PreviousOutPoint, coin.ValueUnits)
			}
		}
	}
	return nil
}

// followOutputs takes note of the treasury outputs of one transaction; bonds
// and escrows are told from the pool when they are looked at.
func (v *Vault) followOutputs(b *state.Block, at int) {
	for i, out := range b.Msg.Transactions[at].TxOut {
		if bytes.Equal(out.PkScript, v.treasury) {
			v.purse.put(outpoint(b, at, i), out.Value)
		}
	}
}

// followGoods takes note of a receipt with undrawn measures, of the escrow of a
// claim that is gone (it is pool where the goods were delivered), and of what
// changes the worth of goods.
func (v *Vault) followGoods(change *state.GoodsChange, connected bool) error {
	now := change.New
	if !connected {
		now = change.Old
	}
	receipts, _ := state.ReceiptKeys()
	claims, _ := state.ClaimKeys()
	switch {
	case bytes.HasPrefix(change.Key, state.KeyGood(0)[:1]), bytes.HasPrefix(change.Key, state.KeyPending(0)[:1]),
		bytes.HasPrefix(change.Key, state.KeyParameters()):
		v.receipts.revalue()
	case bytes.HasPrefix(change.Key, receipts) && now != nil:
		r, err := state.DecodeReceipt(change.Key, now)
		if err == nil && r.Undrawn > 0 {
			v.receipts.put(hintOf(r))
		}
		return err
	case bytes.HasPrefix(change.Key, claims) && now == nil && connected:
		c, err := state.DecodeClaim(change.Key, change.Old)
		if err == nil && c.EscrowUnits > 0 {
			v.purse.put(c.Escrow, c.EscrowUnits)
		}
		return err
	}
	return nil
}

func outpoint(b *state.Block, tx, output int) wire.OutPoint {
	return wire.OutPoint{Hash: b.Txids[tx], Index: uint32(output)}
}

var (
	_ chain.Follower = (*Vault)(nil)
	_ VaultChain     = (*chain.Engine)(nil)
)

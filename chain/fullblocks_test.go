package chain

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/blockchain/fullblocktests"
	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/state"
)

// fullBlockCodes maps btcd's error codes to the reject reasons of Bitcoin
// Core, which are ours.
var fullBlockCodes = map[blockchain.ErrorCode]check.Code{
	blockchain.ErrMissingTxOut:         "bad-txns-inputs-missingorspent",
	blockchain.ErrBadCoinbaseValue:     "bad-cb-amount",
	blockchain.ErrTooManySigOps:        "bad-blk-sigops",
	blockchain.ErrImmatureSpend:        "bad-txns-premature-spend-of-coinbase",
	blockchain.ErrBlockTooBig:          "bad-blk-length",
	blockchain.ErrBadCoinbaseScriptLen: "bad-cb-length",
	blockchain.ErrFirstTxNotCoinbase:   "bad-cb-missing",
	blockchain.ErrNoTransactions:       "bad-blk-length",
	blockchain.ErrHighHash:             "high-hash",
	blockchain.ErrTimeTooNew:           "time-too-new",
	blockchain.ErrTimeTooOld:           "time-too-old",
	blockchain.ErrBadMerkleRoot:        "bad-txnmrklroot",
	blockchain.ErrUnexpectedDifficulty: "bad-diffbits",
	blockchain.ErrMultipleCoinbases:    "bad-cb-multiple",
	blockchain.ErrDuplicateTx:          "bad-txns-duplicate",
	blockchain.ErrSpendTooHigh:         "bad-txns-in-belowout",
	blockchain.ErrBadCoinbaseHeight:    "bad-cb-height",
	blockchain.ErrOverwriteTx:          "bad-txns-BIP30",
	blockchain.ErrUnfinalizedTx:        "bad-txns-nonfinal",
}

// TestFullBlocks drives btcd's full-block scenarios against the engine. btcd
// keeps blocks without parent; here the test does, and hands them over when
// the parent has come. GRANARY_LONG=1 adds the reorganisation of a thousand
// full blocks.
func TestFullBlocks(t *testing.T) {
	groups, err := fullblocktests.Generate(os.Getenv("GRANARY_LONG") != "")
	if err != nil {
		t.Fatal(err)
	}
	f := &fullBlocks{t: t, world: newWorld(t), orphans: make(map[chainhash.Hash][]*state.Block)}
	f.world.clock.Set(time.Now())
	f.world.engine.moved = f.moved
	for _, group := range groups {
		for _, item := range group {
			f.play(item)
		}
	}
	if f.accepted < 140 || f.rejected < 45 || f.looked != 3 {
		t.Errorf("only %d blocks accepted, %d rejected, %d outputs looked at", f.accepted, f.rejected, f.looked)
	}
	if err := f.world.engine.VerifyChain(4, 0); err != nil {
		t.Error(err)
	}
}

type fullBlocks struct {
	t       *testing.T
	world   *world
	orphans map[chainhash.Hash][]*state.Block // by parent
	watches []fullblocktests.BlockDisconnectExpectUTXO

	accepted, rejected, looked int
}

// submit hands over a block and the orphans that waited for it; the first
// error counts, as it does in btcd.
func (f *fullBlocks) submit(b *state.Block) (orphan bool, err error) {
	_, err = f.world.engine.AcceptBlock(b)
	if rule := check.AsRule(err); rule != nil && rule.Kind == check.Unconnected {
		parent := b.Msg.Header.PrevBlock
		f.orphans[parent] = append(f.orphans[parent], b)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for _, child := range f.orphans[b.Hash] {
		if _, err := f.submit(child); err != nil {
			return false, err
		}
	}
	delete(f.orphans, b.Hash)
	return false, nil
}

func (f *fullBlocks) play(item fullblocktests.TestInstance) {
	engine := f.world.engine
	switch item := item.(type) {
	case fullblocktests.AcceptedBlock:
		b := state.NewBlock(item.Block)
		orphan, err := f.submit(b)
		h := engine.Header(b.Hash)
		if err != nil || orphan != item.IsOrphan || !orphan && engine.Contains(h) != item.IsMainChain {
			f.t.Errorf("%s: %v, orphan %v want %v, main chain want %v", item.Name, err, orphan, item.IsOrphan, item.IsMainChain)
		}
		f.accepted++
	case fullblocktests.RejectedBlock:
		want, ok := fullBlockCodes[item.RejectCode]
		b := state.NewBlock(item.Block)
		orphan, err := f.submit(b)
		if item.Name == "b56p2" && err == nil {
			// No pair of its Merkle tree repeats, so only its turn to be the
			// tip shows what is wrong: a double spend.
			err = f.condemned(b)
		}
		got := check.CodeOf(err)
		if orphan || !ok || got != want && !f.sameVerdict(item, want, err) {
			f.t.Errorf("%s: %v, want %v (%s)", item.Name, err, item.RejectCode, want)
		}
		f.rejected++
	case fullblocktests.OrphanOrRejectedBlock:
		orphan, err := f.submit(state.NewBlock(item.Block))
		if !orphan && check.CodeOf(err) != "bad-prevblk" {
			f.t.Errorf("%s: %v, want bad-prevblk", item.Name, err)
		}
		f.rejected++
	case fullblocktests.ExpectedTip:
		if tip := engine.Tip(); tip.Hash != item.Block.BlockHash() || tip.Height != item.Height {
			f.t.Errorf("%s: the tip is %d %v", item.Name, tip.Height, tip.Hash)
		}
	case fullblocktests.RejectedNonCanonicalBlock:
		if _, err := state.DecodeBlock(item.RawBlock); check.CodeOf(err) != "bad-block-encoding" {
			f.t.Errorf("%s: %v", item.Name, err)
		}
		f.rejected++
	case fullblocktests.BlockDisconnectExpectUTXO:
		f.watches = append(f.watches, item)
	default:
		f.t.Fatalf("unknown kind of test %T", item)
	}
}

// sameVerdict knows the few ways in which the engine says the same thing
// with another code.
func (f *fullBlocks) sameVerdict(item fullblocktests.RejectedBlock, want check.Code, err error) bool {
	switch got := check.CodeOf(err); {
	case got == "bad-prevblk":
		// An earlier block of the side branch is the one that breaks the rule.
		return strings.Contains(err.Error(), string(want))
	case got == "duplicate-invalid":
		// b48 with its empty Merkle root has the header of b45, which has no
		// transactions.
		return item.Name == "b48"
	case got == "bad-txns-inputs-missingorspent":
		// A transaction twice in places that are no pair of the Merkle tree
		// is a double spend for Core, too.
		return (item.Name == "b51" || item.Name == "b56p2") && want == "bad-txns-duplicate"
	case got == "high-hash":
		// Bits that are no target at all: Core speaks of the work, as we do.
		return item.Name == "b49a"
	}
	return false
}

// condemned lets a block of a side branch have its turn, and gives the error
// that the engine remembers for it then.
func (f *fullBlocks) condemned(b *state.Block) error {
	tip := f.world.engine.Tip()
	if err := f.world.engine.Precious(b.Hash); err != nil {
		return err
	}
	if f.world.engine.Tip() != tip || !f.world.engine.Status(f.world.engine.Header(b.Hash)).Failed() {
		return errors.New("the block did not fail on its turn")
	}
	return check.Rule("bad-txns-inputs-missingorspent", "on its turn")
}

// moved looks, right after a block was taken back, for the outputs that must
// or must not be there then.
func (f *fullBlocks) moved(connected bool, h *state.Header) {
	for _, w := range f.watches {
		if connected || w.BlockHash != h.Hash {
			continue
		}
		err := f.world.engine.View(func(_ *state.Header, v state.View) error {
			coin, err := v.Coin(w.OutPoint)
			if err == nil && (coin != nil) != w.Expected {
				err = errors.New("the output is wrong")
			}
			return err
		})
		if err != nil {
			f.t.Errorf("%s: %v, want it there: %v", w.Name, err, w.Expected)
		}
		f.looked++
	}
}

package benchgoods

import (
	"testing"

	"granary/rules/goods"
	"granary/state"
)

// witness is a state that notes what was announced before it was read.
type witness struct {
	state.View
	announced map[string]bool
	read      map[string]bool // what is there, and whether it was announced
}

func (w *witness) WarmGoods(keys [][]byte) {
	for _, key := range keys {
		w.announced[string(key)] = true
	}
}

func (w *witness) Goods(key []byte) ([]byte, error) {
	value, err := w.View.Goods(key)
	if _, again := w.read[string(key)]; !again && value != nil && w.read != nil {
		w.read[string(key)] = w.announced[string(key)]
	}
	return value, err
}

// TestReadAhead: nearly all that the rules find in the state when they judge a
// block of the mix was announced by ReadAhead before, and it ends when told.
func TestReadAhead(t *testing.T) {
	b := &bench{Options: Options{Dir: t.TempDir(), Receipts: smallReceipts, Claims: smallClaims, Blocks: 1, Calls: 1, DBCacheMiB: 32, Version: "0"}}
	b.Progress = func(string, int, int) {}
	for _, step := range []func() error{
		func() (err error) { b.charter, err = newCharter(); return err },
		func() (err error) { b.config, err = b.configure(); return err },
		func() error { b.maker = newMaker(b.config.Rules(), 1, b.Progress); return nil },
		func() error { _, err := b.openCore(t.Context()); return err },
		func() error { return b.maker.grow(t.Context(), size{smallReceipts, smallDrawn, smallClaims}) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	defer b.closeCore() //nolint:errcheck // a test's end
	raws, err := b.maker.ahead(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range raws[:warmUpBlocks] {
		if _, err := accept(b.core, raw); err != nil {
			t.Fatal(err)
		}
	}
	block, err := state.DecodeBlock(raws[warmUpBlocks])
	if err != nil {
		t.Fatal(err)
	}
	err = b.core.Chain.View(func(tip *state.Header, v state.View) error {
		w := &witness{View: v, announced: map[string]bool{}}
		goods.ReadAhead(w, block, func() bool { return false })
		if len(w.announced) > 0 {
			t.Error("it went on after it was told to end")
		}
		goods.ReadAhead(w, block, func() bool { return true })
		goods.ReadAhead(v, block, func() bool { return true })
		// Nothing of what it does is a verdict: a block of nonsense is fine.
		goods.ReadAhead(w, nonsense(block), func() bool { return true })
		w.read = map[string]bool{}
		_, _, _, err := b.core.Rules.Connect(block, state.NewHeader(&block.Msg.Header, tip), over{w}, nil)
		found := 0
		for _, announced := range w.read {
			if announced {
				found++
			}
		}
		t.Logf("%d of %d values were announced", found, len(w.read))
		if found*10 < len(w.read)*8 {
			t.Errorf("%d of %d values were announced", found, len(w.read))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// over is a state that cannot be told what will be read.
type over struct{ state.View }

// nonsense is the block with its records cut short and turned around.
func nonsense(b *state.Block) *state.Block {
	msg := *b.Msg
	msg.Transactions = append(msg.Transactions[:0:0], msg.Transactions...)
	for i, tx := range msg.Transactions {
		tx = tx.Copy()
		for _, out := range tx.TxOut {
			if n := len(out.PkScript); n > 12 {
				out.PkScript[n-9] ^= byte(i)
				out.PkScript[n-1] ^= 0xff
			}
		}
		msg.Transactions[i] = tx
	}
	return state.NewBlock(&msg)
}

package chain

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// grown is a world with a few coins: 135 blocks of which the last five spend.
func grown(t *testing.T) (*world, []*state.Block) {
	w := newWorld(t)
	blocks := w.run("a", w.genesis(), 0, 130)
	for i := range 5 {
		blocks = append(blocks, w.make(draft{
			parent: blocks[len(blocks)-1], height: int32(len(blocks) + 1), name: fmt.Sprint("s", i),
			txs: []*wire.MsgTx{spend(blocks[i].Msg.Transactions[0], 1000)}, fees: 1000,
		}))
	}
	w.accept(blocks...)
	return w, blocks
}

// next is a block that spends the coinbase of height n+1.
func (w *world) next(blocks []*state.Block, n int) *state.Block {
	return w.make(draft{
		parent: blocks[len(blocks)-1], height: int32(len(blocks) + 1), name: fmt.Sprint("n", n),
		txs: []*wire.MsgTx{spend(blocks[n].Msg.Transactions[0], 1000)}, fees: 1000,
	})
}

// TestBlockDuringWalk holds every kind of walk at its middle coin, connects a
// block, takes one back, and lets the walk end: its figures are those of the
// tip that it names.
func TestBlockDuringWalk(t *testing.T) {
	for name, walk := range map[string]func(e *Engine) string{
		"stats": func(e *Engine) string {
			stats, err := e.UTXOStats(HashSerialized3)
			stats.DiskBytes = 0
			return fmt.Sprint(stats, err)
		},
		"muhash": func(e *Engine) string {
			stats, err := e.UTXOStats(HashMuHash)
			stats.DiskBytes = 0
			return fmt.Sprint(stats, err)
		},
		"state hash": func(e *Engine) string { return fmt.Sprint(e.StateHash()) },
		"check":      func(e *Engine) string { return fmt.Sprint(e.Check(t.Context(), nil)) },
		"coins": func(e *Engine) string {
			n, units := 0, int64(0)
			err := e.RangeCoins(func(_ wire.OutPoint, c *state.Coin) bool {
				n++
				units += c.ValueUnits
				return true
			})
			return fmt.Sprint(n, units, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, blocks := grown(t)
			want := walk(w.engine)
			b, top := w.next(blocks, 10), blocks[len(blocks)-1]
			n := 0
			w.engine.walking = func() {
				if n++; n == len(blocks)/2 {
					w.meanwhile(func() error {
						_, err := w.engine.AcceptBlock(b)
						return err
					})
					w.mustTip(b)
					w.meanwhile(func() error { return w.engine.Invalidate(top.Hash) })
				}
			}
			got := walk(w.engine)
			w.engine.walking = nil
			w.mustTip(blocks[len(blocks)-2])
			if got != want {
				t.Errorf("a walk beside a moving chain gives %s, not %s", got, want)
			}
			if err := errors.Join(w.engine.Reconsider(top.Hash), w.engine.Invalidate(b.Hash)); err != nil {
				t.Fatal(err)
			}
			if again := walk(w.engine); again != want {
				t.Errorf("back at the tip it is %s, not %s", again, want)
			}
		})
	}
}

// meanwhile does f on another goroutine, which nothing here may hold up.
func (w *world) meanwhile(f func() error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			w.tb.Error(err)
		}
	case <-time.After(20 * time.Second):
		w.tb.Error("the chain waits for the walk")
	}
}

// TestStatsBesideBlocks counts without a pause while blocks connect: every
// answer is that of its tip, as a count at rest gives it.
func TestStatsBesideBlocks(t *testing.T) {
	w, blocks := grown(t)
	quiet := make(map[string]string)
	loud := make(map[string]string)
	var wait sync.WaitGroup
	begins := make(chan struct{})
	wait.Go(func() {
		for range begins {
			stats, err := w.engine.UTXOStats(HashSerialized3)
			if err != nil {
				t.Error(err)
			}
			stats.DiskBytes = 0
			loud[stats.Tip.String()] = fmt.Sprint(stats)
		}
	})
	for n := range 20 {
		b := w.next(blocks, 10+n)
		begins <- struct{}{}
		w.accept(b)
		blocks = append(blocks, b)
	}
	close(begins)
	wait.Wait()
	for range 21 {
		stats, err := w.engine.UTXOStats(HashSerialized3)
		if err != nil {
			t.Fatal(err)
		}
		stats.DiskBytes = 0
		quiet[stats.Tip.String()] = fmt.Sprint(stats)
		if err := w.engine.Invalidate(stats.Tip); err != nil {
			t.Fatal(err)
		}
	}
	for tip, got := range loud {
		if got != quiet[tip] {
			t.Errorf("beside blocks %s, at rest %s", got, quiet[tip])
		}
	}
	t.Logf("%d tips counted beside blocks", len(loud))
}

// TestCloseDuringWalk: Close of engine and store end a count and wait for it,
// and nothing is counted afterwards.
func TestCloseDuringWalk(t *testing.T) {
	w, blocks := grown(t)
	engine, n := w.engine, 0
	reached, goOn := make(chan struct{}), make(chan struct{})
	engine.walking = func() {
		if n++; n == len(blocks)/2 {
			close(reached)
			<-goOn
		}
	}
	counted := make(chan error, 1)
	go func() {
		_, err := engine.UTXOStats(HashMuHash)
		counted <- err
	}()
	<-reached
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		w.close()
	}()
	select {
	case <-closed:
		t.Error("the store is closed under a walk")
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	if err := <-counted; !errors.Is(err, ErrClosed) {
		t.Errorf("a count at Close gives %v", err)
	}
	<-closed
	if n != len(blocks)/2 {
		t.Errorf("the walk went on to step %d", n)
	}
	if _, err := engine.StateHash(); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed engine counts: %v", err)
	}
}

// TestEndWalks: a count ends while the engine itself goes on.
func TestEndWalks(t *testing.T) {
	w, blocks := grown(t)
	engine, n := w.engine, 0
	engine.walking = func() {
		if n++; n == len(blocks)/2 {
			engine.EndWalks()
		}
	}
	if _, err := engine.UTXOStats(HashNone); !errors.Is(err, ErrClosed) || n != len(blocks)/2 {
		t.Errorf("the count ended at step %d with %v", n, err)
	}
	if err := engine.VerifyChain(4, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("verification is begun after EndWalks: %v", err)
	}
	tip := blocks[len(blocks)-1]
	w.accept(w.run("on", tip, int32(len(blocks)), 1)...)
}

// TestFailureAfterFreezing: a batch that fails when it has frozen the state
// lets the snapshot go, or the store would never close.
func TestFailureAfterFreezing(t *testing.T) {
	w, _ := grown(t)
	full := errors.New("full disk")
	release := make(chan struct{})
	go w.engine.control(func() error { <-release; return nil })
	time.Sleep(10 * time.Millisecond)
	counted := make(chan error, 1)
	go func() {
		_, err := w.engine.StateHash()
		counted <- err
	}()
	time.Sleep(10 * time.Millisecond)
	go w.engine.control(func() error { return w.engine.world(full, "test") })
	time.Sleep(10 * time.Millisecond)
	close(release)
	if err := <-counted; !errors.Is(err, full) {
		t.Errorf("counted beside a failure: %v", err)
	}
}

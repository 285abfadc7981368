package chain

import (
	"sync"
	"sync/atomic"

	"granary/rules/goods"
	"granary/state"
)

// readAhead starts to read what the goods records of b will ask for, beside
// the rules. The caller ends it before it changes the state; it is a reader
// between two calls of the store's writer.
func (e *Engine) readAhead(b *state.Block) (end func()) {
	if e.rules.Charter == nil {
		return func() {}
	}
	var over atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		goods.ReadAhead(e.store, b, func() bool { return !over.Load() })
	})
	return func() {
		over.Store(true)
		done.Wait()
	}
}

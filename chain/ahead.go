package chain

import (
	"granary/state"
)

// Bounds of reading ahead on a long walk.
const (
	aheadFrom   = 8  // blocks of the walk from which it is worth while
	aheadBlocks = 12 // decoded blocks that wait
)

// lookahead gives the blocks of a walk in order. On a long one a goroutine
// reads and decodes them while the engine connects those before.
type lookahead struct {
	next func() (*state.Block, error)
	stop func()
}

// ahead gives the blocks above fork up to target.
func (e *Engine) ahead(fork, target *state.Header) lookahead {
	height := fork.Height
	if target.Height-height < aheadFrom || e.fresh[target.Ancestor(height+1)] != nil {
		return lookahead{
			next: func() (*state.Block, error) {
				height++
				return e.blockOf(target.Ancestor(height))
			},
			stop: func() {},
		}
	}
	type result struct {
		block *state.Block
		err   error
	}
	results, quit := make(chan result, aheadBlocks), make(chan struct{})
	go func() {
		defer close(results)
		for at := fork.Height + 1; at <= target.Height; at++ {
			b, err := e.Block(target.Ancestor(at))
			select {
			case results <- result{b, err}:
			case <-quit:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return lookahead{
		next: func() (*state.Block, error) {
			height++
			r := <-results
			return r.block, e.world(r.err, "block %d cannot be read: start again with --reindex", height)
		},
		stop: func() {
			close(quit)
			for range results { //nolint:revive // until the goroutine has ended
			}
		},
	}
}

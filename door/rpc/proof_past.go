package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"granary/chain"
	"granary/rules/proof"
	"granary/state"
)

// errMoved: the chain went on between two looks at it.
var errMoved = errors.New("the chain went on")

const (
	// maxWays is how many ways back from one tip are kept; each holds what the
	// blocks changed, some MiB for full ones.
	maxWays = 4
	// preparedBlocks is for how many blocks after the last proof the way back
	// over a new block is made before anybody asks.
	preparedBlocks = 6
)

// proofCache keeps ways back from the tip, tree and all: many proofs are asked
// for at one block, and going back over a full one takes longer than a proof.
// Once somebody asks for proofs, the way back over each new block is made as
// soon as it is there. It is safe for concurrent use.
type proofCache struct {
	mu   sync.Mutex
	tip  *state.Header // from where the ways go
	ways []*wayBack    // the newest last
	left int           // blocks for which a way is still prepared
}

// wayBack is a way from the tip to the state that the block of at commits to.
type wayBack struct {
	at   *state.Header
	done chan struct{} // closed once past or err is there
	past *proof.Past
	err  error
}

// get gives the way from tip to the state that the block of at commits to. It
// makes it unless somebody did or does. An errMoved says that the tip is
// another one now, or that somebody else gave up: ask again.
func (p *proofCache) get(ctx context.Context, from *chain.Engine, tip, at *state.Header) (*proof.Past, error) {
	way, mine := p.claim(tip, at)
	if mine {
		p.make(ctx, from, tip, way)
		return way.past, way.err
	}
	select {
	case <-way.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if way.err != nil {
		return nil, errMoved
	}
	return way.past, nil
}

// claim finds a way that is there or is being made; mine says that the caller
// makes it.
func (p *proofCache) claim(tip, at *state.Header) (way *wayBack, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tip != tip {
		p.tip, p.ways = tip, nil
	}
	for _, way := range p.ways {
		if way.at == at {
			return way, false
		}
	}
	way = &wayBack{at: at, done: make(chan struct{})}
	if len(p.ways) == maxWays {
		p.ways = slices.Delete(p.ways, 0, 1)
	}
	p.ways = append(p.ways, way)
	return way, true
}

// make goes the way that claim gave to its caller; one that leads nowhere is
// not kept.
func (p *proofCache) make(ctx context.Context, from *chain.Engine, tip *state.Header, way *wayBack) {
	way.err = errMoved // whoever waits must not wait for ever, whatever happens
	defer func() {
		if way.err != nil {
			p.mu.Lock()
			p.ways = slices.DeleteFunc(p.ways, func(w *wayBack) bool { return w == way })
			p.mu.Unlock()
		}
		close(way.done)
	}()
	undos, err := undosBack(from, tip, way.at)
	if err == nil {
		way.past, err = proof.Rewind(tipView{ctx, from, tip}, undos)
	}
	way.err = err
}

// known gives a way that is there already, nil without one.
func (p *proofCache) known(tip, at *state.Header) *proof.Past {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tip != tip {
		return nil
	}
	for _, way := range p.ways {
		if way.at != at {
			continue
		}
		select {
		case <-way.done:
			return way.past
		default:
		}
	}
	return nil
}

// asked notes that somebody wants proofs.
func (p *proofCache) asked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = preparedBlocks
}

// wanted reports whether the way back over a new block is worth making.
func (p *proofCache) wanted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		return false
	}
	p.left--
	return true
}

// prepareProof makes the way back over a block that has just become the tip,
// on a goroutine of its own that Close waits for.
func (s *Server) prepareProof(h *state.Header) {
	if !s.proofs.wanted() {
		return
	}
	go func() {
		s.busy.RLock()
		defer s.busy.RUnlock()
		services := s.services.Load()
		if services == nil || services.Rules.Charter == nil || services.Chain.Tip() != h {
			return
		}
		_, err := s.proofs.get(s.ctx, services.Chain, h, h)
		if err != nil && !errors.Is(err, errMoved) && s.ctx.Err() == nil {
			s.opts.Log.Warn("the way back for proofs could not be prepared", "height", h.Height, "error", err)
		}
	}()
}

// undosBack reads the undo of the blocks from tip down to at.
func undosBack(from *chain.Engine, tip, at *state.Header) (undos []*state.Undo, err error) {
	for h := tip; h.Height >= at.Height; h = h.Parent {
		undo, err := from.Undo(h)
		if err != nil {
			return nil, fmt.Errorf("the state before block %d cannot be read: %w", h.Height, err)
		}
		undos = append(undos, undo)
	}
	return undos, nil
}

// tipView is the state after tip for as long as that is the tip. It takes the
// engine's lock for each key alone, so that a long way back holds no block up.
type tipView struct {
	ctx  context.Context
	from *chain.Engine
	tip  *state.Header
}

// Goods implements state.GoodsView; an errMoved says that the tip is another
// one now.
func (v tipView) Goods(key []byte) (value []byte, err error) {
	if err := v.ctx.Err(); err != nil {
		return nil, err
	}
	err = v.from.View(func(now *state.Header, s state.View) (err error) {
		if now != v.tip {
			return errMoved
		}
		value, err = s.Goods(key)
		return err
	})
	return value, err
}

// GoodsRange implements state.GoodsView in one look.
func (v tipView) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	return v.from.View(func(now *state.Header, s state.View) error {
		if now != v.tip {
			return errMoved
		}
		return s.GoodsRange(from, to, f)
	})
}

package chain

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/rules/goods"
	"granary/state"
)

// Event is one step of the active chain. It is shared by all followers and
// read-only; whoever keeps a part longer than the call copies it out.
type Event struct {
	// Connected tells a block that joined the chain from one that left it.
	Connected bool
	Header    *state.Header
	Block     *state.Block
	Undo      *state.Undo // the coins that the block spent
	// Goods are the goods events of a connected block, nil for one that left
	// the chain and while a follower catches up.
	Goods []goods.Event
}

// Follower is told every step of the active chain, in order, on the engine's
// goroutine, after the step is durable and without any lock of the engine. It
// reads through the engine's View as it likes (which may be some steps ahead
// when a batch made several) and never waits for a call that the engine's
// goroutine answers. An error stops the engine for good.
type Follower interface {
	Connect(*Event) error
	Disconnect(*Event) error
	// Prune tells that the blocks up to height are going from the files.
	Prune(height int32) error
}

// note keeps an event until the commit.
func (e *Engine) note(event *Event) {
	if e.moved != nil {
		e.moved(event.Connected, event.Header)
	}
	if len(e.followers) == 0 {
		return
	}
	e.events = append(e.events, event)
	e.eventBytes += int64(len(event.Block.Raw))
}

// deliver tells the followers what has become durable.
func (e *Engine) deliver() error {
	for _, event := range e.events {
		for _, f := range e.followers {
			if err := tell(f, event); err != nil {
				return e.world(err, "%T could not follow block %d", f, event.Header.Height)
			}
		}
	}
	clear(e.events)
	e.events, e.eventBytes = e.events[:0], 0
	return nil
}

func tell(f Follower, event *Event) error {
	if event.Connected {
		return f.Connect(event)
	}
	return f.Disconnect(event)
}

// catchUpNear is how far behind a follower is when the engine's goroutine
// brings it up the rest of the way.
const catchUpNear = 8

// Follow brings a follower that keeps its own tip, at the block with hash at
// (the zero hash: genesis), up to the active chain and then adds it to the end
// of the list. Far behind, it reads on the caller's goroutine while the chain
// goes on; progress (may be nil) hears the heights of follower and tip. An
// ErrUnknownBlock says that at is not in the header tree: the follower has to
// start anew. A pruned block on the way is an error too.
func (e *Engine) Follow(ctx context.Context, f Follower, at chainhash.Hash, progress func(height, tip int32)) error {
	pos := e.AtHeight(0)
	if at != (chainhash.Hash{}) {
		if pos = e.Header(at); pos == nil {
			return fmt.Errorf("%w: %v", ErrUnknownBlock, at)
		}
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		tip := e.Tip()
		if tip.Descends(pos) && tip.Height-pos.Height <= catchUpNear {
			break
		}
		next, err := e.stepTowards(f, pos, tip)
		if err != nil {
			return err
		}
		if pos = next; progress != nil {
			progress(pos.Height, tip.Height)
		}
	}
	return e.control(func() error {
		if err := e.commit(); err != nil {
			return err
		}
		for tip := e.tip.Load(); pos != tip; {
			next, err := e.stepTowards(f, pos, tip)
			if err != nil {
				return err
			}
			pos = next
		}
		e.followers = append(e.followers, f)
		return nil
	})
}

// stepTowards tells f one step of the way from pos to tip and gives where f
// stands then.
func (e *Engine) stepTowards(f Follower, pos, tip *state.Header) (*state.Header, error) {
	event := &Event{Connected: tip.Descends(pos), Header: pos}
	if event.Connected {
		event.Header = tip.Ancestor(pos.Height + 1)
	}
	var err error
	if event.Block, err = e.Block(event.Header); err != nil {
		return nil, err
	}
	if event.Undo, err = e.Undo(event.Header); err != nil {
		return nil, err
	}
	if err := tell(f, event); err != nil {
		return nil, fmt.Errorf("%T could not follow block %d: %w", f, event.Header.Height, err)
	}
	if event.Connected {
		return event.Header, nil
	}
	return pos.Parent, nil
}

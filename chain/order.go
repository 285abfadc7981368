package chain

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
	"granary/store/blockfile"
)

// headerBytes is the length of a serialized block header.
const headerBytes = 80

// ordering lets blocks pass parents first, whatever their order in the files.
// Of a block that comes too early only its place is kept: memory grows by some
// hundred bytes for each, and the bytes are read again when the parent comes.
type ordering struct {
	engine  *Engine
	genesis chainhash.Hash
	waiting map[chainhash.Hash][]spot // by parent
	// sent are hashes that passed and may not be in the tree yet, in two
	// generations: one holds more than can be in flight.
	sent, sentBefore map[chainhash.Hash]struct{}
}

// spot is a block's place in a source.
type spot struct {
	source *source
	offset int64
	bytes  uint32
}

// sentMax is more than importFlightBytes of the smallest blocks.
const sentMax = importFlightBytes/(arrivalOverheadBytes+headerBytes) + 1

func newOrdering(e *Engine) *ordering {
	return &ordering{
		engine: e, genesis: e.rules.Net.GenesisHash(),
		waiting: make(map[chainhash.Hash][]spot),
		sent:    make(map[chainhash.Hash]struct{}),
	}
}

// outlet is where an ordering lets blocks go.
type outlet struct {
	emit    func(*arrival) error          // in the right order
	skip    func()                        // known already
	damaged func(where string, err error) // no block
}

// place lets the block at s pass, and those that waited for it, or keeps its
// place. raw is not kept. It gives blockfile.ErrNotBlock for what is no block,
// so that the search goes on inside it.
func (o *ordering) place(s spot, raw []byte, out outlet) error {
	if len(raw) < headerBytes {
		return blockfile.ErrNotBlock
	}
	hash := chainhash.DoubleHashH(raw[:headerBytes])
	if hash == o.genesis || o.have(hash) {
		out.skip()
		return o.release(hash, out)
	}
	b, err := state.DecodeBlock(bytes.Clone(raw))
	if err != nil {
		out.damaged(s.where(nil), err)
		return blockfile.ErrNotBlock
	}
	if parent := b.Msg.Header.PrevBlock; !o.known(parent) {
		o.waiting[parent] = append(o.waiting[parent], s)
		return nil
	}
	if err := o.pass(s, b, out); err != nil {
		return err
	}
	return o.release(hash, out)
}

// pass emits a block and remembers that it is on its way.
func (o *ordering) pass(s spot, b *state.Block, out outlet) error {
	if len(o.sent) >= sentMax {
		o.sent, o.sentBefore = make(map[chainhash.Hash]struct{}), o.sent
	}
	o.sent[b.Hash] = struct{}{}
	a := &arrival{block: b, where: s.where(&b.Hash)}
	if s.source.own {
		a.pos = &state.FilePos{File: s.source.number, Offset: uint32(s.offset), Bytes: s.bytes}
	}
	return out.emit(a)
}

// release lets pass what waited for hash, and what waited for that.
func (o *ordering) release(hash chainhash.Hash, out outlet) error {
	for queue := []chainhash.Hash{hash}; len(queue) > 0; queue = queue[1:] {
		spots := o.waiting[queue[0]]
		delete(o.waiting, queue[0])
		for _, s := range spots {
			raw, err := s.source.read(s.offset, s.bytes)
			if err != nil {
				return err
			}
			b, err := state.DecodeBlock(raw)
			if err != nil { // the file has changed under us
				out.damaged(s.where(nil), err)
				continue
			}
			if o.have(b.Hash) {
				out.skip()
			} else if err := o.pass(s, b, out); err != nil {
				return err
			}
			queue = append(queue, b.Hash)
		}
	}
	return nil
}

// known reports whether a block's header is in the tree or on its way there.
func (o *ordering) known(hash chainhash.Hash) bool {
	if _, ok := o.sent[hash]; ok {
		return true
	}
	if _, ok := o.sentBefore[hash]; ok {
		return true
	}
	return o.engine.Header(hash) != nil
}

// have reports whether a block's bytes are in our own files, or were before
// they were pruned from below the tip.
func (o *ordering) have(hash chainhash.Hash) bool {
	h := o.engine.Header(hash)
	if h == nil {
		return false
	}
	o.engine.mu.RLock()
	defer o.engine.mu.RUnlock()
	return h.Status&state.StatusHaveData != 0 || h.TxCount > 0 && o.engine.Contains(h)
}

// lost is the number of blocks whose ancestors did not come.
func (o *ordering) lost() int64 {
	n := 0
	for _, spots := range o.waiting {
		n += len(spots)
	}
	return int64(n)
}

// where names the spot for a person.
func (s spot) where(hash *chainhash.Hash) string {
	where := fmt.Sprintf("%s at byte %d", s.source.name, s.offset)
	if hash != nil {
		where += ", block " + hash.String()
	}
	return where
}

package cpu

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"

	"granary/base/check"
	"granary/state"
)

const (
	// headerBytes is a serialized header, midstateBytes what its first
	// SHA-256 block holds: everything that does not change with the nonce.
	headerBytes, midstateBytes = 80, 64
	// chunkNonces is what a worker searches between looks at the context.
	chunkNonces = 1 << 15
	// soloNonces are tried before other processors are asked to help.
	soloNonces = 1 << 12
)

// Solve searches all nonces for one with which the header's hash is at most
// target, on all processors, and sets it. It reports false where there is
// none. The context's error ends the search early.
func Solve(ctx context.Context, header *wire.BlockHeader, target *uint256.Int) (bool, error) {
	found, _, err := SolveWithin(ctx, header, target, 1<<32)
	return found, err
}

// SolveWithin is Solve for the first tries nonces at most (1 to 2^32); it also
// gives how many were taken up.
func SolveWithin(ctx context.Context, header *wire.BlockHeader, target *uint256.Int, tries int64) (bool, int64, error) {
	tries = max(0, min(tries, 1<<32))
	s := newSearch(header, target)
	alone := min(tries, soloNonces)
	if nonce, ok := s.worker().try(0, alone); ok {
		header.Nonce = nonce
		return true, int64(nonce) + 1, nil
	}
	if alone == tries {
		return false, tries, ctx.Err()
	}
	s.next.Store(alone)
	s.end = tries
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() { s.run(ctx) })
	}
	wg.Wait()
	taken := min(s.next.Load(), tries)
	if best := s.best.Load(); best != math.MaxInt64 {
		header.Nonce = uint32(best)
		return true, taken, nil
	}
	return false, taken, ctx.Err()
}

// search is what the workers share.
type search struct {
	raw      [headerBytes]byte
	midstate []byte
	target   uint256.Int
	next     atomic.Int64 // nonce from which nothing is taken up yet
	end      int64
	best     atomic.Int64 // lowest nonce found, MaxInt64 for none
}

func newSearch(header *wire.BlockHeader, target *uint256.Int) *search {
	s := &search{target: *target}
	le := binary.LittleEndian
	le.PutUint32(s.raw[0:], uint32(header.Version))
	copy(s.raw[4:], header.PrevBlock[:])
	copy(s.raw[36:], header.MerkleRoot[:])
	le.PutUint32(s.raw[68:], uint32(header.Timestamp.Unix()))
	le.PutUint32(s.raw[72:], header.Bits)
	s.best.Store(math.MaxInt64)
	first := sha256.New()
	first.Write(s.raw[:midstateBytes]) //nolint:errcheck // never fails
	midstate, err := first.(encoding.BinaryMarshaler).MarshalBinary()
	check.Must(err == nil, "keep a SHA-256 midstate: %v", err)
	s.midstate = midstate
	return s
}

// run takes up chunk after chunk until one is found, all are done, or the
// context ends.
func (s *search) run(ctx context.Context) {
	w := s.worker()
	for ctx.Err() == nil {
		from := s.next.Add(chunkNonces) - chunkNonces
		if from >= s.end || from > s.best.Load() {
			return
		}
		if nonce, ok := w.try(from, min(from+chunkNonces, s.end)); ok {
			s.offer(int64(nonce))
			return
		}
	}
}

// offer keeps the lowest nonce, so that the result does not depend on which
// worker was faster.
func (s *search) offer(nonce int64) {
	for {
		best := s.best.Load()
		if nonce >= best || s.best.CompareAndSwap(best, nonce) {
			return
		}
	}
}

// worker is one processor's hash with the midstate to return to.
type worker struct {
	search *search
	first  hash.Hash
	resume encoding.BinaryUnmarshaler
	tail   [headerBytes - midstateBytes]byte
}

func (s *search) worker() *worker {
	w := &worker{search: s, first: sha256.New()}
	w.resume = w.first.(encoding.BinaryUnmarshaler)
	copy(w.tail[:], s.raw[midstateBytes:])
	return w
}

// try searches the nonces from <= n < to.
func (w *worker) try(from, to int64) (nonce uint32, ok bool) {
	var inner [sha256.Size]byte
	top := w.search.target.Bytes32()
	for n := from; n < to; n++ {
		binary.LittleEndian.PutUint32(w.tail[12:], uint32(n))
		err := w.resume.UnmarshalBinary(w.search.midstate)
		check.Must(err == nil, "resume a SHA-256 midstate: %v", err)
		w.first.Write(w.tail[:]) //nolint:errcheck // never fails
		outer := sha256.Sum256(w.first.Sum(inner[:0]))
		// The hash is a little-endian number: its last byte decides first.
		if outer[31] <= top[0] {
			id := chainhash.Hash(outer)
			if state.HashMeets(&id, &w.search.target) {
				return uint32(n), true
			}
		}
	}
	return 0, false
}

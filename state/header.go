package state

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"
)

// Status says what is known of a block and where its bytes are.
type Status uint32

const (
	// StatusHeaderValid: the header passed every header rule.
	StatusHeaderValid Status = 1 << iota
	// StatusHaveData: the block is in the block files.
	StatusHaveData
	// StatusHaveUndo: its undo is in the undo files.
	StatusHaveUndo
	// StatusBlockValid: the block was once connected with all rules passed.
	StatusBlockValid
	// StatusFailed: the block breaks a rule, or was invalidated by hand.
	StatusFailed
	// StatusFailedParent: an ancestor has StatusFailed.
	StatusFailedParent
)

// FilePos is a place in the block or undo files: the offset of the payload
// (behind magic and length) and its length in bytes.
type FilePos struct {
	File   uint32
	Offset uint32
	Bytes  uint32
}

// Header is a node of the header tree. The identity fields (all but Status,
// TxCount, DataPos, UndoPos, Sequence) never change after NewHeader and may be
// read without a lock; the rest belongs to the chain's goroutine, which
// guards them with its lock.
type Header struct {
	Hash   chainhash.Hash
	Raw    wire.BlockHeader
	Height int32
	Work   uint256.Int // of the whole branch up to and with this header
	Parent *Header     // nil for genesis
	skip   *Header

	Status   Status
	TxCount  uint32 // transactions of this block, 0 while unknown
	DataPos  FilePos
	UndoPos  FilePos
	Sequence uint64 // order of arrival of the block data, breaks ties
}

// NewHeader makes a node below parent (nil for genesis) with the summed work.
func NewHeader(raw *wire.BlockHeader, parent *Header) *Header {
	h := &Header{Hash: raw.BlockHash(), Raw: *raw, Parent: parent}
	h.Work = WorkOf(raw.Bits)
	if parent != nil {
		h.Height = parent.Height + 1
		h.Work.Add(&h.Work, &parent.Work)
		h.skip = parent.Ancestor(skipHeight(h.Height))
	}
	return h
}

// Ancestor gives the header at height on h's branch in O(log n) steps, or nil
// if height is negative or above h.
func (h *Header) Ancestor(height int32) *Header {
	if height < 0 || height > h.Height {
		return nil
	}
	walk := h
	for walk.Height > height {
		skip, skipPrev := skipHeight(walk.Height), skipHeight(walk.Height-1)
		if walk.skip != nil && (skip == height ||
			(skip > height && (skipPrev >= skip-2 || skipPrev < height))) {
			walk = walk.skip
		} else {
			walk = walk.Parent
		}
	}
	return walk
}

// skipHeight picks where a header's skip pointer goes, so that any ancestor
// is reached in logarithmic time.
func skipHeight(height int32) int32 {
	if height < 2 {
		return 0
	}
	lowBitOff := func(n int32) int32 { return n & (n - 1) }
	if height&1 == 1 {
		return lowBitOff(lowBitOff(height-1)) + 1
	}
	return lowBitOff(height)
}

// MedianTimePast is the median of the last eleven block times up to and with
// h, in Unix seconds (BIP113).
func (h *Header) MedianTimePast() int64 {
	var times [11]int64
	n := 0
	for walk := h; walk != nil && n < len(times); walk = walk.Parent {
		times[n] = walk.Raw.Timestamp.Unix()
		n++
	}
	slices.Sort(times[:n])
	return times[n/2]
}

// Descends reports whether h is ancestor itself or a descendant of it.
func (h *Header) Descends(ancestor *Header) bool {
	return ancestor.Height <= h.Height && h.Ancestor(ancestor.Height) == ancestor
}

// ForkPoint is the last common ancestor of two branches of one tree.
func ForkPoint(a, b *Header) *Header {
	if a.Height > b.Height {
		a = a.Ancestor(b.Height)
	} else {
		b = b.Ancestor(a.Height)
	}
	for a != b {
		a, b = a.Parent, b.Parent
	}
	return a
}

// TargetOf expands compact bits; ok is false where they are negative, zero or
// beyond 256 bits, which no valid header has.
func TargetOf(bits uint32) (target uint256.Int, ok bool) {
	exponent, mantissa := bits>>24, bits&0x007fffff
	if mantissa == 0 || bits&0x00800000 != 0 {
		return target, false
	}
	if exponent > 34 || (mantissa > 0xff && exponent > 33) || (mantissa > 0xffff && exponent > 32) {
		return target, false
	}
	target.SetUint64(uint64(mantissa))
	if exponent <= 3 {
		target.Rsh(&target, uint(8*(3-exponent)))
	} else {
		target.Lsh(&target, uint(8*(exponent-3)))
	}
	return target, !target.IsZero()
}

// BitsOf gives the compact form of a target.
func BitsOf(target *uint256.Int) uint32 {
	size := uint32((target.BitLen() + 7) / 8)
	var mantissa uint32
	if size <= 3 {
		mantissa = uint32(target.Uint64()) << (8 * (3 - size))
	} else {
		var shifted uint256.Int
		shifted.Rsh(target, uint(8*(size-3)))
		mantissa = uint32(shifted.Uint64())
	}
	if mantissa&0x00800000 != 0 {
		mantissa >>= 8
		size++
	}
	return size<<24 | mantissa
}

// WorkOf is the expected number of hashes behind compact bits:
// 2^256 / (target + 1); zero where the bits are invalid.
func WorkOf(bits uint32) uint256.Int {
	target, ok := TargetOf(bits)
	if !ok {
		return uint256.Int{}
	}
	var work, divisor uint256.Int
	divisor.AddUint64(&target, 1)
	if divisor.IsZero() {
		work.SetUint64(1)
		return work
	}
	work.Not(&target)
	work.Div(&work, &divisor)
	work.AddUint64(&work, 1)
	return work
}

// HashMeets reports whether a block hash, read as a little-endian number, is
// at most target.
func HashMeets(hash *chainhash.Hash, target *uint256.Int) bool {
	var be [32]byte
	for i := range hash {
		be[31-i] = hash[i]
	}
	var n uint256.Int
	n.SetBytes32(be[:])
	return !n.Gt(target)
}

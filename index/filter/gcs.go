package filter

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"

	"github.com/aead/siphash"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/hash"
	"granary/state"
)

// The parameters of BIP158's basic filter: a script that is not in the block
// is found in it once in about 784,931 times.
const (
	riceBits      = 19
	falsePositive = 784_931
)

// Basic builds the basic filter of a block (BIP158): the scripts of all its
// outputs but empty ones and OP_RETURN, and the scripts of the coins that it
// spends but empty ones, each once. spent is as in state.Undo.
func Basic(b *state.Block, spent [][]*state.Coin) []byte {
	s := newSet(b.Hash)
	for _, tx := range b.Msg.Transactions {
		for _, out := range tx.TxOut {
			if len(out.PkScript) > 0 && out.PkScript[0] != txscript.OP_RETURN {
				s.add(out.PkScript)
			}
		}
	}
	for _, coins := range spent {
		for _, coin := range coins {
			if len(coin.Script) > 0 {
				s.add(coin.Script)
			}
		}
	}
	return s.encode()
}

// HashOf is a filter's hash.
func HashOf(raw []byte) chainhash.Hash { return hash.Double(raw) }

// HeaderOf chains a filter's hash to the filter header before it (zero before
// genesis).
func HeaderOf(filter, previous chainhash.Hash) chainhash.Hash {
	return hash.Pair(&filter, &previous)
}

// element is a script and its hash under the block's key.
type element struct {
	hash   uint64
	script []byte
}

// set gathers a filter's elements.
type set struct {
	key  [siphash.KeySize]byte
	list []element
}

func newSet(block chainhash.Hash) *set {
	s := &set{}
	copy(s.key[:], block[:])
	return s
}

func (s *set) add(script []byte) {
	s.list = append(s.list, element{siphash.Sum64(script, &s.key), script})
}

// encode gives the number of different elements and their hashes, spread over
// falsePositive times that number, ascending, as Golomb-Rice coded steps.
func (s *set) encode() []byte {
	slices.SortFunc(s.list, func(a, b element) int {
		if c := cmp.Compare(a.hash, b.hash); c != 0 {
			return c
		}
		return bytes.Compare(a.script, b.script)
	})
	list := slices.CompactFunc(s.list, func(a, b element) bool {
		return a.hash == b.hash && bytes.Equal(a.script, b.script)
	})
	n := uint64(len(list))
	w := bitWriter{raw: make([]byte, 0, 9+len(list)*(riceBits+3)/8)}
	w.raw = appendCompactSize(w.raw, n)
	var last uint64
	for i := range list {
		value, _ := bits.Mul64(list[i].hash, n*falsePositive)
		w.rice(value - last)
		last = value
	}
	return w.flush()
}

func appendCompactSize(dst []byte, n uint64) []byte {
	var buf bytes.Buffer
	wire.WriteVarInt(&buf, 0, n) //nolint:errcheck // a buffer takes it
	return append(dst, buf.Bytes()...)
}

// bitWriter appends bits, the most significant first.
type bitWriter struct {
	raw  []byte
	acc  uint64 // the lowest used bits wait
	used int    // at most 7 between calls
}

// rice appends a step: its upper part in ones and a zero, then its lowest
// bits.
func (w *bitWriter) rice(step uint64) {
	for ones := step >> riceBits; ones > 0; {
		n := min(ones, 32)
		w.write(1<<n-1, int(n))
		ones -= n
	}
	w.write(0, 1)
	w.write(step&(1<<riceBits-1), riceBits)
}

// write appends the lowest n bits of v, at most 32.
func (w *bitWriter) write(v uint64, n int) {
	w.acc = w.acc<<n | v
	w.used += n
	for w.used >= 8 {
		w.used -= 8
		w.raw = append(w.raw, byte(w.acc>>w.used))
	}
}

// flush pads the last byte with zeros.
func (w *bitWriter) flush() []byte {
	if w.used > 0 {
		w.write(0, 8-w.used)
	}
	return w.raw
}

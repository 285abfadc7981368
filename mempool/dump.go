package mempool

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/base/files"
	"granary/state"
)

// The file of waiting transactions is Bitcoin Core's mempool.dat, so that the
// two read each other's: a version, in version 2 a key of eight bytes that all
// behind it is XORed with, the transactions with their times and fee deltas,
// the other deltas, and the own transactions that no peer has asked for. Behind
// that, where Core does not look, comes a checksum of ours.
const (
	dumpPlain    = 1 // versions
	dumpXORed    = 2
	dumpKeyBytes = 8
	sumHeading   = "granary\x01"
)

// Save writes what waits to a file, which is whole and durable when it takes
// its name; the pool is not held up meanwhile. It gives the number of
// transactions.
func (p *Pool) Save(fsys vfs.FS, dir, name string) (count int, err error) {
	d := p.snapshot()
	if err := files.ReplaceBy(fsys, dir, name, d.write); err != nil {
		return 0, err
	}
	return len(d.entries), nil
}

// snapshot is what is saved.
type snapshot struct {
	entries     []*Entry
	deltas      map[chainhash.Hash]int64
	unbroadcast []chainhash.Hash
}

func (p *Pool) snapshot() *snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := &snapshot{entries: p.ordered(), deltas: make(map[chainhash.Hash]int64, len(p.deltas))}
	for txid, delta := range p.deltas {
		d.deltas[txid] = delta
	}
	for txid := range p.unbroadcast {
		d.unbroadcast = append(d.unbroadcast, txid)
	}
	slices.SortFunc(d.unbroadcast, byHash)
	return d
}

func byHash(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) }

func (d *snapshot) write(file io.Writer) error {
	w := &dumpWriter{file: bufio.NewWriterSize(file, 1<<16), sum: sha256.New()}
	w.u64(dumpXORed)
	key := binary.LittleEndian.AppendUint64(nil, clock.NewRand().Uint64())
	w.compact(dumpKeyBytes)
	w.put(key)
	w.key = key
	w.u64(uint64(len(d.entries)))
	for _, e := range d.entries {
		delta := d.deltas[e.Tx.Txid]
		delete(d.deltas, e.Tx.Txid)
		w.put(e.Tx.Raw)
		w.u64(uint64(e.Added.Unix()))
		w.u64(uint64(delta))
	}
	others := make([]chainhash.Hash, 0, len(d.deltas))
	for txid := range d.deltas {
		others = append(others, txid)
	}
	slices.SortFunc(others, byHash)
	w.compact(uint64(len(others)))
	for _, txid := range others {
		w.put(txid[:])
		w.u64(uint64(d.deltas[txid]))
	}
	w.compact(uint64(len(d.unbroadcast)))
	for _, txid := range d.unbroadcast {
		w.put(txid[:])
	}
	w.key = nil
	w.put(w.sum.Sum([]byte(sumHeading)))
	if w.err != nil {
		return w.err
	}
	return w.file.Flush()
}

// dumpWriter writes, XORs and sums. The first error stays.
type dumpWriter struct {
	file *bufio.Writer
	sum  hash.Hash
	key  []byte
	at   int
	buf  []byte
	err  error
}

func (w *dumpWriter) put(b []byte) {
	if w.err != nil {
		return
	}
	w.buf = append(w.buf[:0], b...)
	xor(w.buf, w.key, w.at)
	w.at += len(b)
	w.sum.Write(w.buf)
	_, w.err = w.file.Write(w.buf)
}

func (w *dumpWriter) u64(n uint64) { w.put(binary.LittleEndian.AppendUint64(nil, n)) }

func (w *dumpWriter) compact(n uint64) { w.put(state.AppendCompactSize(nil, n)) }

// xor changes b, which stands at offset at of the file, by the key.
func xor(b, key []byte, at int) {
	if len(key) == 0 {
		return
	}
	for i := range b {
		b[i] ^= key[(at+i)%len(key)]
	}
}

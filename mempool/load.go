package mempool

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/check"
	"granary/base/files"
	"granary/params"
	"granary/state"
)

// ErrDamagedDump says that a file of waiting transactions is not what was
// written.
var ErrDamagedDump = errors.New("the file of waiting transactions is damaged")

// LoadOptions say what of a file counts.
type LoadOptions struct {
	// FreshTimes lets transactions count as new, whenever they came.
	FreshTimes bool
	// Deltas takes over changed fees, Unbroadcast the marks of own transactions.
	Deltas, Unbroadcast bool
}

// Loaded is what came of a file.
type Loaded struct {
	// Accepted are in the pool now, Already were; Failed were refused, Expired
	// had waited too long.
	Accepted, Already, Failed, Expired int
}

// Load offers the transactions of a file, Core's or ours, to the pool. Nothing
// is changed before the whole file is known to be sound; where it is not the
// error is ErrDamagedDump, and where there is none fs.ErrNotExist. ctx ends it
// early.
func (p *Pool) Load(ctx context.Context, fsys vfs.FS, path string, o LoadOptions) (Loaded, error) {
	var l Loaded
	if err := readDump(fsys, path, nopVisitor{}); err != nil {
		return l, err
	}
	v := &loader{Loaded: &l, ctx: ctx, pool: p, o: o, deltas: map[chainhash.Hash]int64{}}
	err := readDump(fsys, path, v)
	return l, err
}

// LoadOwn loads the file that Save wrote at the last stop, with all that is in
// it. A damaged one is set aside, which damaged tells; no file is no error.
func (p *Pool) LoadOwn(ctx context.Context, fsys vfs.FS, dir, name string) (l Loaded, damaged bool, err error) {
	path := fsys.PathJoin(dir, name)
	l, err = p.Load(ctx, fsys, path, LoadOptions{Deltas: true, Unbroadcast: true})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, false, nil
	case errors.Is(err, ErrDamagedDump):
		return l, true, files.SetAside(fsys, dir, name)
	}
	return l, false, err
}

// dumpVisitor is told what a file holds, in order.
type dumpVisitor interface {
	tx(tx *state.Tx, added time.Time, delta int64) error
	delta(txid chainhash.Hash, delta int64) error
	own(txid chainhash.Hash) error
}

type nopVisitor struct{}

func (nopVisitor) tx(*state.Tx, time.Time, int64) error { return nil }
func (nopVisitor) delta(chainhash.Hash, int64) error    { return nil }
func (nopVisitor) own(chainhash.Hash) error             { return nil }

// loader puts what it is told into the pool.
type loader struct {
	*Loaded
	ctx    context.Context
	pool   *Pool
	o      LoadOptions
	deltas map[chainhash.Hash]int64
}

func (l *loader) tx(tx *state.Tx, added time.Time, delta int64) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.o.Deltas && delta != 0 {
		p.prioritise(tx.Txid, delta)
	}
	now := p.clock.Now()
	if l.o.FreshTimes || added.After(now) {
		added = now
	}
	switch {
	case added.Before(now.Add(-p.expiry)):
		l.Expired++
		return nil
	case p.txs[tx.Txid] != nil:
		l.Already++
		return nil
	}
	t, err := p.judge(tx, fromOutside)
	if err != nil {
		if check.AsRule(err) == nil {
			return err
		}
		l.Failed++
		return nil
	}
	t.entry.Added = added
	p.put(t)
	p.trim()
	if p.txs[tx.Txid] != t.entry {
		l.Failed++
	} else {
		l.Accepted++
	}
	return nil
}

func (l *loader) delta(txid chainhash.Hash, delta int64) error {
	if l.o.Deltas {
		l.pool.Prioritise(txid, delta)
	}
	return nil
}

func (l *loader) own(txid chainhash.Hash) error {
	if l.o.Unbroadcast {
		l.pool.AddUnbroadcast(txid)
	}
	return nil
}

// readDump checks the checksum of a file, if it has one, and tells v what it
// holds. A file without a checksum must end where Core's ends.
func readDump(fsys vfs.FS, path string, v dumpVisitor) (err error) {
	file, err := fsys.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	size, err := unsummed(file, info.Size())
	if err != nil {
		return err
	}
	r, err := openDump(io.NewSectionReader(file, 0, size))
	if err != nil {
		return err
	}
	return r.run(v)
}

// unsummed takes the checksum at the end of a file off its size.
func unsummed(file io.ReaderAt, size int64) (int64, error) {
	const tail = int64(len(sumHeading) + sha256.Size)
	if size < tail {
		return size, nil
	}
	end := make([]byte, tail)
	if _, err := file.ReadAt(end, size-tail); err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(end, []byte(sumHeading)) {
		return size, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, size-tail)); err != nil {
		return 0, err
	}
	if !bytes.Equal(sum.Sum(nil), end[len(sumHeading):]) {
		return 0, ErrDamagedDump
	}
	return size - tail, nil
}

// xorReader undoes the XOR.
type xorReader struct {
	src io.Reader
	key []byte
	at  int
}

// Read implements io.Reader.
func (r *xorReader) Read(b []byte) (int, error) {
	n, err := r.src.Read(b)
	xor(b[:n], r.key, r.at)
	r.at += n
	return n, err
}

// dumpReader reads the parts of a file.
type dumpReader struct{ src *bufio.Reader }

func (r *dumpReader) run(v dumpVisitor) error {
	n, err := r.u64()
	if err != nil {
		return err
	}
	for ; n > 0; n-- {
		if err := r.waiting(v); err != nil {
			return err
		}
	}
	if err := r.list(func(txid chainhash.Hash) error {
		delta, err := r.u64()
		if err != nil {
			return err
		}
		return v.delta(txid, int64(delta))
	}); err != nil {
		return err
	}
	if err := r.list(v.own); err != nil {
		return err
	}
	if _, err := r.src.Peek(1); !errors.Is(err, io.EOF) {
		return ErrDamagedDump
	}
	return nil
}

// openDump reads version and key.
func openDump(section *io.SectionReader) (*dumpReader, error) {
	head := &dumpReader{bufio.NewReaderSize(io.NewSectionReader(section, 0, 17), 17)}
	version, err := head.u64()
	body := &xorReader{src: section}
	switch {
	case err != nil:
		return nil, err
	case version == dumpXORed:
		n, err := head.bytes(1)
		if err != nil || n[0] != dumpKeyBytes {
			return nil, orDamaged(err)
		}
		if body.key, err = head.bytes(dumpKeyBytes); err != nil {
			return nil, err
		}
		body.at = 8 + 1 + dumpKeyBytes
	case version == dumpPlain:
		body.at = 8
	default:
		return nil, ErrDamagedDump
	}
	if _, err := section.Seek(int64(body.at), io.SeekStart); err != nil {
		return nil, err
	}
	return &dumpReader{bufio.NewReaderSize(body, params.MaxBlockBytes)}, nil
}

// waiting reads one transaction with its time and delta.
func (r *dumpReader) waiting(v dumpVisitor) error {
	tx, err := r.transaction()
	if err != nil {
		return err
	}
	added, err := r.u64()
	if err != nil {
		return err
	}
	delta, err := r.u64()
	if err != nil {
		return err
	}
	return v.tx(tx, time.Unix(int64(added), 0), int64(delta))
}

// usualTxBytes is how far is looked ahead first.
const usualTxBytes = 16 << 10

func (r *dumpReader) transaction() (*state.Tx, error) {
	for _, ahead := range []int{usualTxBytes, params.MaxBlockBytes} {
		window, err := r.src.Peek(ahead)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if tx, _, err := state.DecodeTxPrefix(window); err == nil {
			raw := bytes.Clone(tx.Raw)
			if _, err := r.src.Discard(len(raw)); err != nil {
				return nil, err
			}
			return state.DecodeTx(raw)
		}
	}
	return nil, ErrDamagedDump
}

// list reads a count and as many hashes with what item reads behind each.
func (r *dumpReader) list(item func(chainhash.Hash) error) error {
	n, err := r.compact()
	for ; n > 0 && err == nil; n-- {
		var txid []byte
		if txid, err = r.bytes(chainhash.HashSize); err == nil {
			err = item(chainhash.Hash(txid))
		}
	}
	return err
}

func (r *dumpReader) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(r.src, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, ErrDamagedDump
	}
	return b, err
}

func (r *dumpReader) u64() (uint64, error) {
	b, err := r.bytes(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// compact reads a number in Bitcoin's short form.
func (r *dumpReader) compact() (uint64, error) {
	first, err := r.bytes(1)
	if err != nil {
		return 0, err
	}
	width := map[byte]int{0xfd: 2, 0xfe: 4, 0xff: 8}[first[0]]
	if width == 0 {
		return uint64(first[0]), nil
	}
	b, err := r.bytes(width)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(append(b, make([]byte, 8-width)...)), nil
}

func orDamaged(err error) error {
	if err == nil {
		return ErrDamagedDump
	}
	return err
}

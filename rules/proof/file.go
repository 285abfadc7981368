package proof

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kind says what a proof file holds.
type Kind uint8

// The kinds of files.
const (
	KindProof   Kind = 1 // an Anchor and tree proofs
	KindAudit   Kind = 2 // the charter, an Anchor and every key of the state
	KindHeaders Kind = 3 // the charter and the headers of its chain
)

// String is the word for a person.
func (k Kind) String() string {
	switch k {
	case KindProof:
		return "a reserve proof"
	case KindAudit:
		return "a whole audit"
	case KindHeaders:
		return "a list of headers"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// fileVersion is the only version of the files that this program knows. In
// version 1 a proof held the whole charter, and a header file its id alone.
const fileVersion = 2

// fileMagic begins every file.
var fileMagic = [4]byte{'G', 'r', 'P', 'f'}

// prefixBytes is the length of magic, version and kind.
const prefixBytes = 6

func appendPrefix(b []byte, kind Kind) []byte {
	return append(append(b, fileMagic[:]...), fileVersion, byte(kind))
}

// Bounds of what a file may hold.
const (
	// MaxProofBytes bounds an encoded Proof.
	MaxProofBytes = 4 << 20
	// maxCoinbaseBytes is the most a block's weight lets a transaction
	// without witness have.
	maxCoinbaseBytes = 1_000_000
	// maxBranch is above the depth of any block's Merkle tree.
	maxBranch = 16
	// maxEntries bounds the tree proofs of a Proof.
	maxEntries = 256
	// maxEntryBytes bounds one of them.
	maxEntryBytes = 64 << 10
	// maxValueBytes bounds a value in an audit; a pending change, the longest,
	// has less than 20,000 bytes.
	maxValueBytes = 64 << 10
)

// ErrNotAFile is what errors wrap where bytes are not one of our files at all.
var ErrNotAFile = errors.New("this is not a file of granary proof: make one with granary proof make")

// OpenFile reads the beginning of a file and says what it holds; the rest is
// read by Decode (with the whole file), VerifyAudit or OpenHeaders, which get r
// as it is now.
func OpenFile(r *bufio.Reader) (Kind, error) {
	b, err := r.Peek(prefixBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("cannot read the file: %w", err)
	}
	if len(b) < prefixBytes || [4]byte(b) != fileMagic {
		return 0, ErrNotAFile
	}
	switch version := b[4]; {
	case version < fileVersion:
		return 0, fmt.Errorf("the file has version %d, this program reads version %d: make it anew", version, fileVersion)
	case version > fileVersion:
		return 0, fmt.Errorf("the file has version %d, this program reads version %d: use a newer program", version, fileVersion)
	}
	return Kind(b[5]), nil
}

// reader takes a file apart; after an error everything is zero.
type reader struct {
	r    *bufio.Reader
	read int64
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// full fills b.
func (r *reader) full(b []byte) {
	if r.err != nil {
		clear(b)
		return
	}
	n, err := io.ReadFull(r.r, b)
	r.read += int64(n)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		r.fail("the file ends too early, after %d bytes: it was cut off", r.read)
	case err != nil:
		r.fail("cannot read the file: %w", err)
	}
}

// bytes gives n bytes, at most limit; what names them in errors. Memory grows
// with what is really there.
func (r *reader) bytes(n, limit int, what string) []byte {
	if n > limit {
		r.fail("%s has %d bytes, at most %d are allowed", what, n, limit)
	}
	if r.err != nil {
		return nil
	}
	const step = 64 << 10
	b := make([]byte, 0, min(n, step))
	for len(b) < n && r.err == nil {
		at := len(b)
		b = append(b, make([]byte, min(n-at, step))...)
		r.full(b[at:])
	}
	return b
}

func (r *reader) u8() int {
	var b [1]byte
	r.full(b[:])
	return int(b[0])
}

func (r *reader) u16() int {
	var b [2]byte
	r.full(b[:])
	return int(binary.LittleEndian.Uint16(b[:]))
}

func (r *reader) u32() int {
	var b [4]byte
	r.full(b[:])
	return int(binary.LittleEndian.Uint32(b[:]))
}

func (r *reader) hash() (h [32]byte) {
	r.full(h[:])
	return h
}

// prefix reads the beginning of a file of one kind.
func (r *reader) prefix(kind Kind) {
	got, err := OpenFile(r.r)
	if err == nil && got != kind {
		err = fmt.Errorf("the file holds %v, not %v", got, kind)
	}
	if err != nil && r.err == nil {
		r.err = err
	}
	var b [prefixBytes]byte
	r.full(b[:])
}

// end fails where anything is left.
func (r *reader) end() error {
	if r.err == nil {
		if _, err := r.r.ReadByte(); err == nil {
			r.fail("the file goes on after its end, at byte %d", r.read)
		} else if !errors.Is(err, io.EOF) {
			r.fail("cannot read the file: %w", err)
		}
	}
	return r.err
}

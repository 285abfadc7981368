package message

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// Severity says what a malformed message means for the link that brought it.
// It follows Bitcoin Core: what it cannot read it drops, what it can read and
// is beyond a bound of the protocol it punishes.
type Severity uint8

const (
	// Drop the message and go on.
	Drop Severity = iota
	// Cut the link, without memory of it.
	Cut
	// Punish: cut the link and discourage the address.
	Punish
)

// Malformed is the error of Decode: the peer's fault.
type Malformed struct {
	Name     string // the command
	Severity Severity
	Detail   string
}

func (m *Malformed) Error() string { return m.Name + " message: " + m.Detail }

// maxCompactSize is the largest count or length that Bitcoin Core reads.
const maxCompactSize = 0x02000000

// reader walks over a payload and keeps the first thing that is wrong; after
// that everything it gives is zero.
type reader struct {
	rest     []byte
	wrong    string
	severity Severity
}

func (r *reader) fail(severity Severity, format string, args ...any) {
	if r.wrong == "" {
		r.wrong, r.severity, r.rest = fmt.Sprintf(format, args...), severity, nil
	}
}

// failed reports whether something was wrong so far.
func (r *reader) failed() bool { return r.wrong != "" }

// bytes gives the next n bytes, which alias the payload; nil beyond the end.
func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.fail(Drop, "%d bytes wanted, %d left", n, len(r.rest))
		return nil
	}
	head := r.rest[:n:n]
	r.rest = r.rest[n:]
	return head
}

func (r *reader) number(n int) uint64 {
	var b [8]byte
	copy(b[:], r.bytes(n))
	return binary.LittleEndian.Uint64(b[:])
}

func (r *reader) u8() uint8   { return uint8(r.number(1)) }
func (r *reader) u32() uint32 { return uint32(r.number(4)) }
func (r *reader) u64() uint64 { return r.number(8) }
func (r *reader) flag() bool  { return r.u8() != 0 }

// port reads the one number that the protocol has in network order.
func (r *reader) port() uint16 {
	var b [2]byte
	copy(b[:], r.bytes(2))
	return binary.BigEndian.Uint16(b[:])
}

func (r *reader) hash() (h chainhash.Hash) {
	copy(h[:], r.bytes(len(h)))
	return h
}

// wide reads a CompactSize of any value in its shortest form.
func (r *reader) wide() uint64 {
	first := r.u8()
	if first < 0xfd {
		return uint64(first)
	}
	width := 2 << (first - 0xfd)
	n := r.number(width)
	if least := [...]uint64{0xfd, 0x1_0000, 0x1_0000_0000}[first-0xfd]; n < least && !r.failed() {
		r.fail(Drop, "length %d is not in its shortest form", n)
		return 0
	}
	return n
}

// size reads a CompactSize that is a count or a length.
func (r *reader) size() int {
	n := r.wide()
	if n > maxCompactSize {
		r.fail(Drop, "length %d is beyond %d", n, maxCompactSize)
		return 0
	}
	return int(n)
}

// count reads how many parts follow, each of at least partBytes. More than
// most is a failure of the given severity; more than the bytes that are left
// can hold is one before anything is allocated.
func (r *reader) count(partBytes, most int, beyond Severity) int {
	n := r.size()
	if n > most {
		r.fail(beyond, "%d parts, the most are %d", n, most)
		return 0
	}
	if n > len(r.rest)/partBytes {
		r.fail(Drop, "%d parts cannot lie in the %d bytes left", n, len(r.rest))
		return 0
	}
	return n
}

// hashes reads a counted list of hashes.
func (r *reader) hashes(most int, beyond Severity) []chainhash.Hash {
	list := make([]chainhash.Hash, r.count(chainhash.HashSize, most, beyond))
	for i := range list {
		list[i] = r.hash()
	}
	return list
}

func (r *reader) header() wire.BlockHeader {
	raw := r.bytes(state.HeaderBytes)
	if raw == nil {
		return wire.BlockHeader{}
	}
	header, err := state.DecodeHeader(raw)
	if err != nil {
		r.fail(Drop, "%v", err)
		return wire.BlockHeader{}
	}
	return *header
}

// tx reads the transaction at the front; nil where there is none.
func (r *reader) tx() *state.Tx {
	if r.failed() {
		return nil
	}
	tx, rest, err := state.DecodeTxPrefix(r.rest)
	if err != nil {
		r.fail(Drop, "%v", err)
		return nil
	}
	r.rest = rest
	return tx
}

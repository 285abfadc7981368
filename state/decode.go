package state

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/hash"
	"granary/params"
)

// HeaderBytes is the length of a serialized block header.
const HeaderBytes = 80

// DecodeBlock decodes a whole block and computes all its ids. The block keeps
// raw and its scripts and witnesses alias it: the caller gives raw away. It
// takes exactly what Bitcoin Core's deserialiser takes (no rule of validity
// is looked at), refuses trailing bytes, and allocates one slab per kind of
// part, in all at most a constant times len(raw). raw longer than any valid
// block is refused unread.
//
// The error is a RuleError of Kind Mutated, code "bad-block-encoding"
// ("bad-blk-length" for too long a raw): nothing is known about the block
// that the header may name.
func DecodeBlock(raw []byte) (*Block, error) {
	if len(raw) > params.MaxBlockBytes {
		return nil, check.RuleKind(check.Mutated, "bad-blk-length",
			"%d bytes, the most a block can have is %d", len(raw), params.MaxBlockBytes)
	}
	layouts, total, err := surveyBlock(raw)
	if err != nil {
		return nil, check.RuleKind(check.Mutated, "bad-block-encoding", "%v", err)
	}
	b := &Block{
		Msg:       &wire.MsgBlock{Header: readHeader(raw)},
		Raw:       raw,
		Hash:      hash.Double(raw[:HeaderBytes]),
		TxOffsets: make([]uint32, len(layouts)+1),
	}
	b.Msg.Transactions = newSlabs(total, len(layouts)).fill(raw, layouts)
	b.StrippedBytes = len(raw)
	for i := range layouts {
		b.TxOffsets[i] = uint32(layouts[i].start)
		b.StrippedBytes -= layouts[i].witnessBytes()
	}
	b.TxOffsets[len(layouts)] = uint32(len(raw))
	b.Txids, b.Wtxids = hashAll(raw, layouts)
	return b, nil
}

// DecodeHeader decodes the 80 bytes of a block header; any other length is a
// RuleError with code "bad-header-encoding".
func DecodeHeader(raw []byte) (*wire.BlockHeader, error) {
	if len(raw) != HeaderBytes {
		return nil, check.RuleKind(check.Mutated, "bad-header-encoding",
			"%d bytes, a header has %d", len(raw), HeaderBytes)
	}
	header := readHeader(raw)
	return &header, nil
}

// readHeader reads the header at the start of raw, which is long enough.
func readHeader(raw []byte) wire.BlockHeader {
	le := binary.LittleEndian
	return wire.BlockHeader{
		Version:    int32(le.Uint32(raw)),
		PrevBlock:  chainhash.Hash(raw[4:36]),
		MerkleRoot: chainhash.Hash(raw[36:68]),
		Timestamp:  time.Unix(int64(le.Uint32(raw[68:])), 0),
		Bits:       le.Uint32(raw[72:]),
		Nonce:      le.Uint32(raw[76:]),
	}
}

// surveyBlock walks over a block once: where its transactions lie and how
// many parts they have together.
func surveyBlock(raw []byte) ([]txLayout, counts, error) {
	var total counts
	if len(raw) < HeaderBytes {
		return nil, total, fmt.Errorf("%d bytes are no header", len(raw))
	}
	s := scanner{raw: raw, pos: HeaderBytes}
	n := s.count(minTxBytes)
	layouts := make([]txLayout, n)
	for i := range layouts {
		layouts[i] = s.tx()
		if s.err != nil {
			return nil, total, fmt.Errorf("transaction %d: %w", i, s.err)
		}
		total.add(&layouts[i])
	}
	if s.err == nil && s.pos != len(raw) {
		s.fail("%d bytes too many at the end", len(raw)-s.pos)
	}
	return layouts, total, s.err
}

// hashAll computes txids and wtxids straight from the bytes.
func hashAll(raw []byte, layouts []txLayout) (txids, wtxids []chainhash.Hash) {
	ids := make([]chainhash.Hash, 2*len(layouts))
	txids, wtxids = ids[:len(layouts):len(layouts)], ids[len(layouts):]
	var stream hash.Stream
	for i := range layouts {
		txids[i], wtxids[i] = layouts[i].ids(raw, &stream)
	}
	return txids, wtxids
}

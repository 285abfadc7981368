package state

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/hash"
	"granary/params"
)

// The fewest bytes that a part can be encoded in; they bound every count by
// the bytes that are left, before anything is allocated.
const (
	minTxBytes      = 4 + 1 + 1 + 4
	minTxInBytes    = 36 + 1 + 4
	minTxOutBytes   = 8 + 1
	minWitnessBytes = 1

	// maxCompactSize is the largest count or length that Bitcoin Core reads.
	maxCompactSize = 0x02000000
)

// DecodeTx decodes one transaction, with or without witness, and computes its
// ids. The transaction keeps raw and aliases it: the caller gives raw away.
// It is as strict as Bitcoin Core's deserialiser (a witness marker without
// witness and counts not in their shortest form are refused) and refuses
// trailing bytes. The error is a RuleError of Kind Mutated with code
// "bad-tx-encoding", or "bad-txns-oversize" for more bytes than a block can
// hold.
func DecodeTx(raw []byte) (*Tx, error) {
	if len(raw) > params.MaxBlockBytes {
		return nil, check.RuleKind(check.Mutated, "bad-txns-oversize",
			"%d bytes, the most a block can hold is %d", len(raw), params.MaxBlockBytes)
	}
	tx, rest, err := DecodeTxPrefix(raw)
	if err == nil && len(rest) > 0 {
		return nil, check.RuleKind(check.Mutated, "bad-tx-encoding",
			"offset %d: %d bytes too many at the end", len(tx.Raw), len(rest))
	}
	return tx, err
}

// DecodeTxPrefix decodes the transaction at the front of raw as DecodeTx does
// and gives the bytes behind it. The transaction aliases raw.
func DecodeTxPrefix(raw []byte) (tx *Tx, rest []byte, err error) {
	s := scanner{raw: raw}
	layout := s.tx()
	if s.err != nil {
		return nil, nil, check.RuleKind(check.Mutated, "bad-tx-encoding", "%v", s.err)
	}
	raw, rest = raw[:s.pos:s.pos], raw[s.pos:]
	var total counts
	total.add(&layout)
	layouts := [1]txLayout{layout}
	tx = &Tx{Msg: newSlabs(total, 1).fill(raw, layouts[:])[0], Raw: raw}
	var stream hash.Stream
	tx.Txid, tx.Wtxid = layout.ids(raw, &stream)
	return tx, rest, nil
}

// counts are the parts of one or many transactions.
type counts struct{ ins, outs, items int }

func (c *counts) add(l *txLayout) {
	c.ins += l.ins
	c.outs += l.outs
	c.items += l.items
}

// txLayout says where the parts of one transaction lie in the bytes: version
// at start, inputs and outputs from body to witness, locktime in the last
// four bytes before end.
type txLayout struct {
	start, body, witness, end int
	counts
	hasWitness bool
}

// witnessBytes is what the stripped form leaves out: marker, flag, witness.
func (l *txLayout) witnessBytes() int {
	if !l.hasWitness {
		return 0
	}
	return 2 + (l.end - 4 - l.witness)
}

// ids gives txid and wtxid, hashed from the bytes as they lie.
func (l *txLayout) ids(raw []byte, stream *hash.Stream) (txid, wtxid chainhash.Hash) {
	wtxid = hash.Double(raw[l.start:l.end])
	if !l.hasWitness {
		return wtxid, wtxid
	}
	txid = stream.Double(raw[l.start:l.start+4], raw[l.body:l.witness], raw[l.end-4:l.end])
	return txid, wtxid
}

// scanner walks over bytes and keeps the first thing that is wrong; after
// that every step is a no-op.
type scanner struct {
	raw []byte
	pos int
	err error
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("offset %d: "+format, append([]any{s.pos}, args...)...)
	}
}

// skip steps over n bytes.
func (s *scanner) skip(n int) {
	if s.err != nil {
		return
	}
	if left := len(s.raw) - s.pos; n > left {
		s.fail("%d bytes wanted, %d left", n, left)
		return
	}
	s.pos += n
}

// compactSize reads a count or length in its shortest form.
func (s *scanner) compactSize() int {
	if s.err != nil {
		return 0
	}
	n, width, canonical := compactSizeAt(s.raw[s.pos:])
	switch {
	case width == 0:
		s.fail("bytes end within a length")
	case !canonical:
		s.fail("length %d is not in its shortest form", n)
	case n > maxCompactSize:
		s.fail("length %d is beyond %d", n, maxCompactSize)
	default:
		s.pos += width
		return int(n)
	}
	return 0
}

// compactSizeAt reads a CompactSize; width is 0 where the bytes end too soon.
func compactSizeAt(b []byte) (n uint64, width int, canonical bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	le := binary.LittleEndian
	switch first := b[0]; {
	case first < 0xfd:
		return uint64(first), 1, true
	case first == 0xfd && len(b) >= 3:
		n = uint64(le.Uint16(b[1:]))
		return n, 3, n >= 0xfd
	case first == 0xfe && len(b) >= 5:
		n = uint64(le.Uint32(b[1:]))
		return n, 5, n > 0xffff
	case first == 0xff && len(b) >= 9:
		n = le.Uint64(b[1:])
		return n, 9, n > 0xffffffff
	}
	return 0, 0, false
}

// count reads how many parts follow, each of at least minBytes.
func (s *scanner) count(minBytes int) int {
	n := s.compactSize()
	if left := len(s.raw) - s.pos; s.err == nil && n > left/minBytes {
		s.fail("%d parts cannot lie in the %d bytes left", n, left)
		return 0
	}
	return n
}

// tx walks over one transaction. A first count of zero is either the witness
// marker or, with a flag of zero, a transaction without inputs and outputs,
// which decodes and which a later rule refuses.
func (s *scanner) tx() txLayout {
	l := txLayout{start: s.pos}
	s.skip(4)
	l.body = s.pos
	l.ins = s.inputs()
	switch {
	case l.ins > 0 || s.err != nil:
		l.outs = s.outputs()
	default:
		s.afterMarker(&l)
	}
	if l.witness == 0 {
		l.witness = s.pos
	}
	s.skip(4)
	l.end = s.pos
	return l
}

// afterMarker goes on behind an input count of zero.
func (s *scanner) afterMarker(l *txLayout) {
	s.skip(1)
	if s.err != nil {
		return
	}
	flag := s.raw[s.pos-1]
	if flag == 0 {
		return // no inputs, no outputs
	}
	l.body = s.pos
	l.ins = s.inputs()
	l.outs = s.outputs()
	l.witness = s.pos
	if flag != 1 {
		s.fail("unknown transaction flag %d", flag)
		return
	}
	l.hasWitness = true
	for range l.ins {
		l.items += s.witness()
		if s.err != nil {
			return
		}
	}
	if l.items == 0 {
		s.fail("witness marker without a witness")
	}
}

func (s *scanner) inputs() int {
	n := s.count(minTxInBytes)
	for range n {
		s.skip(36)
		s.skip(s.compactSize())
		s.skip(4)
		if s.err != nil {
			return 0
		}
	}
	return n
}

func (s *scanner) outputs() int {
	n := s.count(minTxOutBytes)
	for range n {
		s.skip(8)
		s.skip(s.compactSize())
		if s.err != nil {
			return 0
		}
	}
	return n
}

func (s *scanner) witness() int {
	n := s.count(minWitnessBytes)
	for range n {
		s.skip(s.compactSize())
		if s.err != nil {
			return 0
		}
	}
	return n
}

// slabs hold the decoded parts of many transactions, one allocation per kind.
type slabs struct {
	txs     []wire.MsgTx
	txPtrs  []*wire.MsgTx
	ins     []wire.TxIn
	inPtrs  []*wire.TxIn
	outs    []wire.TxOut
	outPtrs []*wire.TxOut
	items   [][]byte
}

func newSlabs(total counts, txs int) *slabs {
	return &slabs{
		txs: make([]wire.MsgTx, txs), txPtrs: make([]*wire.MsgTx, txs),
		ins: make([]wire.TxIn, total.ins), inPtrs: make([]*wire.TxIn, total.ins),
		outs: make([]wire.TxOut, total.outs), outPtrs: make([]*wire.TxOut, total.outs),
		items: make([][]byte, total.items),
	}
}

// fill decodes what was surveyed; the layouts promise that every part is
// there.
func (sl *slabs) fill(raw []byte, layouts []txLayout) []*wire.MsgTx {
	for i := range layouts {
		sl.txPtrs[i] = &sl.txs[i]
		sl.fillTx(&sl.txs[i], raw, &layouts[i])
	}
	return sl.txPtrs
}

func (sl *slabs) fillTx(tx *wire.MsgTx, raw []byte, l *txLayout) {
	le := binary.LittleEndian
	tx.Version = int32(le.Uint32(raw[l.start:]))
	tx.LockTime = le.Uint32(raw[l.end-4:])
	tx.TxIn, sl.inPtrs = sl.inPtrs[:l.ins:l.ins], sl.inPtrs[l.ins:]
	tx.TxOut, sl.outPtrs = sl.outPtrs[:l.outs:l.outs], sl.outPtrs[l.outs:]
	if l.ins == 0 && l.outs == 0 {
		return
	}
	c := cursor{raw: raw, pos: l.body}
	c.length()
	for i := range tx.TxIn {
		in := &sl.ins[i]
		copy(in.PreviousOutPoint.Hash[:], raw[c.pos:])
		in.PreviousOutPoint.Index = le.Uint32(raw[c.pos+32:])
		c.pos += 36
		in.SignatureScript = c.bytes()
		in.Sequence = le.Uint32(raw[c.pos:])
		c.pos += 4
		tx.TxIn[i] = in
	}
	sl.ins = sl.ins[l.ins:]
	c.length()
	for i := range tx.TxOut {
		out := &sl.outs[i]
		out.Value = int64(le.Uint64(raw[c.pos:]))
		c.pos += 8
		out.PkScript = c.bytes()
		tx.TxOut[i] = out
	}
	sl.outs = sl.outs[l.outs:]
	if l.hasWitness {
		sl.fillWitness(tx, &c)
	}
}

func (sl *slabs) fillWitness(tx *wire.MsgTx, c *cursor) {
	for _, in := range tx.TxIn {
		n := c.length()
		if n == 0 {
			continue
		}
		in.Witness, sl.items = sl.items[:n:n], sl.items[n:]
		for i := range in.Witness {
			in.Witness[i] = c.bytes()
		}
	}
}

// cursor reads bytes that were surveyed before.
type cursor struct {
	raw []byte
	pos int
}

func (c *cursor) length() int {
	if first := c.raw[c.pos]; first < 0xfd {
		c.pos++
		return int(first)
	}
	n, width, _ := compactSizeAt(c.raw[c.pos:])
	c.pos += width
	return int(n)
}

// bytes gives a length-prefixed part, capped so that an append to it copies.
func (c *cursor) bytes() []byte {
	n := c.length()
	part := c.raw[c.pos : c.pos+n : c.pos+n]
	c.pos += n
	return part
}

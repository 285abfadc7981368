package sync

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"

	"granary/params"
	"granary/state"
)

// Bounds of the two passes over headers of little work. A header of the second
// pass is kept when redownloadMax/commitEvery bits above it have come back as
// in the first: 24, so that a chain that differs passes once in 16 million.
const (
	commitEvery   = 600
	redownloadMax = 24 * commitEvery
	// lowPeersMax peers may be in these passes at a time.
	lowPeersMax = 16
	// blocksPerSecondMax is how fast block times can run: the median of eleven
	// grows by a second in six blocks.
	blocksPerSecondMax = 6
)

// presync looks at a peer's headers in two passes; see the package's doc.
type presync struct {
	net    *params.Network
	start  *state.Header // the last header that is in the tree
	need   uint256.Int
	secret sipKey
	offset int32 // heights that are this modulo commitEvery give a bit
	most   int64 // bits that a chain can have whose times hold

	bits   []uint64
	nbits  int64
	second bool
	pass   walk // of the pass under way

	// of the second pass
	kept    []shortHeader
	keptTo  chainhash.Hash // parent of the first that is kept
	read    int64          // bits compared
	passAll bool           // the work is there: everything goes
}

// walk is where a pass stands.
type walk struct {
	height int32
	hash   chainhash.Hash
	bits   uint32
	work   uint256.Int
}

// shortHeader is a header without its parent's hash, which the one before has.
type shortHeader struct {
	version     int32
	merkle      chainhash.Hash
	time        uint32
	bits, nonce uint32
}

func newPresync(net *params.Network, start *state.Header, need uint256.Int, nowUnix int64, secret sipKey, offset uint64) *presync {
	s := &presync{net: net, start: start, need: need, secret: secret, offset: int32(offset % commitEvery)}
	seconds := nowUnix + params.MaxFutureSeconds - start.MedianTimePast()
	s.most = blocksPerSecondMax * max(seconds, 0) / commitEvery
	s.begin()
	return s
}

// begin sets a pass to the start.
func (s *presync) begin() {
	s.pass = walk{s.start.Height, s.start.Hash, s.start.Raw.Bits, s.start.Work}
}

// height is how far the pass has come.
func (s *presync) height() int32 { return s.pass.height }

// feed takes the next headers of the peer. released are to be kept; more says
// that the peer is to be asked for what follows s.locator. Where neither, the
// passes are over: the chain has too little work, or the peer gave another one.
func (s *presync) feed(headers []wire.BlockHeader, hashes []chainhash.Hash, full bool) (released []wire.BlockHeader, more bool) {
	for i := range headers {
		if !s.step(&headers[i], hashes[i]) {
			return released, false
		}
	}
	switch {
	case s.second && s.passAll:
		return s.release(0), false
	case s.second:
		return s.release(redownloadMax), full
	case !s.pass.work.Lt(&s.need):
		s.second = true
		s.keptTo = s.start.Hash
		s.begin()
		return nil, true
	}
	return nil, full
}

// step takes one header in the pass under way.
func (s *presync) step(h *wire.BlockHeader, hash chainhash.Hash) bool {
	if h.PrevBlock != s.pass.hash || !s.mayFollow(h.Bits) {
		return false
	}
	one := state.WorkOf(h.Bits)
	s.pass.work.Add(&s.pass.work, &one)
	s.pass.height++
	s.pass.hash, s.pass.bits = hash, h.Bits
	if s.second {
		return s.compare(h, hash)
	}
	if s.pass.height%commitEvery == s.offset {
		if s.nbits >= s.most {
			return false // no chain of this age is so long
		}
		s.commit(s.bit(hash))
	}
	return true
}

// compare holds a header of the second pass against the first and keeps it.
func (s *presync) compare(h *wire.BlockHeader, hash chainhash.Hash) bool {
	s.passAll = s.passAll || !s.pass.work.Lt(&s.need)
	if !s.passAll && s.pass.height%commitEvery == s.offset {
		if s.read >= s.nbits || s.bits[s.read/64]>>(s.read%64)&1 != s.bit(hash) {
			return false
		}
		s.read++
	}
	s.kept = append(s.kept, shortHeader{h.Version, h.MerkleRoot, uint32(h.Timestamp.Unix()), h.Bits, h.Nonce})
	return true
}

func (s *presync) bit(hash chainhash.Hash) uint64 { return s.secret.sum(&hash) & 1 }

func (s *presync) commit(bit uint64) {
	if s.nbits%64 == 0 {
		s.bits = append(s.bits, 0)
	}
	s.bits[s.nbits/64] |= bit << (s.nbits % 64)
	s.nbits++
}

// release gives the oldest kept headers but for the last left ones.
func (s *presync) release(left int) []wire.BlockHeader {
	n := len(s.kept) - left
	if n <= 0 {
		return nil
	}
	headers := make([]wire.BlockHeader, n)
	for i := range headers {
		headers[i] = s.kept[i].whole(s.keptTo)
		s.keptTo = headers[i].BlockHash()
	}
	s.kept = append(s.kept[:0], s.kept[n:]...)
	return headers
}

// locator asks for what follows the pass.
func (s *presync) locator() []chainhash.Hash {
	return append([]chainhash.Hash{s.pass.hash}, locatorOf(s.start)...)
}

// mayFollow reports whether a header with these bits can follow the last one:
// the same difficulty, and a quarter to four times it where a period begins.
func (s *presync) mayFollow(bits uint32) bool {
	if s.net.AllowMinDifficulty {
		return true
	}
	if (s.pass.height+1)%s.net.RetargetInterval() != 0 {
		return bits == s.pass.bits
	}
	old, _ := state.TargetOf(s.pass.bits)
	low, _ := state.TargetOf(s.pass.bits)
	low.Rsh(&low, 2)
	high := old
	if _, over := high.MulOverflow(&high, uint256.NewInt(4)); over || high.Gt(&s.net.PowLimit) {
		high = s.net.PowLimit
	}
	// The rules compare what compact bits can say.
	low, _ = state.TargetOf(state.BitsOf(&low))
	high, _ = state.TargetOf(state.BitsOf(&high))
	target, ok := state.TargetOf(bits)
	return ok && !target.Lt(&low) && !target.Gt(&high)
}

// beginLow starts the passes with a full message.
func (m *Manager) beginLow(r *remote, parent *state.Header, headers []wire.BlockHeader, hashes []chainhash.Hash) {
	low := 0
	for _, other := range m.peers {
		if other.headers.low != nil {
			low++
		}
	}
	if low >= lowPeersMax && !r.preferred() {
		m.Log.Debug("no room to look at headers with little work", "peer", r.id)
		return
	}
	key := sipKey{m.Rand.Uint64(), m.Rand.Uint64()}
	r.headers.low = newPresync(m.Net, parent, m.workNeeded(r), m.Clock.Now().Unix(), key, m.Rand.Uint64())
	m.feedLow(r, headers, hashes, true)
}

// feedLow gives headers to the passes of a peer and asks for more. What it
// gives, which may be nothing, is to be kept.
func (m *Manager) feedLow(r *remote, headers []wire.BlockHeader, hashes []chainhash.Hash, full bool) []wire.BlockHeader {
	low := r.headers.low
	released, more := low.feed(headers, hashes, full)
	if more {
		m.askHeaders(r, low.locator())
	} else {
		last := low.pass.hash
		r.headers.low = nil
		if low.passAll && full {
			m.askHeaders(r, append([]chainhash.Hash{last}, locatorOf(low.start)...))
		}
	}
	return released
}

// whole gives the header below parent.
func (h *shortHeader) whole(parent chainhash.Hash) wire.BlockHeader {
	return wire.BlockHeader{
		Version: h.version, PrevBlock: parent, MerkleRoot: h.merkle,
		Timestamp: time.Unix(int64(h.time), 0), Bits: h.bits, Nonce: h.nonce,
	}
}

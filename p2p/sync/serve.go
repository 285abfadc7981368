package sync

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
	"granary/state"
)

// Bounds of serving.
const (
	// locatorMax hashes may name a branch.
	locatorMax = 101
	// blocksInvMax hashes answer one getblocks.
	blocksInvMax = 500
	// requestsMax blocks that a peer asked for may wait.
	requestsMax = message.MaxItems
	// indexesMax are the places in all getblocktxn that wait: more than the
	// largest two blocks have.
	indexesMax = 1 << 17
	// backlogBytes wait in the queue of one peer before it gets its next block;
	// backlogAllBytes in all queues, but every peer gets one.
	backlogBytes, backlogAllBytes = peer.PaceBytes, 64 << 20
	// blocksAtOnce are read for one peer before the others have their turn.
	blocksAtOnce = 32
	// decodeBytesMax of blocks are decoded in decodeEvery (or decodeTicks, for
	// a clock that stands) for all who ask for single transactions, or for
	// blocks without witnesses: a short message may ask for work of 30 ms.
	decodeBytesMax, decodeEvery, decodeTicks = 4_000_000, 100 * time.Millisecond, 500
	// limitedSlack is added to the last blocks that a pruned node serves.
	limitedSlack = 2
	// historicalAge makes a block one of those that the upload target is for.
	historicalAge = 7 * 24 * time.Hour
	// staleAge is how old a block off the best chain may be to be served:
	// an older one would tell who asks what this node saw long ago.
	staleAge = 30 * 24 * time.Hour
)

// serving is what a peer has asked for and not been sent.
type serving struct {
	items    []request
	indexes  int            // in items
	goOn     chainhash.Hash // the last hash of a getblocks inv: serving it sends the next
	finished bool
}

// request is one block in one form, or some of its transactions.
type request struct {
	item message.Item
	txs  *message.GetBlockTxn
}

// receiveRequest takes the messages that ask us for something.
func (m *Manager) receiveRequest(r *remote, msg message.Message) bool {
	switch msg := msg.(type) {
	case *message.GetHeaders:
		m.onGetHeaders(r, &msg.Locator)
	case *message.GetBlocks:
		m.onGetBlocks(r, &msg.Locator)
	case *message.GetData:
		return m.onGetData(r, msg.Items)
	case *message.GetBlockTxn:
		m.enqueue(r, request{txs: msg})
		m.pump(r)
	default:
		return false
	}
	return true
}

// meets gives the first header of a locator that is in the best chain.
func (m *Manager) meets(l *message.Locator) *state.Header {
	tip := m.Chain.Tip()
	for _, hash := range l.Hashes {
		h := m.Chain.Header(hash)
		if h == nil {
			continue
		}
		if tip.Descends(h) {
			return h
		}
		if h.Descends(tip) {
			return tip
		}
	}
	return tip.Ancestor(0)
}

// onGetHeaders answers with up to 2,000 headers of the best chain. While our
// chain has less than the minimum work the answer is empty: nobody should
// follow it.
func (m *Manager) onGetHeaders(r *remote, l *message.Locator) {
	if len(l.Hashes) > locatorMax {
		r.link.Disconnect("locator with too many hashes")
		return
	}
	tip := m.Chain.Tip()
	if tip.Work.Lt(&m.MinimumWork) && !r.facts.Download {
		r.link.Send(&message.Headers{})
		return
	}
	var headers []wire.BlockHeader
	last := tip
	if len(l.Hashes) == 0 {
		h := m.Chain.Header(l.Stop)
		if h == nil || !m.mayServe(h) {
			return
		}
		headers, last = append(headers, h.Raw), h
	} else {
		from := m.meets(l)
		for _, h := range ancestors(tip, from.Height+1, min(tip.Height, from.Height+message.MaxHeaders)) {
			headers, last = append(headers, h.Raw), h
			if h.Hash == l.Stop {
				break
			}
		}
	}
	// Even an empty answer says that the peer has our tip.
	r.sent = last
	r.link.Send(&message.Headers{Headers: headers})
}

// onGetBlocks answers with an inv of up to 500 blocks of the best chain.
func (m *Manager) onGetBlocks(r *remote, l *message.Locator) {
	if len(l.Hashes) > locatorMax {
		r.link.Disconnect("locator with too many hashes")
		return
	}
	tip, from := m.Chain.Tip(), m.meets(l)
	var items []message.Item
	for _, h := range ancestors(tip, from.Height+1, min(tip.Height, from.Height+blocksInvMax)) {
		if h.Hash == l.Stop || m.Pruned && tip.Height-h.Height > params.MinBlocksToKeep {
			break
		}
		items = append(items, message.Item{Type: message.ItemBlock, Hash: h.Hash})
	}
	if len(items) == 0 {
		return
	}
	if len(items) == blocksInvMax {
		r.requests.goOn = items[len(items)-1].Hash
	}
	r.link.Send(&message.Inv{Items: items})
}

// onGetData notes which blocks are wanted, and reports whether there was
// nothing else.
func (m *Manager) onGetData(r *remote, items []message.Item) bool {
	whole := true
	for i := range items {
		if !isBlock(items[i].Type) {
			whole = false
			continue
		}
		if !m.enqueue(r, request{item: items[i]}) {
			return true
		}
	}
	m.pump(r)
	return whole
}

// enqueue lets a request wait for its turn.
func (m *Manager) enqueue(r *remote, q request) bool {
	if q.txs != nil {
		r.requests.indexes += len(q.txs.Indexes)
	}
	if len(r.requests.items) >= requestsMax || r.requests.indexes > indexesMax {
		r.requests = serving{finished: true}
		r.link.Disconnect("it asks for more of blocks than it reads")
		return false
	}
	r.requests.items = append(r.requests.items, q)
	return true
}

// decoding bounds what blocks cost that are decoded for others.
type decoding struct {
	bytes int
	since time.Time
	ticks int
	turn  int // who is first
}

// tick begins a new account where it is time.
func (d *decoding) tick(now time.Time) {
	since := now.Sub(d.since)
	if d.ticks++; since < 0 || since >= decodeEvery || d.ticks >= decodeTicks {
		*d = decoding{since: now, turn: d.turn + 1}
	}
}

// pumpAll gives everybody a turn, each time beginning with another.
func (m *Manager) pumpAll(now time.Time) {
	m.decoding.tick(now)
	for i := range m.peers {
		if r := m.peers[(i+m.decoding.turn)%len(m.peers)]; len(r.requests.items) > 0 {
			m.pump(r)
		}
	}
}

// pump sends r what it has asked for, as far as its queue has room.
func (m *Manager) pump(r *remote) {
	limit := backlogBytes
	if n := m.servedPeers(); n > 0 {
		limit = min(limit, backlogAllBytes/n)
	}
	for n := 0; n < blocksAtOnce && len(r.requests.items) > 0; n++ {
		if r.requests.finished || r.link.SendBacklogBytes() >= limit {
			return
		}
		next := r.requests.items[0]
		if m.decoding.bytes >= decodeBytesMax && m.mustDecode(&next) {
			return
		}
		r.requests.items[0] = request{}
		r.requests.items = r.requests.items[1:]
		if next.txs != nil {
			r.requests.indexes -= len(next.txs.Indexes)
			m.serveTxs(r, next.txs)
		} else {
			m.serveBlock(r, next.item)
		}
	}
}

// mustDecode reports whether a request may take decoding a block.
func (m *Manager) mustDecode(q *request) bool {
	hash := q.item.Hash
	switch {
	case q.txs != nil:
		hash = q.txs.Block
	case q.item.Type == message.ItemWitnessBlock:
		return false
	}
	h := m.Chain.Header(hash)
	return h != nil && h != m.recent.header && h != m.used.header
}

// servedPeers counts the peers with something in their queues or asked for.
func (m *Manager) servedPeers() int {
	n := 0
	for _, r := range m.peers {
		if len(r.requests.items) > 0 {
			n++
		}
	}
	return n
}

// mayServe: blocks of the best chain, and valid ones of the last month.
func (m *Manager) mayServe(h *state.Header) bool {
	tip := m.Chain.Tip()
	if tip.Descends(h) {
		return true
	}
	s := m.Chain.Status(h)
	if s.Status&state.StatusBlockValid == 0 || s.Failed() {
		return false
	}
	best := m.Chain.BestHeader()
	var lost uint256.Int
	if best.Work.Gt(&h.Work) {
		lost.Sub(&best.Work, &h.Work)
	}
	one := state.WorkOf(best.Raw.Bits)
	month := uint256.NewInt(uint64(staleAge / time.Second / time.Duration(m.Net.SpacingSeconds)))
	month.Mul(month, &one)
	return best.Raw.Timestamp.Sub(h.Raw.Timestamp) < staleAge && lost.Lt(month)
}

// serveBlock sends one block, or ends the link where it asks for what we do
// not serve.
func (m *Manager) serveBlock(r *remote, item message.Item) {
	h := m.Chain.Header(item.Hash)
	if h == nil || !m.mayServe(h) {
		return
	}
	tip := m.Chain.Tip()
	historical := m.Chain.BestHeader().Raw.Timestamp.Sub(h.Raw.Timestamp) > historicalAge
	switch {
	case r.facts.Download:
	case m.Uploads != nil && m.Uploads.Reached(historical) && historical:
		r.requests.finished = true
		r.link.Disconnect("the day's upload target is reached")
		return
	case m.Pruned && tip.Height-h.Height > params.MinBlocksToKeep+limitedSlack:
		r.requests.finished = true
		r.link.Disconnect("it asks for a block that a pruned node does not keep")
		return
	}
	if !m.Chain.Status(h).Have() && h.Parent != nil {
		return
	}
	if msg := m.blockMessage(h, item.Type); msg != nil {
		r.link.Send(msg)
	}
	if item.Hash == r.requests.goOn {
		r.requests.goOn = chainhash.Hash{}
		r.link.Send(&message.Inv{Items: []message.Item{{Type: message.ItemBlock, Hash: tip.Hash}}})
	}
}

// blockMessage is a block in the form that was asked for, nil where it cannot
// be read.
func (m *Manager) blockMessage(h *state.Header, form message.ItemType) message.Message {
	compact := form&^message.ItemWitnessFlag == message.ItemCompactBlock
	if compact && m.near() && h.Height >= m.Chain.Tip().Height-compactDepth {
		if b := m.decoded(h); b != nil {
			return b.compact(m.Rand)
		}
		return nil
	}
	if !compact && form&message.ItemWitnessFlag == 0 {
		if b := m.decoded(h); b != nil {
			return &message.Block{Block: b.block, Stripped: true}
		}
		return nil
	}
	if m.recent.header == h {
		return &message.RawBlock{Raw: m.recent.block.Raw}
	}
	raw, err := m.Chain.RawBlock(h)
	if err != nil {
		m.unreadable(h, err)
		return nil
	}
	return &message.RawBlock{Raw: raw}
}

// decoded gives h's block, nil where it cannot be read. The last one is kept
// beside that of the tip, for which most ask.
func (m *Manager) decoded(h *state.Header) *recentBlock {
	for _, kept := range [2]*recentBlock{&m.recent, &m.used} {
		if kept.header == h {
			return kept
		}
	}
	raw, err := m.Chain.RawBlock(h)
	if err != nil {
		m.unreadable(h, err)
		return nil
	}
	m.decoding.bytes += len(raw)
	b, err := state.DecodeBlock(raw)
	if err != nil {
		m.unreadable(h, err)
		return nil
	}
	m.used.set(h, b)
	return &m.used
}

// unreadable logs a block that cannot be read, at most one line a minute.
func (m *Manager) unreadable(h *state.Header, err error) {
	if now := m.Clock.Now(); now.Sub(m.unreadableAt) > time.Minute {
		m.unreadableAt = now
		m.Log.Error("a block that a peer asked for cannot be read: start again with --reindex",
			"height", h.Height, "hash", h.Hash.String(), "error", err.Error())
	}
}

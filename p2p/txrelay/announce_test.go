package txrelay

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/mempool"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
	"granary/state"
)

// give puts a transaction into the pool, as the node's own door does.
func (w *world) give(txs ...*state.Tx) {
	w.t.Helper()
	for _, tx := range txs {
		if _, err := w.pool.Accept(tx); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) wantTold(p *fakePeer, txs ...*state.Tx) {
	w.t.Helper()
	got := itemsIn[*message.Inv](p.take())
	if len(got) != len(txs) {
		w.t.Fatalf("peer %d is told of %d transactions, want %d", p.id, len(got), len(txs))
	}
	for i, tx := range txs {
		want := message.Item{Type: message.ItemWTx, Hash: tx.Wtxid}
		if !p.facts.WTxIDRelay {
			want = message.Item{Type: message.ItemTx, Hash: tx.Txid}
		}
		if got[i] != want {
			w.t.Fatalf("peer %d is told of %v at %d, want %v", p.id, got[i], i, want)
		}
	}
}

// TestTold: who does not know a transaction hears of it once, in its own form.
func TestTold(t *testing.T) {
	w := newWorld(t, nil)
	from := w.connect(peer.OutboundFull, nil)
	modern := w.connect(peer.Inbound, nil)
	old := w.connect(peer.OutboundFull, func(f *peer.Facts) { f.WTxIDRelay = false })
	deaf := w.connect(peer.Inbound, func(f *peer.Facts) { f.Relay = false })
	blocks := w.connect(peer.BlockRelay, nil)
	tx := w.tx(w.coin())
	w.send(from, tx)
	w.pass(time.Minute)
	w.wantTold(from)
	w.wantTold(modern, tx)
	w.wantTold(old, tx)
	w.wantTold(deaf)
	w.wantTold(blocks)
	w.relay.Broadcast(tx.Txid)
	w.pass(time.Minute)
	w.wantTold(modern)
}

// TestOrder: parents come before children, else the best payer first, whatever
// the order of arrival.
func TestOrder(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	poor, rich := w.tx(w.coin()), w.tx(w.coin())
	child := w.tx(out(poor, 0))
	w.pool.feeUnits[poor.Wtxid], w.pool.feeUnits[rich.Wtxid] = 1000, 5000
	w.give(poor, child, rich)
	w.pass(time.Minute)
	w.wantTold(p, rich, poor, child)
}

// TestTrickle: a burst is told in parts, at intervals that differ; all inbound
// peers hear at the same moments.
func TestTrickle(t *testing.T) {
	w := newWorld(t, nil)
	one, two := w.connect(peer.Inbound, nil), w.connect(peer.Inbound, nil)
	ours := w.connect(peer.OutboundFull, nil)
	w.pass(time.Minute)
	var txs []*state.Tx
	for range 200 {
		txs = append(txs, w.tx(w.coin()))
	}
	w.give(txs...)
	told := map[*fakePeer][]int{}
	for range 5 * 60 {
		w.pass(200 * time.Millisecond)
		for _, p := range []*fakePeer{one, two, ours} {
			n := len(itemsIn[*message.Inv](p.take()))
			told[p] = append(told[p], n)
			if n > announcedLeast {
				t.Fatalf("%d announcements at once", n)
			}
		}
	}
	if !slices.Equal(told[one], told[two]) {
		t.Error("two inbound peers know more than one")
	}
	if slices.Equal(told[one], told[ours]) {
		t.Error("inbound and outbound peers hear at the same moments")
	}
	for p, list := range told {
		sum := 0
		for _, n := range list {
			sum += n
		}
		if sum != len(txs) {
			t.Errorf("peer %d was told of %d of %d", p.id, sum, len(txs))
		}
	}
}

// TestLargeQueue (CVE-2024-52915): what waits to be told is bounded, told
// faster the more it is, and never all at once.
func TestLargeQueue(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	l := w.relay.link(p.id)
	for i := range maxQueued + 5_000 {
		tx := &state.Tx{Msg: w.tx().Msg, Wtxid: chainhash.Hash{byte(i), byte(i >> 8), byte(i >> 16), 1}}
		it := w.relay.items.add(&mempool.Entry{Tx: tx, FeeUnits: int64(1000 + i), VBytes: 100})
		l.queue.put(it)
	}
	if len(l.queue) > maxQueued || len(l.queue) < maxQueued/2 {
		t.Fatalf("%d wait", len(l.queue))
	}
	best := l.queue[0].feeUnits
	if best != 1000+maxQueued+5_000-1 {
		t.Errorf("the best payer was let go: %d is left", best)
	}
	got := len(l.next())
	if want := announcedLeast + (maxQueued/2+5_000)/1_000*5; got != want {
		t.Errorf("%d told at once, want %d", got, want)
	}
	p.backlog = maxInvBacklog + 1
	p.take()
	w.pass(time.Minute)
	w.wantTold(p) // a peer that does not read is told nothing new
}

// TestGone: what has left the pool is not announced, and not kept in memory.
func TestGone(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	tx, stays := w.tx(w.coin()), w.tx(w.coin())
	w.pass(time.Second)
	w.relay.link(p.id).nextInv = w.clock.Now().Add(time.Minute)
	w.give(tx, stays)
	w.pass(time.Second)
	w.pool.remove(tx, mempool.Expired)
	w.pass(2 * time.Minute)
	w.wantTold(p, stays)
}

// TestFeeFilterHeard: a peer is not told of what pays less than it asks for,
// but of what needs no fee.
func TestFeeFilterHeard(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	rich, poor, seat := w.tx(w.coin()), w.tx(w.coin()), w.tx(w.coin())
	w.pool.feeUnits[rich.Wtxid], w.pool.feeUnits[poor.Wtxid], w.pool.feeUnits[seat.Wtxid] = 500, 499, 0
	w.pool.free[seat.Wtxid] = true
	w.receive(p, &message.FeeFilter{UnitsPerKVB: 500 * 1000 / w.pool.vbytes(rich)})
	w.give(rich, poor, seat)
	w.pass(time.Minute)
	w.wantTold(p, rich, seat)
	w.receive(p, &message.FeeFilter{UnitsPerKVB: -1})
	w.receive(p, &message.FeeFilter{UnitsPerKVB: params.MaxMoneyUnits + 1})
	if s, _ := w.relay.PeerState(p.id); s.MinFeeUnitsPerKVB != 500*1000/w.pool.vbytes(rich) {
		t.Error("a fee out of all bounds is listened to")
	}
}

// filters are the fee filters among messages.
func filters(messages []message.Message) (units []int64) {
	for _, m := range messages {
		if f, ok := m.(*message.FeeFilter); ok {
			units = append(units, f.UnitsPerKVB)
		}
	}
	return units
}

// TestFeeFilterTold: peers hear what the pool asks for, nothing while syncing,
// soon after a large change, and never the exact figure.
func TestFeeFilterTold(t *testing.T) {
	w := newWorld(t, nil)
	w.syncing = true
	p := w.connect(peer.OutboundFull, nil)
	forced := w.connect(peer.Inbound, func(f *peer.Facts) { f.ForceRelay = true })
	blocks := w.connect(peer.BlockRelay, nil)
	w.pass(time.Second)
	if got := filters(p.take()); !slices.Equal(got, []int64{params.MaxMoneyUnits}) {
		t.Fatalf("while syncing peers are asked for %v", got)
	}
	w.syncing = false
	w.pass(time.Second)
	if got := filters(p.take()); len(got) != 1 || got[0] < 1000 || got[0] > 1100 {
		t.Fatalf("after syncing peers are asked for %v", got)
	}
	w.pool.minimum = 50_000
	w.pass(6 * time.Minute)
	got := filters(p.take())
	if len(got) == 0 || got[0] < 45_000 || got[0] > 55_000 {
		t.Fatalf("the pool asks for 50000, its peers hear %v", got)
	}
	if len(filters(forced.take()))+len(filters(blocks.take())) > 0 {
		t.Error("a peer hears a fee that does not concern it")
	}
}

func TestFeeSteps(t *testing.T) {
	steps := makeFeeSteps()
	for i := 2; i < len(steps); i++ {
		if steps[i] <= steps[i-1] || steps[i]*100 > steps[i-1]*111 {
			t.Fatalf("from %d to %d", steps[i-1], steps[i])
		}
	}
	w := newWorld(t, nil)
	for _, units := range []int64{0, 1, 1000, 1001, 50_000, maxFeeStep, params.MaxMoneyUnits} {
		if got := w.relay.roundFee(units); got > units*111/100+500 || units <= maxFeeStep && got < units*89/100 && units > 1 {
			t.Errorf("%d is told as %d", units, got)
		}
	}
}

// TestServed: only what a peer could have been told of is served to it.
func TestServed(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	w.pass(time.Minute)
	w.relay.link(p.id).nextInv = w.clock.Now().Add(time.Minute)
	tx := w.tx(w.coin())
	w.give(tx)
	ask := func(typ message.ItemType, hash chainhash.Hash) message.Message {
		p.take()
		w.receive(p, &message.GetData{Items: []message.Item{{Type: typ, Hash: hash}}})
		sent := p.take()
		if len(sent) != 1 {
			t.Fatalf("%d answers", len(sent))
		}
		return sent[0]
	}
	if _, ok := ask(message.ItemWTx, tx.Wtxid).(*message.NotFound); !ok {
		t.Error("a peer learns what came before it was told anything")
	}
	w.pass(2 * time.Minute)
	for typ, hash := range map[message.ItemType]chainhash.Hash{message.ItemWTx: tx.Wtxid, message.ItemWitnessTx: tx.Txid} {
		if got, ok := ask(typ, hash).(*message.Tx); !ok || got.Tx != tx || got.Stripped {
			t.Errorf("asked by type %d: %v", typ, got)
		}
	}
	if got, ok := ask(message.ItemTx, tx.Txid).(*message.Tx); !ok || !got.Stripped {
		t.Error("without the flag the witness is not wanted")
	}
	w.mine(tx)
	if _, ok := ask(message.ItemWTx, tx.Wtxid).(*message.Tx); !ok {
		t.Error("what the last block confirmed is not served")
	}
	w.mine()
	if _, ok := ask(message.ItemWTx, tx.Wtxid).(*message.NotFound); !ok {
		t.Error("what an older block confirmed is served")
	}
	if w.relay.Receive(p, &message.GetData{Items: []message.Item{{Type: message.ItemBlock}}}) || len(p.take()) > 0 {
		t.Error("blocks are another handler's")
	}
}

// TestSlowReader: a peer is served at the pace at which it reads, and may not
// ask for ever more.
func TestSlowReader(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	tx := w.tx(w.coin())
	w.give(tx)
	w.pass(time.Minute)
	p.take()
	p.backlog = peer.PaceBytes
	m := &message.GetData{}
	for range maxWanted * 2 / 3 {
		m.Items = append(m.Items, message.Item{Type: message.ItemWTx, Hash: tx.Wtxid})
	}
	w.receive(p, m)
	if len(p.take()) != 0 || p.closed != "" {
		t.Fatal("a peer that does not read is served")
	}
	if p.held != 1 {
		t.Error("a peer may say more before it has read")
	}
	w.receive(p, m)
	if p.closed == "" {
		t.Error("a peer asks for ever more and reads nothing")
	}
	if got := len(w.relay.link(p.id).wanted); got > maxWanted {
		t.Errorf("%d items are kept", got)
	}
	p.backlog = 0
	w.pass(200 * time.Millisecond)
	if got := len(p.take()); got != maxWanted || p.held != 0 {
		t.Errorf("%d served, held %d", got, p.held)
	}
	p.backlog = peer.PaceBytes
	w.receive(p, &message.GetData{Items: m.Items[:1]})
	w.relay.Disconnected(p)
	if p.held != 0 {
		t.Error("a peer that is gone is held back")
	}
}

// TestOwn: own transactions are announced again until a peer asks for them.
func TestOwn(t *testing.T) {
	w := newWorld(t, nil)
	tx, lost := w.tx(w.coin()), w.tx(w.coin())
	w.give(tx)
	w.pool.own = []chainhash.Hash{tx.Txid, lost.Txid}
	w.pass(time.Minute)
	p := w.connect(peer.OutboundFull, nil)
	w.pass(20 * time.Minute)
	w.wantTold(p, tx)
	if !slices.Equal(w.pool.own, []chainhash.Hash{tx.Txid}) {
		t.Error("what is not in the pool stays on the list")
	}
	later := w.connect(peer.OutboundFull, nil)
	w.pass(20 * time.Minute)
	w.wantTold(later, tx)
	w.receive(later, &message.GetData{Items: []message.Item{{Type: message.ItemWTx, Hash: tx.Wtxid}}})
	if len(w.pool.own) != 0 {
		t.Error("what a peer has taken stays on the list")
	}
}

// TestMemPool: the list of the pool is for permitted peers, at their pace.
func TestMemPool(t *testing.T) {
	w := newWorld(t, nil)
	stranger := w.connect(peer.Inbound, nil)
	w.receive(stranger, &message.MemPool{})
	if stranger.closed == "" || stranger.blamed != "" {
		t.Error("a stranger's request for the mempool")
	}
	p := w.connect(peer.Inbound, func(f *peer.Facts) { f.NoBan = true })
	for i := range 2_500 {
		w.give(makeTx(fmt.Sprint(i), w.coin()))
	}
	w.relay.follow()
	w.relay.link(p.id).queue = nil
	p.take()
	p.backlog = maxDumpBytes
	w.receive(p, &message.MemPool{})
	w.receive(p, &message.MemPool{})
	if len(itemsIn[*message.Inv](p.take())) != 0 {
		t.Fatal("a list for a peer that does not read")
	}
	p.backlog = 0
	w.pass(200 * time.Millisecond)
	if got := len(itemsIn[*message.Inv](p.take())); got != 2_500 {
		t.Errorf("%d of 2500 listed", got)
	}
}

// TestSameSeedSameWords: two relays with one seed send the same.
func TestSameSeedSameWords(t *testing.T) {
	run := func() (trace []string) {
		w := newWorld(t, nil)
		var peers []*fakePeer
		for i := range 10 {
			kind := peer.Inbound
			if i%3 == 0 {
				kind = peer.OutboundFull
			}
			peers = append(peers, w.connect(kind, func(f *peer.Facts) { f.WTxIDRelay = i%4 != 0 }))
		}
		for i := range 100 {
			parent := w.tx(w.coin())
			child := w.tx(out(parent, 0))
			from := peers[i*7%10]
			w.inv(from, parent, child)
			if i%3 == 0 {
				w.send(from, child)
			}
			w.pass(700 * time.Millisecond)
			w.send(from, parent)
			if i%10 == 9 {
				w.relay.Disconnected(from)
				w.relay.Connected(from)
			}
		}
		for _, p := range peers {
			for _, m := range p.sent {
				trace = append(trace, fmt.Sprintf("%d %s %+v", p.id, m.Command(), m))
			}
		}
		return trace
	}
	first := run()
	if len(first) < 100 {
		t.Fatalf("only %d messages", len(first))
	}
	for range 5 {
		if !slices.Equal(first, run()) {
			t.Fatal("one seed, two traces")
		}
	}
}

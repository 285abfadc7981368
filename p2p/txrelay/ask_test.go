package txrelay

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
)

// TestAskOne: one peer is asked at a time, those we chose first; who is silent
// loses its turn.
func TestAskOne(t *testing.T) {
	w := newWorld(t, nil)
	stranger, mine := w.connect(peer.Inbound, nil), w.connect(peer.OutboundFull, nil)
	tx := w.tx(w.coin())
	w.inv(stranger, tx)
	w.wantAsked(stranger) // it waits for two seconds
	w.pass(time.Second)
	w.inv(mine, tx)
	w.wantAsked(mine, tx.Wtxid)
	w.pass(59 * time.Second)
	w.wantAsked(stranger)
	w.pass(2 * time.Second)
	w.wantAsked(stranger, tx.Wtxid)
	w.wantAsked(mine)
	w.send(stranger, tx)
	w.wantPool(tx)
	w.inv(mine, tx)
	w.pass(2 * time.Minute)
	w.wantAsked(mine)
	if len(w.relay.requests.byHash) != 0 || len(w.relay.requests.timers) != 0 {
		t.Error("the tracker remembers what is done")
	}
}

// TestWithheld (CVE-2024-52913): however many peers announce a transaction
// and keep silent, and however often they announce it anew, an honest peer's
// turn comes; a peer of our own choice is not kept waiting for theirs.
func TestWithheld(t *testing.T) {
	w := newWorld(t, nil)
	tx := w.tx(w.coin())
	var silent []*fakePeer
	for range 20 {
		p := w.connect(peer.Inbound, nil)
		w.inv(p, tx)
		silent = append(silent, p)
	}
	honest := w.connect(peer.OutboundFull, nil)
	w.pass(3 * time.Second)
	w.inv(honest, tx)
	asked := false
	for range 70 {
		w.pass(time.Second)
		for _, p := range silent {
			w.inv(p, tx)
		}
		asked = asked || len(itemsIn[*message.GetData](honest.take())) > 0
	}
	if !asked {
		t.Error("silent peers keep a transaction away from us")
	}

	other := w.tx(w.coin())
	late := w.connect(peer.Inbound, nil)
	for _, p := range silent {
		w.inv(p, other)
	}
	w.inv(late, other)
	for asked = false; !asked; {
		w.pass(time.Minute)
		asked = len(itemsIn[*message.GetData](late.take())) > 0
		if w.clock.Now().Unix() > 1_700_000_000+30*60 {
			t.Fatal("20 silent peers take more than their 20 minutes")
		}
	}
}

// TestNotFound and gone peers give the turn to the next at once.
func TestNotFound(t *testing.T) {
	w := newWorld(t, nil)
	one, two, three := w.connect(peer.OutboundFull, nil), w.connect(peer.OutboundFull, nil), w.connect(peer.OutboundFull, nil)
	tx := w.tx(w.coin())
	for _, p := range []*fakePeer{one, two, three} {
		w.relay.Receive(p, &message.Inv{Items: []message.Item{{Type: message.ItemWTx, Hash: tx.Wtxid}}})
	}
	asked := func() *fakePeer {
		w.pass(200 * time.Millisecond)
		var found *fakePeer
		for _, p := range []*fakePeer{one, two, three} {
			if len(itemsIn[*message.GetData](p.take())) > 0 {
				if found != nil {
					t.Fatal("two peers are asked for one transaction")
				}
				found = p
			}
		}
		return found
	}
	first := asked()
	w.receive(first, &message.NotFound{Items: []message.Item{{Type: message.ItemWTx, Hash: tx.Wtxid}}})
	second := asked()
	w.relay.Disconnected(second)
	third := asked()
	if first == nil || second == nil || third == nil || first == second || second == third || first == third {
		t.Fatal("each should have its turn once")
	}
	w.relay.Disconnected(third)
	if asked() != nil || len(w.relay.requests.byHash) != 0 {
		t.Error("nobody is left to ask")
	}
}

// TestInvFlood (InvDoS, CVE-2018-17145): a peer's announcements are bounded,
// and those of others are not in their way.
func TestInvFlood(t *testing.T) {
	w := newWorld(t, nil)
	flood, honest := w.connect(peer.Inbound, nil), w.connect(peer.Inbound, nil)
	m := &message.Inv{}
	for i := range message.MaxItems {
		m.Items = append(m.Items, message.Item{Type: message.ItemWTx, Hash: chainhash.Hash{1, byte(i), byte(i >> 8), byte(i >> 16)}})
	}
	for range 3 {
		w.relay.Receive(flood, m)
	}
	state, _ := w.relay.PeerState(flood.id)
	if state.Candidates != maxCandidates {
		t.Errorf("%d candidates of one peer, at most %d", state.Candidates, maxCandidates)
	}
	tx := w.tx(w.coin())
	w.inv(honest, tx)
	w.pass(3 * time.Second)
	w.wantAsked(honest, tx.Wtxid)
	asked := itemsIn[*message.GetData](flood.take())
	for i := range asked {
		if asked[i].Hash != m.Items[i].Hash {
			t.Fatal("requests are not in the order of announcements")
		}
	}
	w.relay.Disconnected(flood)
	if n := len(w.relay.requests.byHash); n != 1 {
		t.Errorf("%d hashes left of a peer that is gone", n)
	}
}

// TestOverloaded: a peer with a hundred open requests waits longer than others.
func TestOverloaded(t *testing.T) {
	w := newWorld(t, nil)
	slow := w.connect(peer.OutboundFull, nil)
	m := &message.Inv{}
	for i := range maxInFlight {
		m.Items = append(m.Items, message.Item{Type: message.ItemWTx, Hash: chainhash.Hash{2, byte(i)}})
	}
	w.receive(slow, m)
	slow.take()
	tx := w.tx(w.coin())
	w.inv(slow, tx)
	w.wantAsked(slow)
	w.pass(2 * time.Second)
	w.wantAsked(slow, tx.Wtxid)
}

// TestByTxid: an old peer is asked by txid, with the witness, and later than
// those that announce by wtxid; ids of the wrong kind are not listened to.
func TestByTxid(t *testing.T) {
	w := newWorld(t, nil)
	old := w.connect(peer.OutboundFull, func(f *peer.Facts) { f.WTxIDRelay = false })
	tx := w.tx(w.coin())
	w.receive(old, &message.Inv{Items: []message.Item{{Type: message.ItemWTx, Hash: tx.Wtxid}, {Type: message.ItemTx, Hash: tx.Txid}}})
	if got := itemsIn[*message.GetData](old.take()); len(got) != 1 || got[0] != (message.Item{Type: message.ItemWitnessTx, Hash: tx.Txid}) {
		t.Fatalf("an old peer is asked for %v", got)
	}
	modern := w.connect(peer.OutboundFull, nil)
	other := w.tx(w.coin())
	w.receive(modern, &message.Inv{Items: []message.Item{{Type: message.ItemTx, Hash: other.Txid}}})
	w.receive(old, &message.Inv{Items: []message.Item{{Type: message.ItemWitnessTx, Hash: other.Txid}}})
	w.wantAsked(old)
	w.pass(2 * time.Second)
	w.wantAsked(old, other.Txid)
	w.wantAsked(modern)
}

// TestNotWanted: while syncing nothing is asked for; a peer that may not send
// transactions is disconnected when it does.
func TestNotWanted(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	tx := w.tx(w.coin())
	w.syncing = true
	w.inv(p, tx)
	w.send(p, tx)
	w.pass(time.Minute)
	w.wantAsked(p)
	w.wantPool()

	blocks := w.connect(peer.BlockRelay, nil)
	w.inv(blocks, tx)
	if blocks.closed == "" || blocks.blamed != "" {
		t.Error("a block-relay peer announces transactions and stays, or is blamed")
	}
	silent := newWorld(t, func(o *Options) { o.BlocksOnly = true })
	p, friend := silent.connect(peer.Inbound, nil), silent.connect(peer.Manual, func(f *peer.Facts) { f.ForceRelay = true })
	silent.send(friend, tx)
	silent.send(p, tx)
	if p.closed == "" || friend.closed != "" {
		t.Error("-blocksonly takes transactions from permitted peers alone")
	}
}

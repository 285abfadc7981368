package sync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// know lets peers tell of blocks, and forgets what they were asked.
func know(n *node, blocks []*state.Block, peers ...*fakePeer) {
	for _, p := range peers {
		n.receive(p, headersOf(blocks...))
	}
}

// A block that is announced first and withheld comes from somebody else
// (CVE-2024-52922), and its thief is in debt.
func TestWithheldBlock(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 1)
	thief, honest := n.connect(peer.Inbound), n.connect(peer.OutboundFull)
	know(n, blocks, thief, honest)
	if len(asked(thief)) != 1 || len(asked(honest)) != 0 {
		t.Fatal("not the first was asked")
	}
	n.pass(quietMax + time.Second)
	if got := asked(honest); len(got) != 1 {
		t.Fatalf("the honest peer was asked for %v", got)
	}
	n.receive(honest, &message.Block{Block: blocks[0]})
	n.mustTip(blocks[0])
	if r := n.m.byID[thief.id]; r.debt != 1 || len(r.flights) != 0 || n.m.flightCount != 0 {
		t.Fatalf("debt %d, %d flights", r.debt, len(r.flights))
	}
}

// Twenty liars announce first: the honest outbound peer's turn comes at once
// when the first has fallen silent.
func TestManyThieves(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 1)
	var thieves []*fakePeer
	for range 20 {
		thieves = append(thieves, n.connect(peer.Inbound))
	}
	honest := n.connect(peer.OutboundFull)
	know(n, blocks, append(thieves, honest)...)
	for waited := time.Duration(0); len(asked(honest)) == 0; waited += time.Second {
		if waited > 5*time.Second {
			t.Fatal("the honest peer was not asked")
		}
		n.pass(time.Second)
	}
}

// Damaged bytes end the request to their sender only (CVE-2024-52921), and
// the right ones are taken afterwards.
func TestMutatedBlock(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 1)
	thief, honest := n.connect(peer.Inbound), n.connect(peer.OutboundFull)
	know(n, blocks, thief, honest)
	n.pass(quietMax + time.Second)
	if len(n.m.flights[blocks[0].Hash]) != 2 {
		t.Fatal("two roads were wanted")
	}
	asked(honest)
	damaged := *blocks[0].Msg
	damaged.Transactions = []*wire.MsgTx{coinbase("other", 1)}
	n.receive(thief, &message.Block{Block: state.NewBlock(&damaged)})
	if thief.blamed == "" {
		t.Fatal("the sender was not blamed")
	}
	if list := n.m.flights[blocks[0].Hash]; len(list) != 1 || list[0].r.id != honest.id {
		t.Fatalf("%d flights are left", len(list))
	}
	third := n.connect(peer.Inbound) // not even one that nobody asked
	n.receive(third, &message.Block{Block: state.NewBlock(&damaged)})
	if len(n.m.flights[blocks[0].Hash]) != 1 {
		t.Fatal("the request to the honest peer is gone")
	}
	n.receive(honest, &message.Block{Block: blocks[0]})
	n.mustTip(blocks[0])
	if honest.ended != "" {
		t.Fatal(honest.ended)
	}
}

// The only mutated copy came while nobody else was asked: another peer is.
func TestMutatedAsksElsewhere(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 1)
	thief, honest := n.connect(peer.Inbound), n.connect(peer.Inbound)
	know(n, blocks, thief, honest)
	damaged := *blocks[0].Msg
	damaged.Transactions = []*wire.MsgTx{coinbase("other", 1)}
	n.receive(thief, &message.Block{Block: state.NewBlock(&damaged)})
	if len(asked(honest)) != 1 {
		t.Fatal("the honest peer was not asked")
	}
}

// Blocks that nobody asked for: near and with work they are taken, otherwise
// dropped, and nobody is blamed for sending them.
func TestUnrequested(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 300)
	p := n.connect(peer.Inbound)
	n.receive(p, &message.Block{Block: blocks[0]})
	n.mustTip(blocks[0])
	n.mine(blocks[1:5]...)
	n.receive(p, &message.Block{Block: blocks[290]}) // the parent is not known
	n.receive(p, headersOf(blocks...))
	p.sent = nil
	low := branch("low", genesis(), 0, 1)[0]
	n.receive(p, &message.Block{Block: low})
	if h := n.engine.Header(low.Hash); h == nil || n.engine.Status(h).Have() {
		t.Fatal("of a block with little work the header should be known, and no more")
	}
	n.m.Disconnected(p)
	p = n.connect(peer.Inbound)
	n.receive(p, &message.Block{Block: blocks[299]})
	if h := n.engine.Header(blocks[299].Hash); n.engine.Status(h).Have() {
		t.Fatal("a block far ahead was taken")
	}
	if p.ended != "" {
		t.Fatal(p.ended)
	}
}

// What breaks Bitcoin's rules is punished, when the block comes and when it is
// connected later; on a chain with a charter not where a stock node would not
// know.
func TestPunishment(t *testing.T) {
	rich := func(msg *wire.MsgBlock) { msg.Transactions[0].TxOut[0].Value++ }
	good := branch("good", genesis(), 0, 3)
	bad := makeBlock(draft{parent: good[1], height: 3, name: "bad", mess: rich})
	n := newNode(t)
	p := n.connect(peer.OutboundFull)
	n.receive(p, headersOf(good[0], good[1], bad))
	n.receive(p, &message.Block{Block: bad}) // before its parents
	if p.ended != "" {
		t.Fatalf("too early: %s", p.ended)
	}
	n.receive(p, &message.Block{Block: good[0]})
	n.receive(p, &message.Block{Block: good[1]})
	n.drain()
	if p.blamed == "" {
		t.Fatal("the sender of an invalid block was not blamed")
	}
	n.mustTip(good[1])

	n = newNode(t, func(o *Options) { o.Charter = true })
	p = n.connect(peer.OutboundFull)
	r := n.m.byID[p.id]
	for code := range honestOnStock {
		n.m.punish(r, ruleError(code), false)
	}
	n.m.punish(r, ruleError("goods-coinbase-treasury"), false)
	if p.ended != "" {
		t.Fatalf("blamed for %s", p.ended)
	}
	n.m.punish(r, ruleError("bad-cb-amount"), true)
	if p.ended != "" {
		t.Fatal("blamed for a compact block")
	}
	n.m.punish(r, ruleError("bad-cb-amount"), false)
	if p.blamed == "" {
		t.Fatal("not blamed")
	}
}

// The only link is thin: a block that takes half an hour is waited for. With
// another road it comes from there, and the thin one is left with little.
func TestThinLink(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 40)
	thin := n.connect(peer.OutboundFull)
	know(n, blocks, thin)
	if got := asked(thin); len(got) != flightsMax {
		t.Fatalf("asked for %d", len(got))
	}
	for range 30 * 60 {
		thin.bytes += 2000
		n.pass(time.Second)
	}
	if thin.ended != "" {
		t.Fatalf("ended: %s", thin.ended)
	}
	n.receive(thin, &message.Block{Block: blocks[0]})
	n.mustTip(blocks[0])
	fast := n.connect(peer.OutboundFull)
	know(n, blocks, fast)
	for range 200 {
		thin.bytes += 2000
		n.pass(time.Second)
		for _, hash := range asked(fast) {
			for _, b := range blocks {
				if b.Hash == hash {
					n.receive(fast, &message.Block{Block: b})
				}
			}
		}
	}
	n.mustTip(blocks[39])
	if thin.ended != "" {
		t.Fatalf("ended: %s", thin.ended)
	}
}

// A peer that owes blocks and sends nothing at all ends, its blocks come from
// others; alone it has ten minutes.
func TestSilentPeer(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 40)
	silent := n.connect(peer.OutboundFull)
	know(n, blocks, silent)
	n.pass(deadMax - 10*time.Second)
	if silent.ended != "" {
		t.Fatal("too early")
	}
	n.pass(20 * time.Second)
	if silent.ended == "" {
		t.Fatal("it stays for ever")
	}
	n.disconnect(silent)
	other := n.connect(peer.OutboundFull)
	know(n, blocks, other)
	if len(asked(other)) != flightsMax {
		t.Fatal("its blocks were not asked of another")
	}
}

// The window and the budget bound what is asked for.
func TestWindowAndBudget(t *testing.T) {
	blocks := branch("a", genesis(), 0, 1100)
	n := newNode(t)
	slow := &slowIntake{syncIntake: syncIntake{n.engine}}
	p := n.connect(peer.OutboundFull)
	know(n, blocks, p)
	n.m.Intake = slow
	gone := 0
	for {
		hashes := asked(p)
		if len(hashes) == 0 {
			break
		}
		for _, hash := range hashes {
			for _, b := range blocks {
				if b.Hash == hash {
					gone++
					n.receive(p, &message.Block{Block: b})
				}
			}
		}
	}
	if gone != windowBlocks {
		t.Fatalf("%d blocks were asked for without an answer of the engine", gone)
	}
	slow.release()
	n.drain()
	if len(asked(p)) == 0 {
		t.Fatal("nothing more is asked for")
	}

	n = newNode(t, func(o *Options) { o.BudgetBytes = 3 * firstAverageBytes })
	p = n.connect(peer.OutboundFull)
	know(n, blocks, p)
	if got := len(asked(p)); got != 3 {
		t.Fatalf("%d blocks were asked for", got)
	}
}

// getblockfrompeer's answers.
func TestGetBlockFromPeer(t *testing.T) {
	n := newNode(t, func(o *Options) { o.Post = nil })
	blocks := branch("a", genesis(), 0, 2)
	n.mine(blocks[0])
	p := n.connect(peer.Inbound)
	p.facts.Services = message.ServiceNetwork
	q := n.connect(peer.Inbound)
	if _, err := n.engine.AcceptHeader(&blocks[1].Msg.Header); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id   uint64
		b    *state.Block
		want error
	}{
		{q.id, branch("x", genesis(), 0, 1)[0], errNoHeader},
		{q.id, blocks[0], errHave},
		{99, blocks[1], errNoPeer},
		{p.id, blocks[1], errPreWit},
		{q.id, blocks[1], nil},
		{q.id, blocks[1], errAsked},
	} {
		if err := n.m.GetBlockFromPeer(t.Context(), c.id, c.b.Hash); err != c.want {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	if len(asked(q)) != 1 {
		t.Error("the peer was not asked once")
	}
}

// Blocks that nobody asked for, of witnesses that take many times their bytes:
// while the engine is busy a few are kept, not two of every peer, and what was
// not kept is asked for.
func TestUnrequestedFlood(t *testing.T) {
	n := newNode(t)
	slow := &slowIntake{syncIntake: syncIntake{n.engine}}
	n.m.Intake = slow
	fat := func(name string) *state.Block {
		return makeBlock(draft{parent: genesis(), height: 1, name: name, mess: func(msg *wire.MsgBlock) {
			msg.Transactions[0].TxIn[0].Witness = make(wire.TxWitness, 1_000_000)
		}})
	}
	var last *fakePeer
	blocks := []*state.Block{}
	for i := range 10 {
		last = n.connect(peer.Inbound)
		last.sent = nil
		blocks = append(blocks, fat(string(rune('a'+i))))
		n.receive(last, &message.Block{Block: blocks[i]})
	}
	if kept := len(slow.waiting); kept > 3 || kept == 0 {
		t.Fatalf("%d blocks of %d bytes are kept", kept, costOf(blocks[0]))
	}
	if n.m.byID[last.id].unknown != blocks[9].Hash || last.ended != "" {
		t.Fatal("it was not noted that the last has a block")
	}
	slow.release()
	n.drain()
	if n.m.intake.cost != 0 || n.m.intake.surplus != 0 {
		t.Fatalf("%+v is left", n.m.intake)
	}
	honest := branch("honest", genesis(), 0, 1)[0]
	n.receive(n.connect(peer.Inbound), &message.Block{Block: honest})
	slow.release()
	n.drain()
	n.mustTip(honest)
}

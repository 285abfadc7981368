package sync

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// The reference's own vector of SipHash-2-4: key 00..0f, input 00..1f (the
// 33rd of the 64 in its paper's code).
func TestSipHash(t *testing.T) {
	var in chainhash.Hash
	for i := range in {
		in[i] = byte(i)
	}
	key := sipKey{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	if got := key.sum(&in); got != 0x7127512f72f27cce {
		t.Fatalf("%016x", got)
	}
}

// spending gives a chain ripe enough to spend, and a block on it with n
// transactions beside the coinbase.
func spending(n int) (blocks []*state.Block, full *state.Block, txs []*state.Tx) {
	blocks = branch("ripe", genesis(), 0, 120)
	msgs := make([]*wire.MsgTx, n)
	for i := range n {
		msgs[i] = spend(blocks[i].Msg.Transactions[0], 2)
	}
	full = makeBlock(draft{parent: blocks[119], height: 121, name: "full", txs: msgs})
	for i := range n {
		txs = append(txs, state.NewTx(msgs[i]))
	}
	return blocks, full, txs
}

func (p fakePool) add(txs ...*state.Tx) {
	for _, tx := range txs {
		p[tx.Txid] = tx
	}
}

// compactWorld is a node at height 120, and a peer that speaks compact blocks.
func compactWorld(t *testing.T) (n *node, p *fakePeer, full *state.Block, txs []*state.Tx) {
	blocks, full, txs := spending(10)
	n = newNode(t)
	n.mine(blocks...)
	p = n.connect(peer.OutboundFull)
	n.receive(p, &message.SendCmpct{Version: 2})
	n.receive(p, headersOf(blocks...))
	p.sent = nil
	return n, p, full, txs
}

// All transactions are here: one message brings the block.
func TestCompactFromPool(t *testing.T) {
	n, p, full, txs := compactWorld(t)
	n.pool.add(txs...)
	n.receive(p, compactOf(full, 7))
	n.mustTip(full)
	if got := take[*message.GetBlockTxn](p); len(got) != 0 {
		t.Fatal("it asked for transactions")
	}
	// Who brings new blocks is asked to announce them at once.
	if got := take[*message.SendCmpct](p); len(got) != 1 || !got[0].HighBandwidth {
		t.Fatalf("sendcmpct: %v", got)
	}
	n.pass(sweepEvery)
	if s, _ := n.m.PeerState(p.id); !s.HighBandwidthTo || s.LastBlock.IsZero() {
		t.Fatalf("%+v", s)
	}
}

// Some are missing: they are asked for, and a second answer means nothing
// (CVE-2024-35202).
func TestCompactMissing(t *testing.T) {
	n, p, full, txs := compactWorld(t)
	n.pool.add(txs[0], txs[3], txs[9])
	n.receive(p, compactOf(full, 7))
	asks := take[*message.GetBlockTxn](p)
	if len(asks) != 1 || fmt.Sprint(asks[0].Indexes) != "[2 3 5 6 7 8 9]" {
		t.Fatalf("%+v", asks)
	}
	answer := &message.BlockTxn{Block: full.Hash}
	for _, i := range asks[0].Indexes {
		answer.Txs = append(answer.Txs, full.Tx(int(i)))
	}
	n.receive(p, answer)
	n.mustTip(full)
	n.receive(p, answer)
	n.receive(p, &message.BlockTxn{Block: full.Hash})
	if p.ended != "" {
		t.Fatalf("the link ended: %s", p.ended)
	}
}

// The answer came twice before the block was judged: the second is dropped.
func TestBlockTxnTwiceBeforeTheVerdict(t *testing.T) {
	n, p, full, _ := compactWorld(t)
	slow := &slowIntake{syncIntake: syncIntake{n.engine}}
	n.m.Intake = slow
	n.receive(p, compactOf(full, 7))
	slow.release()
	n.drain()
	asks := take[*message.GetBlockTxn](p)
	if len(asks) != 1 || len(asks[0].Indexes) != 10 {
		t.Fatalf("%+v", asks)
	}
	answer := &message.BlockTxn{Block: full.Hash}
	for i := 1; i <= 10; i++ {
		answer.Txs = append(answer.Txs, full.Tx(i))
	}
	n.receive(p, answer)
	n.receive(p, answer)
	if len(slow.waiting) != 1 {
		t.Fatalf("%d blocks were submitted", len(slow.waiting))
	}
	slow.release()
	n.drain()
	n.mustTip(full)
}

// slowIntake answers when it is told to.
type slowIntake struct {
	syncIntake
	waiting []func()
}

func (s *slowIntake) Submit(b *state.Block, done func(bool, error)) {
	s.waiting = append(s.waiting, func() { s.syncIntake.Submit(b, done) })
}

func (s *slowIntake) SubmitHeaders(raws []wire.BlockHeader, done func(*state.Header, int, error)) {
	s.waiting = append(s.waiting, func() { s.syncIntake.SubmitHeaders(raws, done) })
}

func (s *slowIntake) release() {
	waiting := s.waiting
	s.waiting = nil
	for _, f := range waiting {
		f()
	}
}

// Wrong transactions whose ids do not fit: the whole block is fetched, nobody
// is blamed, for a short id may meet two transactions.
func TestCompactCollision(t *testing.T) {
	n, p, full, txs := compactWorld(t)
	other := state.NewTx(spend(txs[4].Msg, 3))
	n.pool.add(txs[:4]...)
	n.pool.add(txs[5:]...)
	n.receive(p, compactOf(full, 7))
	asks := take[*message.GetBlockTxn](p)
	if len(asks) != 1 || len(asks[0].Indexes) != 1 {
		t.Fatalf("%+v", asks)
	}
	n.receive(p, &message.BlockTxn{Block: full.Hash, Txs: []*state.Tx{other}})
	if got := asked(p); len(got) != 1 || got[0] != full.Hash || p.ended != "" {
		t.Fatalf("asked for %v, ended %q", got, p.ended)
	}
	n.receive(p, &message.Block{Block: full})
	n.mustTip(full)
}

// What breaks the protocol itself is blamed.
func TestCompactBroken(t *testing.T) {
	for name, mess := range map[string]func(*message.CmpctBlock){
		"index beyond the end": func(m *message.CmpctBlock) { m.Prefilled[0].Index = 40 },
		"empty":                func(m *message.CmpctBlock) { m.Prefilled, m.ShortIDs = nil, nil },
	} {
		n, p, full, _ := compactWorld(t)
		msg := compactOf(full, 7)
		mess(msg)
		n.receive(p, msg)
		if p.blamed == "" {
			t.Errorf("%s: nobody was blamed", name)
		}
	}
	n, p, full, _ := compactWorld(t)
	n.receive(p, compactOf(full, 7))
	n.receive(p, &message.BlockTxn{Block: full.Hash})
	if p.blamed == "" {
		t.Error("too few transactions: nobody was blamed")
	}
	n, p, full, _ = compactWorld(t)
	msg := compactOf(full, 7)
	msg.ShortIDs[1] = msg.ShortIDs[2]
	n.receive(p, msg)
	if got := asked(p); len(got) != 1 || p.ended != "" {
		t.Errorf("equal short ids: asked %v, ended %q", got, p.ended)
	}
}

// Short ids that name more of the pool than a block holds are no block, and
// nothing of that length is put together.
func TestCompactTooLong(t *testing.T) {
	n, p, full, _ := compactWorld(t)
	msg := compactOf(full, 7)
	key := compactKey(&msg.Header, msg.Nonce)
	msg.ShortIDs = nil
	for i := range 50 { // 5 MB
		tx := spend(full.Msg.Transactions[0], 1)
		tx.TxIn[0].PreviousOutPoint.Index = uint32(i)
		tx.TxIn[0].SignatureScript = make([]byte, 100_000)
		n.pool.add(state.NewTx(tx))
		wtxid := state.NewTx(tx).Wtxid
		msg.ShortIDs = append(msg.ShortIDs, key.sum(&wtxid)&shortIDMask)
	}
	parts, result := newPartial(msg, n.pool, nil)
	if result != whole || parts.missing != 0 {
		t.Fatal("the pool has it all")
	}
	if _, err := parts.block(); check.CodeOf(err) != "bad-blk-length" {
		t.Fatalf("%v", err)
	}
	n.receive(p, msg)
	if got := asked(p); len(got) != 1 || got[0] != full.Hash {
		t.Fatal("the whole block was not asked for")
	}
}

// countingPool counts how often all of it was looked through.
type countingPool struct {
	fakePool
	walks int
}

func (c *countingPool) Each(f func(*state.Tx)) {
	c.walks++
	c.fakePool.Each(f)
}

// One peer sends a compact block again and again, with wrong transactions for
// it or as a bystander: the mempool is looked through a few times for it, not
// for each message, and the block still comes.
func TestCompactAgainAndAgain(t *testing.T) {
	n, p, full, txs := compactWorld(t)
	pool := &countingPool{fakePool: n.pool}
	n.m.Txs = pool
	wrong := &message.BlockTxn{Block: full.Hash}
	for range 10 {
		wrong.Txs = append(wrong.Txs, state.NewTx(spend(txs[0].Msg, 3)))
	}
	var liar *fakePeer
	for i := range 20 {
		liar = n.connect(peer.Inbound)
		n.receive(liar, &message.SendCmpct{Version: 2})
		for j := range 20 {
			n.receive(liar, compactOf(full, uint64(20*i+j)))
			n.receive(liar, wrong)
		}
		if i == 0 && pool.walks > rebuildsMax {
			t.Fatalf("the pool was looked through %d times for one", pool.walks)
		}
	}
	if pool.walks > strangersMax {
		t.Fatalf("the pool was looked through %d times", pool.walks)
	}
	n.pool.add(txs...)
	n.receive(p, compactOf(full, 7))
	n.mustTip(full)
	if n.m.byID[liar.id].rebuilds != 0 {
		t.Fatal("a new tip did not begin a new count")
	}
}

// Three announce a block at once and send nothing more: the fourth, which we
// chose ourselves, is asked too (CVE-2024-52922).
func TestCompactWithheld(t *testing.T) {
	n, honest, full, _ := compactWorld(t)
	var liars []*fakePeer
	for range 5 {
		liar := n.connect(peer.Inbound)
		n.receive(liar, &message.SendCmpct{Version: 2})
		liars = append(liars, liar)
	}
	for _, liar := range liars {
		liar.sent = nil
		n.receive(liar, compactOf(full, 7))
	}
	if len(take[*message.GetBlockTxn](liars[0])) != 1 {
		t.Fatal("the first was not asked")
	}
	n.receive(honest, compactOf(full, 9))
	n.pass(3 * quietMax)
	whole, parts := asked(honest), take[*message.GetBlockTxn](honest)
	if len(whole)+len(parts) == 0 {
		t.Fatal("the honest peer was never asked")
	}
	n.receive(honest, &message.Block{Block: full})
	n.mustTip(full)
}

// A peer that wants compact blocks at once gets them so, others get headers or
// an inv.
func TestAnnounce(t *testing.T) {
	n, first, full, txs := compactWorld(t)
	n.pool.add(txs...)
	second, third := n.connect(peer.Inbound), n.connect(peer.Inbound)
	n.receive(first, &message.SendCmpct{Version: 2, HighBandwidth: true})
	n.receive(second, &message.SendHeaders{})
	best := locatorOf(n.engine.Tip())
	n.receive(second, &message.GetHeaders{Locator: message.Locator{Hashes: best}})
	second.sent, third.sent = nil, nil
	n.mine(full)
	got := take[*message.CmpctBlock](first)
	if len(got) != 1 || got[0].Header.BlockHash() != full.Hash || len(got[0].ShortIDs) != 10 {
		t.Fatalf("compact: %v", got)
	}
	if headers := take[*message.Headers](second); len(headers) != 1 || len(headers[0].Headers) != 1 {
		t.Fatalf("headers: %v", headers)
	}
	if inv := take[*message.Inv](third); len(inv) != 1 || inv[0].Items[0].Hash != full.Hash {
		t.Fatalf("inv: %v", inv)
	}
}

// getblocktxn and getdata of compact blocks, near the tip and below it.
func TestServeCompact(t *testing.T) {
	n, p, full, txs := compactWorld(t)
	n.mine(full)
	p.sent = nil
	n.receive(p, &message.GetBlockTxn{Block: full.Hash, Indexes: []uint32{1, 10}})
	got := take[*message.BlockTxn](p)
	if len(got) != 1 || len(got[0].Txs) != 2 || got[0].Txs[1].Txid != txs[9].Txid {
		t.Fatalf("%+v", got)
	}
	want := message.Item{Type: message.ItemCompactBlock, Hash: full.Hash}
	n.receive(p, &message.GetData{Items: []message.Item{want}})
	if got := take[*message.CmpctBlock](p); len(got) != 1 {
		t.Fatal("no compact block")
	}
	more := branch("more", full, 121, 11)
	n.mine(more...)
	p.sent = nil
	n.receive(p, &message.GetData{Items: []message.Item{want}})
	n.receive(p, &message.GetBlockTxn{Block: full.Hash, Indexes: []uint32{1}})
	raw := take[*message.RawBlock](p)
	if len(raw) != 2 || !bytes.Equal(raw[0].Raw, full.Raw) {
		t.Fatalf("%d whole blocks, and %v", len(raw), p.sent)
	}
	n.receive(p, &message.GetBlockTxn{Block: more[10].Hash, Indexes: []uint32{1}})
	if p.blamed == "" {
		t.Fatal("an index beyond the end is nobody's fault")
	}
}

func BenchmarkRebuild(b *testing.B) {
	for _, c := range []struct{ block, pool int }{{2000, 50_000}, {2000, 300_000}} {
		b.Run(fmt.Sprintf("%d of %d", c.block, c.pool), func(b *testing.B) {
			pool, msgs := fakePool{}, []*wire.MsgTx{}
			root := coinbase("root", 1)
			for i := range c.pool {
				tx := spend(root, 2)
				tx.TxIn[0].PreviousOutPoint.Index = uint32(i)
				tx.TxIn[0].Witness = wire.TxWitness{make([]byte, 72), make([]byte, 33)}
				pool.add(state.NewTx(tx))
				if i < c.block {
					msgs = append(msgs, tx)
				}
			}
			full := makeBlock(draft{parent: genesis(), height: 1, name: "full", txs: msgs})
			msg := compactOf(full, 7)
			list := make(listPool, 0, len(pool))
			for _, tx := range pool {
				list = append(list, tx)
			}
			b.SetBytes(int64(len(full.Raw)))
			b.ResetTimer()
			for b.Loop() {
				p, result := newPartial(msg, list, nil)
				if result != whole || p.missing != 0 {
					b.Fatal("not whole")
				}
				if _, err := p.block(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// listPool is a pool that is as quick to walk as a real one.
type listPool []*state.Tx

func (p listPool) Each(f func(*state.Tx)) {
	for _, tx := range p {
		f(tx)
	}
}

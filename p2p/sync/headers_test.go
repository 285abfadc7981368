package sync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
	"granary/state"
)

// run builds n headers on a hash, a second apart.
func headerRun(parent chainhash.Hash, at time.Time, n int, salt byte) []wire.BlockHeader {
	list := make([]wire.BlockHeader, n)
	for i := range list {
		at = at.Add(time.Second)
		list[i] = wire.BlockHeader{
			Version: 4, PrevBlock: parent, MerkleRoot: chainhash.Hash{salt}, Timestamp: at, Bits: regtest.PowLimitBits,
		}
		solve(&list[i])
		parent = list[i].BlockHash()
	}
	return list
}

func genesisRun(n int, salt byte) []wire.BlockHeader {
	g := regtest.Chain.GenesisBlock.Header
	return headerRun(g.BlockHash(), g.Timestamp, n, salt)
}

// workOf is the work of n regtest blocks with genesis.
func workOf(n uint64) uint256.Int {
	one := state.WorkOf(regtest.PowLimitBits)
	one.Mul(&one, uint256.NewInt(n+1))
	return one
}

// serveRun answers p's getheaders from a run until nothing more is asked.
func serveRun(n *node, p *fakePeer, run []wire.BlockHeader) (messages int) {
	place := map[chainhash.Hash]int{regtest.GenesisHash(): 0}
	for i := range run {
		place[run[i].BlockHash()] = i + 1
	}
	for p.ended == "" {
		asks := take[*message.GetHeaders](p)
		if len(asks) == 0 {
			return messages
		}
		from := 0
		for _, hash := range asks[0].Hashes {
			if at, ok := place[hash]; ok {
				from = at
				break
			}
		}
		part := run[from:min(len(run), from+message.MaxHeaders)]
		n.receive(p, &message.Headers{Headers: part})
		messages++
	}
	return messages
}

// A chain with enough work passes both times and is kept; one without is
// looked at once and forgotten.
func TestMinimumWork(t *testing.T) {
	long := genesisRun(20_000, 1)
	n := newNode(t, func(o *Options) { o.MinimumWork = workOf(19_000) })
	n.clock.Set(epoch.Add(100 * time.Hour))
	liar := n.connect(peer.Inbound)
	take[*message.GetHeaders](liar)
	short := genesisRun(6_100, 2)
	n.receive(liar, &message.Headers{Headers: short[:2000]})
	if s := n.m.byID[liar.id].headers.low; s == nil || s.height() != 2000 {
		t.Fatal("the first headers were not looked at")
	}
	serveRun(n, liar, short)
	if n.engine.BestHeader().Height != 0 || n.m.byID[liar.id].headers.low != nil || liar.ended != "" {
		t.Fatalf("height %d, ended %q", n.engine.BestHeader().Height, liar.ended)
	}
	honest := n.connect(peer.OutboundFull)
	if got := serveRun(n, honest, long); got != 20+1 && got != 20 {
		t.Logf("%d messages", got)
	}
	if n.engine.BestHeader().Height != 20_000 {
		t.Fatalf("height %d", n.engine.BestHeader().Height)
	}
}

// Who shows one chain first and gives another the second time is not followed,
// but for what 24 bits let pass.
func TestOtherChainTheSecondTime(t *testing.T) {
	first, second := genesisRun(20_000, 1), genesisRun(20_000, 2)
	start := state.NewHeader(&regtest.Chain.GenesisBlock.Header, nil)
	s := newPresync(regtest, start, workOf(19_000), epoch.Add(1000*time.Hour).Unix(), sipKey{1, 2}, 77)
	feed := func(run []wire.BlockHeader) (released int, more bool) {
		for at := 0; at < len(run); at += 2000 {
			part := run[at : at+2000]
			hashes := make([]chainhash.Hash, len(part))
			for i := range part {
				hashes[i] = part[i].BlockHash()
			}
			var headers []wire.BlockHeader
			headers, more = s.feed(part, hashes, true)
			released += len(headers)
			if s.second && s.height() == 0 || !more {
				break
			}
		}
		return released, more
	}
	if _, more := feed(first); !more || !s.second {
		t.Fatal("the first pass did not end well")
	}
	if released, more := feed(second); more || released != 0 {
		t.Fatalf("%d headers of another chain were kept", released)
	}
}

// The first pass keeps next to nothing, the second a bounded number of
// headers, and a chain that is longer than time allows is not followed.
func TestPresyncBounds(t *testing.T) {
	run := genesisRun(20_000, 1)
	start := state.NewHeader(&regtest.Chain.GenesisBlock.Header, nil)
	s := newPresync(regtest, start, workOf(1<<40), start.Raw.Timestamp.Unix(), sipKey{1, 2}, 0)
	var hashes []chainhash.Hash
	for i := range run {
		hashes = append(hashes, run[i].BlockHash())
	}
	if len(s.bits) != 0 || s.most != blocksPerSecondMax*params.MaxFutureSeconds/commitEvery {
		t.Fatalf("%d bits, at most %d", len(s.bits), s.most)
	}
	s.most = 10
	if _, more := s.feed(run, hashes, true); more || s.nbits != 10 {
		t.Fatalf("it went on after %d bits", s.nbits)
	}
	s = newPresync(regtest, start, workOf(19_999), epoch.Add(1000*time.Hour).Unix(), sipKey{1, 2}, 0)
	s.feed(run, hashes, true)
	kept, released := 0, 0
	for at := 0; at < len(run); at += 2000 {
		out, _ := s.feed(run[at:at+2000], hashes[at:at+2000], true)
		released += len(out)
		kept = max(kept, len(s.kept))
	}
	if kept > redownloadMax+2000 || released != 20_000 {
		t.Fatalf("%d kept at most, %d released", kept, released)
	}
}

// Headers whose bits no retarget allows end the passes.
func TestPresyncDifficulty(t *testing.T) {
	main := params.MainNet()
	start := state.NewHeader(&main.Chain.GenesisBlock.Header, nil)
	s := newPresync(main, start, workOf(1), start.Raw.Timestamp.Unix(), sipKey{}, 0)
	if !s.mayFollow(0x1d00ffff) || s.mayFollow(0x1c00ffff) {
		t.Error("within a period the bits stay")
	}
	s.pass.height = 2015
	for bits, want := range map[uint32]bool{
		0x1d00ffff: true, 0x1c3fffc0: true, 0x1c3fff00: false, 0x1d01ffff: false, 0: false,
	} {
		if s.mayFollow(bits) != want {
			t.Errorf("%08x: %v", bits, !want)
		}
	}
}

// On a young chain without minimum work, side branches are kept up to a bound;
// then only what is better than the best.
func TestSideHeaders(t *testing.T) {
	n := newNode(t)
	best := genesisRun(500, 1)
	p := n.connect(peer.OutboundFull)
	serveRun(n, p, best)
	if n.engine.BestHeader().Height != 500 {
		t.Fatal("the best branch was not taken")
	}
	n.m.addedHeaders += sideHeadersMax + 1
	liar := n.connect(peer.Inbound)
	n.receive(liar, &message.Headers{Headers: genesisRun(400, 2)})
	last := genesisRun(400, 2)[399]
	if n.engine.Header(last.BlockHash()) != nil {
		t.Fatal("a side branch was kept")
	}
	better := genesisRun(501, 3)
	n.receive(liar, &message.Headers{Headers: better})
	if n.engine.BestHeader().Hash != better[500].BlockHash() {
		t.Fatal("the better branch was not kept")
	}
}

// What is wrong with headers by themselves is blamed; what does not connect is
// asked for, once.
func TestBadHeaders(t *testing.T) {
	run := genesisRun(10, 1)
	broken := append([]wire.BlockHeader(nil), run...)
	broken[5].Nonce++
	for i := range 100 {
		hash := broken[5].BlockHash()
		target, _ := state.TargetOf(broken[5].Bits)
		if !state.HashMeets(&hash, &target) {
			break
		}
		broken[5].Nonce += uint32(i)
	}
	gap := append(append([]wire.BlockHeader(nil), run[:4]...), run[6:]...)
	for name, list := range map[string][]wire.BlockHeader{"no work": broken[:6], "gap": gap} {
		n := newNode(t)
		p := n.connect(peer.Inbound)
		n.receive(p, &message.Headers{Headers: list})
		if p.blamed == "" {
			t.Errorf("%s: nobody was blamed", name)
		}
	}
	n := newNode(t)
	p := n.connect(peer.Inbound)
	n.receive(p, &message.Headers{})
	p.sent = nil
	for range 50 {
		n.receive(p, &message.Headers{Headers: run[5:]})
		if len(take[*message.GetHeaders](p)) > 1 {
			t.Fatal("asked more than once for one message")
		}
	}
	future := headerRun(regtest.GenesisHash(), n.clock.Now().Add(3*time.Hour), 1, 9)
	n.receive(p, &message.Headers{Headers: future})
	if p.ended != "" {
		t.Fatalf("ended: %s", p.ended)
	}
}

// A flood of headers while the engine is busy is bounded, and what was dropped
// is asked for again.
func TestHeaderFloodWhileBusy(t *testing.T) {
	n := newNode(t)
	slow := &slowIntake{syncIntake: syncIntake{n.engine}}
	n.m.Intake = slow
	p := n.connect(peer.OutboundFull)
	run := genesisRun(100, 1)
	for i := range run {
		n.receive(p, &message.Headers{Headers: run[i : i+1]})
	}
	if r := n.m.byID[p.id]; len(r.headers.queue) != headersQueued || len(slow.waiting) != 1 {
		t.Fatalf("%d wait, %d at the engine", len(r.headers.queue), len(slow.waiting))
	}
	p.sent = nil
	for len(slow.waiting) > 0 {
		slow.release()
		n.drain()
	}
	if got := take[*message.GetHeaders](p); len(got) != 1 {
		t.Fatalf("%d getheaders", len(got))
	}
	if n.engine.BestHeader().Height != 3 {
		t.Fatalf("height %d", n.engine.BestHeader().Height)
	}
}

// While the chain is old one peer is asked for it; when that one is silent,
// the next.
func TestSilentHeaderSource(t *testing.T) {
	n := newNode(t)
	n.clock.Set(epoch.Add(1000 * time.Hour))
	first, second := n.connect(peer.OutboundFull), n.connect(peer.OutboundFull)
	inbound := n.connect(peer.Inbound)
	if len(take[*message.GetHeaders](first)) != 1 || len(take[*message.GetHeaders](second)) != 0 ||
		len(take[*message.GetHeaders](inbound)) != 0 {
		t.Fatal("not exactly the first was asked")
	}
	n.pass(headersAnswer + time.Minute)
	if first.ended == "" {
		t.Fatal("the silent source stays")
	}
	n.disconnect(first)
	n.pass(time.Second)
	if len(take[*message.GetHeaders](second)) != 1 {
		t.Fatal("the second was not asked")
	}
	if inbound.ended != "" || second.ended != "" {
		t.Fatal("the others went too")
	}
}

// A peer that ignored getheaders while it thought it was behind, as btcd does,
// and then announces a block, is asked again, ever more rarely.
func TestAnnouncerIsAskedAgain(t *testing.T) {
	n := newNode(t)
	p := n.connect(peer.Inbound)
	if len(take[*message.GetHeaders](p)) != 1 {
		t.Fatal("not asked at first")
	}
	n.pass(time.Second)
	n.receive(p, &message.Inv{Items: []message.Item{{Type: message.ItemBlock, Hash: chainhash.Hash{7}}}})
	if len(take[*message.GetHeaders](p)) != 0 {
		t.Fatal("asked again at once")
	}
	n.pass(headersAgain + time.Second)
	if len(take[*message.GetHeaders](p)) != 1 {
		t.Fatal("not asked again")
	}
	n.pass(headersAnswer)
	if asked := len(take[*message.GetHeaders](p)); asked < 2 || asked > 5 {
		t.Fatalf("asked %d times more within two minutes", asked)
	}
}

// A source with a thin line is not replaced while its bytes come in.
func TestThinHeaderSource(t *testing.T) {
	n := newNode(t)
	n.clock.Set(epoch.Add(1000 * time.Hour))
	first := n.connect(peer.OutboundFull)
	n.connect(peer.OutboundFull)
	for range 60 {
		first.bytes += 2000
		n.pass(5 * time.Second)
	}
	if first.ended != "" {
		t.Fatalf("ended: %s", first.ended)
	}
}

// An outbound peer that stays on a chain with less work goes; one that has
// shown ours is protected.
func TestOutboundBehind(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 20)
	n.mine(blocks...)
	good, behind, manual := n.connect(peer.OutboundFull), n.connect(peer.OutboundFull), n.connect(peer.Manual)
	n.receive(good, headersOf(blocks...))
	n.receive(behind, headersOf(blocks[:5]...))
	n.receive(manual, headersOf(blocks[:5]...))
	n.pass(behindTime - time.Minute)
	if behind.ended != "" {
		t.Fatal("too early")
	}
	take[*message.GetHeaders](behind)
	n.pass(time.Minute + 10*time.Second)
	if len(take[*message.GetHeaders](behind)) != 1 {
		t.Fatal("it was not asked once more")
	}
	n.pass(behindAnswer + 10*time.Second)
	if behind.ended == "" || good.ended != "" || manual.ended != "" {
		t.Fatalf("behind %q, good %q, manual %q", behind.ended, good.ended, manual.ended)
	}
	if s, _ := n.m.PeerState(good.id); !s.Protected || s.SyncedHeaders != 20 || s.SyncedBlocks != 20 {
		t.Fatalf("%+v", s)
	}
}

// A flood of invs of blocks that nobody knows costs one question a message.
func TestBlockInvFlood(t *testing.T) {
	n := newNode(t)
	p := n.connect(peer.Inbound)
	p.sent = nil
	items := make([]message.Item, message.MaxItems)
	for i := range items {
		items[i] = message.Item{Type: message.ItemBlock, Hash: chainhash.Hash{byte(i), byte(i >> 8), 7}}
	}
	for range 5 {
		if !n.receive(p, &message.Inv{Items: items}) {
			t.Fatal("an inv of blocks is ours")
		}
	}
	if got := len(take[*message.GetHeaders](p)); got > 1 || len(p.sent) != 0 {
		t.Fatalf("%d getheaders, %d others", got, len(p.sent))
	}
	items[9].Type = message.ItemWTx
	if n.receive(p, &message.Inv{Items: items}) {
		t.Fatal("an inv with a transaction is somebody else's too")
	}
}

// An outbound peer whose chain is invalid here (the goods rules, which it does
// not know) is nobody's fault, but its place is given to another.
func TestOutboundOnInvalidChain(t *testing.T) {
	n := newNode(t, func(o *Options) { o.Charter = true })
	blocks := branch("a", genesis(), 0, 5)
	p := n.connect(peer.OutboundFull)
	n.receive(p, headersOf(blocks...))
	for _, b := range blocks {
		n.receive(p, &message.Block{Block: b})
	}
	if err := n.engine.Invalidate(blocks[1].Hash); err != nil {
		t.Fatal(err)
	}
	n.drain()
	n.m.byID[p.id].behind = behindTalk{}
	n.pass(behindTime + behindAnswer + time.Minute)
	if p.ended == "" || p.blamed != "" {
		t.Fatalf("ended %q, blamed %q", p.ended, p.blamed)
	}
}

// Headers are cheap on a young chain: somebody fills the bound and then tells
// of a branch with more work than ours, whose blocks nobody will ever see. The
// honest chain, which has less than that, is still followed: from peers that we
// chose, and from any where there is none.
func TestForgedBestBranch(t *testing.T) {
	for _, kind := range []peer.Kind{peer.OutboundFull, peer.Inbound} {
		n := newNode(t)
		blocks := branch("honest", genesis(), 0, 7)
		n.mine(blocks[:5]...)
		honest, liar := n.connect(kind), n.connect(peer.Inbound)
		n.receive(honest, headersOf(blocks[:5]...))
		n.m.addedHeaders += sideHeadersMax + 1
		n.receive(liar, headersOf(branch("forged", genesis(), 0, 50)...))
		if n.engine.BestHeader().Height != 50 {
			t.Fatal("the better branch was not kept")
		}
		n.receive(honest, headersOf(blocks[5]))
		for range 3 {
			n.pass(time.Second)
			for _, hash := range asked(honest) {
				if hash == blocks[5].Hash {
					n.receive(honest, &message.Block{Block: blocks[5]})
				}
			}
		}
		n.mustTip(blocks[5])
		n.receive(honest, &message.Block{Block: blocks[6]}) // unasked
		n.mustTip(blocks[6])
	}
}

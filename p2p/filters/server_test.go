package filters

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/index/filter"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// world is a header tree with an index over it that has every filter up to a
// height, and one peer.
type world struct {
	t       *testing.T
	tip     *state.Header
	headers map[chainhash.Hash]*state.Header
	have    int32
	fail    error
	reads   int
	server  *Server
	*fakePeer
}

func (w *world) Tip() *state.Header                       { return w.tip }
func (w *world) Header(hash chainhash.Hash) *state.Header { return w.headers[hash] }

func (w *world) Filter(h *state.Header) ([]byte, error) {
	w.reads++
	if h.Height > w.have || w.fail != nil {
		return nil, w.fail
	}
	return fmt.Appendf(nil, "filter of %v", h.Hash), nil
}

func (w *world) head(h *state.Header) filter.Head {
	return filter.Head{Filter: filter.HashOf(h.Hash[:1]), Header: filter.HashOf(h.Hash[:])}
}

func (w *world) Head(h *state.Header) (filter.Head, bool, error) {
	w.reads++
	return w.head(h), h.Height <= w.have, w.fail
}

func (w *world) Heads(start int32, stop *state.Header) (heads []filter.Head, err error) {
	if stop.Height > w.have || w.fail != nil {
		return nil, w.fail
	}
	for height := start; height <= stop.Height; height++ {
		heads = append(heads, w.head(stop.Ancestor(height)))
	}
	return heads, nil
}

type fakePeer struct {
	facts   peer.Facts
	sent    []message.Message
	backlog int
	each    int // backlog that a message adds
	closed  string
	blamed  bool
}

func (p *fakePeer) ID() uint64            { return 1 }
func (p *fakePeer) Facts() *peer.Facts    { return &p.facts }
func (p *fakePeer) SendBacklogBytes() int { return p.backlog }
func (p *fakePeer) Disconnect(why string) { p.closed = why }
func (p *fakePeer) Misbehaved(string)     { p.blamed = true }
func (p *fakePeer) Send(m message.Message) {
	p.sent = append(p.sent, m)
	p.backlog += p.each
}

func (p *fakePeer) take() []message.Message {
	sent := p.sent
	p.sent = nil
	return sent
}

func newWorld(t *testing.T, height int) *world {
	w := &world{t: t, headers: map[chainhash.Hash]*state.Header{}, fakePeer: &fakePeer{}}
	w.grow(nil, height+1, 0)
	w.have = w.tip.Height
	w.server = New(Options{Chain: w, Index: w})
	w.server.Connected(w.fakePeer)
	return w
}

// grow makes n headers on parent, the last of which is the tip.
func (w *world) grow(parent *state.Header, n int, nonce uint32) {
	for range n {
		raw := wire.BlockHeader{Nonce: nonce, Bits: 0x207fffff, Timestamp: time.Unix(1_700_000_000, 0)}
		if parent != nil {
			raw.PrevBlock = parent.Hash
			raw.Timestamp = parent.Raw.Timestamp.Add(10 * time.Minute)
		}
		parent = state.NewHeader(&raw, parent)
		w.headers[parent.Hash] = parent
	}
	w.tip = parent
}

func (w *world) ask(m message.Message) []message.Message {
	if !w.server.Receive(w.fakePeer, m) {
		w.t.Fatalf("%s is not taken", m.Command())
	}
	w.server.Tick(time.Unix(1, 0))
	return w.take()
}

func (w *world) at(height int32) *state.Header { return w.tip.Ancestor(height) }

func TestFilters(t *testing.T) {
	w := newWorld(t, 3000)
	sent := w.ask(&message.GetCFilters{Start: 0, Stop: w.at(59).Hash})
	if len(sent) != 60 {
		t.Fatalf("%d filters, want 60", len(sent))
	}
	for i, m := range sent {
		want, _ := w.Filter(w.at(int32(i)))
		if got := m.(*message.CFilter); got.Block != w.at(int32(i)).Hash || string(got.Filter) != string(want) {
			t.Fatalf("filter %d is another one", i)
		}
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, 3000)
	for _, start := range []uint32{0, 1, 1000} {
		stop := w.at(int32(start) + maxHeaders - 1)
		sent := w.ask(&message.GetCFHeaders{Start: start, Stop: stop.Hash})
		got := sent[0].(*message.CFHeaders)
		if got.Stop != stop.Hash || len(got.Filters) != maxHeaders {
			t.Fatalf("%d headers", len(got.Filters))
		}
		for i, hash := range got.Filters {
			if hash != w.head(w.at(int32(start)+int32(i))).Filter {
				t.Fatalf("from %d: filter hash %d is another one", start, i)
			}
		}
		var previous chainhash.Hash
		if start > 0 {
			previous = w.head(w.at(int32(start) - 1)).Header
		}
		if got.Previous != previous {
			t.Errorf("from %d: the header before the first is another one", start)
		}
	}
}

func TestCheckpoints(t *testing.T) {
	w := newWorld(t, 5500)
	check := func(stop *state.Header) {
		t.Helper()
		got := w.ask(&message.GetCFCheckpt{Stop: stop.Hash})[0].(*message.CFCheckpt)
		var want []chainhash.Hash
		for height := int32(checkpointEvery); height <= stop.Height; height += checkpointEvery {
			want = append(want, w.head(stop.Ancestor(height)).Header)
		}
		if got.Stop != stop.Hash || !slices.Equal(got.Headers, want) {
			t.Fatalf("checkpoints to %d: %d, want %d", stop.Height, len(got.Headers), len(want))
		}
	}
	check(w.at(999))
	check(w.at(1000))
	check(w.tip)
	reads := w.reads
	check(w.tip)
	if w.reads != reads {
		t.Error("checkpoints are read again")
	}
	old := w.tip
	w.grow(w.at(4900), 700, 9) // the checkpoint at 5000 is another now
	w.have = w.tip.Height
	check(w.tip)
	check(old)
}

// TestRefused: what BIP157 forbids ends the link, without blame.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(w *world) message.Message
	}{
		{"type", func(w *world) message.Message { return &message.GetCFilters{Type: 1, Stop: w.tip.Hash} }},
		{"unknown block", func(*world) message.Message { return &message.GetCFCheckpt{Stop: chainhash.Hash{1}} }},
		{"upside down", func(w *world) message.Message { return &message.GetCFHeaders{Start: 11, Stop: w.at(10).Hash} }},
		{"far above", func(w *world) message.Message { return &message.GetCFHeaders{Start: 1<<32 - 1, Stop: w.tip.Hash} }},
		{"too many filters", func(w *world) message.Message { return &message.GetCFilters{Start: 0, Stop: w.at(1000).Hash} }},
		{"too many headers", func(w *world) message.Message { return &message.GetCFHeaders{Start: 0, Stop: w.at(2000).Hash} }},
		{"old branch", func(w *world) message.Message {
			old := w.at(2990)
			w.grow(w.at(0), 2999+5000, 9)
			w.have = w.tip.Height
			return &message.GetCFilters{Start: 2990, Stop: old.Hash}
		}},
		{"not served", func(w *world) message.Message {
			w.server.Index = nil
			return &message.GetCFCheckpt{Stop: w.tip.Hash}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 3000)
			if sent := w.ask(c.make(w)); len(sent) != 0 || w.closed == "" || w.blamed {
				t.Errorf("%d answers, closed %q, blamed %v", len(sent), w.closed, w.blamed)
			}
		})
	}
}

// TestPace: a peer that asks for much and reads little is given little, and is
// bounded in what it may ask.
func TestPace(t *testing.T) {
	w := newWorld(t, 1500)
	w.each = peer.PaceBytes / 8
	got := len(w.ask(&message.GetCFilters{Start: 0, Stop: w.at(999).Hash}))
	if got != 8 {
		t.Fatalf("%d filters at once, want 8", got)
	}
	w.ask(&message.GetCFHeaders{Start: 0, Stop: w.at(10).Hash})
	var sent []message.Message
	for i := 0; i < 200; i++ {
		w.backlog = 0
		w.server.Tick(time.Unix(int64(i), 0))
		sent = append(sent, w.take()...)
	}
	if len(sent) != 993 {
		t.Fatalf("%d answers in the end, want 993", len(sent))
	}
	if _, ok := sent[992].(*message.CFHeaders); !ok || sent[991].(*message.CFilter).Block != w.at(999).Hash {
		t.Error("requests are not answered in order")
	}
	w.backlog = peer.PaceBytes
	for range maxPending {
		w.ask(&message.GetCFilters{Start: 0, Stop: w.at(999).Hash})
	}
	if w.closed != "" {
		t.Fatal("disconnected too soon")
	}
	w.ask(&message.GetCFilters{Start: 0, Stop: w.at(999).Hash})
	if w.closed == "" || len(w.server.peers[0].pending) > maxPending {
		t.Error("a peer may ask without end")
	}
	w.server.Disconnected(w.fakePeer)
	if len(w.server.peers) != 0 || w.server.Receive(w.fakePeer, &message.GetCFCheckpt{Stop: w.tip.Hash}) {
		t.Error("a peer that is gone is remembered")
	}
}

// TestFast: a tick costs a bounded number of reads even for a fast reader.
func TestFast(t *testing.T) {
	w := newWorld(t, 1500)
	if got := len(w.ask(&message.GetCFilters{Start: 0, Stop: w.at(999).Hash})); got != sliceFilters {
		t.Errorf("%d filters in a tick", got)
	}
}

// TestBehind: what the index does not have yet, or cannot read, is not
// answered, and nothing gets stuck behind it.
func TestBehind(t *testing.T) {
	w := newWorld(t, 3000)
	w.have = 1500
	asks := func() (answers int) {
		for _, m := range []message.Message{
			&message.GetCFilters{Start: 2990, Stop: w.tip.Hash},
			&message.GetCFHeaders{Start: 2500, Stop: w.tip.Hash},
			&message.GetCFCheckpt{Stop: w.tip.Hash},
		} {
			answers += len(w.ask(m))
		}
		return answers
	}
	if got := asks(); got != 0 || w.closed != "" {
		t.Errorf("%d answers, closed %q", got, w.closed)
	}
	w.have, w.fail = 3000, errors.New("the disk is gone")
	if got := asks(); got != 0 || w.closed != "" {
		t.Errorf("%d answers, closed %q", got, w.closed)
	}
	w.fail = nil
	if got := asks(); got != 11+1+1 {
		t.Errorf("%d answers", got)
	}
	if w.server.Receive(w.fakePeer, &message.Ping{}) {
		t.Error("a ping is another's")
	}
}

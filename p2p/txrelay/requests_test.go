package txrelay

import (
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"pgregory.net/rapid"

	"granary/base/clock"
)

// naive is the tracker without any index: a list of announcements.
type naive struct {
	list []*word
	real *requests // for priorities alone
}

type word struct {
	peer      uint64
	hash      chainhash.Hash
	preferred bool
	until     time.Time
	stage     stage // waiting, ready, asked or finished
}

func (n *naive) of(hash chainhash.Hash) (words []*word) {
	for _, w := range n.list {
		if w.hash == hash {
			words = append(words, w)
		}
	}
	return words
}

func (n *naive) find(peer uint64, hash chainhash.Hash) *word {
	for _, w := range n.of(hash) {
		if w.peer == peer {
			return w
		}
	}
	return nil
}

func (n *naive) heard(peer uint64, hash chainhash.Hash, preferred bool, at time.Time) {
	if n.find(peer, hash) == nil {
		n.list = append(n.list, &word{peer: peer, hash: hash, preferred: preferred, until: at})
	}
}

func (n *naive) advance(now time.Time) {
	for _, w := range n.list {
		if w.until.After(now) {
			continue
		}
		switch w.stage {
		case waiting:
			w.stage = ready
		case asked:
			w.stage = finished
		}
	}
	n.sweep()
}

// sweep forgets hashes without an active announcement.
func (n *naive) sweep() {
	n.list = slices.DeleteFunc(n.list, func(w *word) bool {
		return !slices.ContainsFunc(n.of(w.hash), func(w *word) bool { return w.stage != finished })
	})
}

func (n *naive) toAsk(peer uint64) (hashes []chainhash.Hash) {
	for _, w := range n.list {
		if w.peer == peer && n.chosen(w.hash) == w {
			hashes = append(hashes, w.hash)
		}
	}
	return hashes
}

func (n *naive) chosen(hash chainhash.Hash) (best *word) {
	for _, w := range n.of(hash) {
		switch {
		case w.stage == asked:
			return nil
		case w.stage == ready && (best == nil || n.priority(w) > n.priority(best)):
			best = w
		}
	}
	return best
}

func (n *naive) priority(w *word) uint64 { return n.real.priorityOf(w.peer, w.hash, w.preferred) }

func (n *naive) finish(peer uint64, hash chainhash.Hash) {
	if w := n.find(peer, hash); w != nil {
		w.stage = finished
	}
	n.sweep()
}

func (n *naive) remove(f func(*word) bool) {
	n.list = slices.DeleteFunc(n.list, f)
	n.sweep()
}

func (n *naive) count(peer uint64) (all, inFlight int) {
	for _, w := range n.list {
		if w.peer == peer {
			all++
			if w.stage == asked {
				inFlight++
			}
		}
	}
	return all, inFlight
}

// TestRequestsModel holds the tracker to the naive one over random histories.
func TestRequestsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRequests(clock.SeededRand(rapid.Uint64().Draw(t, "seed")))
		n := &naive{real: r}
		now := time.Unix(1_700_000_000, 0)
		peers := rapid.Uint64Range(1, 5)
		hashes := rapid.Custom(func(t *rapid.T) chainhash.Hash { return chainhash.Hash{rapid.ByteRange(1, 6).Draw(t, "hash")} })
		preferred := func(peer uint64) bool { return peer <= 2 }
		t.Repeat(map[string]func(*rapid.T){
			"heard": func(t *rapid.T) {
				peer, hash := peers.Draw(t, "peer"), hashes.Draw(t, "hash")
				at := now.Add(time.Duration(rapid.IntRange(-1, 3).Draw(t, "delay")) * time.Second)
				r.heard(peer, hash, true, preferred(peer), at)
				n.heard(peer, hash, preferred(peer), at)
			},
			"ask": func(t *rapid.T) {
				peer := peers.Draw(t, "peer")
				for _, a := range r.toAsk(peer) {
					if rapid.Bool().Draw(t, "known meanwhile") {
						r.forget(a.hash)
						n.remove(func(w *word) bool { return w.hash == a.hash })
						continue
					}
					until := now.Add(5 * time.Second)
					r.sent(a, until)
					w := n.find(peer, a.hash)
					w.stage, w.until = asked, until
				}
			},
			"answered": func(t *rapid.T) {
				peer, hash := peers.Draw(t, "peer"), hashes.Draw(t, "hash")
				r.answered(peer, hash)
				n.finish(peer, hash)
			},
			"forget": func(t *rapid.T) {
				hash := hashes.Draw(t, "hash")
				r.forget(hash)
				n.remove(func(w *word) bool { return w.hash == hash })
			},
			"gone": func(t *rapid.T) {
				peer := peers.Draw(t, "peer")
				r.disconnected(peer)
				n.remove(func(w *word) bool { return w.peer == peer })
			},
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				r.advance(now)
				n.advance(now)
				for peer := uint64(1); peer <= 5; peer++ {
					var got []chainhash.Hash
					for _, a := range r.toAsk(peer) {
						got = append(got, a.hash)
					}
					if want := n.toAsk(peer); !slices.Equal(got, want) {
						t.Fatalf("peer %d is to be asked for %v, the model says %v", peer, got, want)
					}
					all, inFlight := r.count(peer)
					if wantAll, want := n.count(peer); all != wantAll || inFlight != want {
						t.Fatalf("peer %d: %d announcements, %d asked; the model says %d, %d", peer, all, inFlight, wantAll, want)
					}
				}
				checkRequests(t, r)
			},
		})
	})
}

// checkRequests counts the tracker anew.
func checkRequests(t interface{ Fatalf(string, ...any) }, r *requests) {
	timed, all := 0, 0
	for hash, list := range r.byHash {
		activeOnes, turns := 0, 0
		for a := list; a != nil; a = a.next {
			all++
			if a.hash != hash || a.from.list[a.place] != a || a.stage == gone {
				t.Fatalf("an announcement in the wrong place")
			}
			if a.active() {
				activeOnes++
			}
			if a.stage == chosen || a.stage == asked {
				turns++
			}
			if (a.stage == waiting || a.stage == asked) != (a.timer >= 0) {
				t.Fatalf("a timer too many or too few in stage %d", a.stage)
			}
			if a.timer >= 0 {
				timed++
				if r.timers[a.timer] != a {
					t.Fatalf("a timer in the wrong place")
				}
			}
		}
		if activeOnes == 0 || turns > 1 {
			t.Fatalf("%d active announcements of a hash, %d have their turn", activeOnes, turns)
		}
	}
	for _, p := range r.peers {
		all -= len(p.list)
	}
	if timed != len(r.timers) || all != 0 {
		t.Fatalf("%d timers of %d, %d announcements more by hash than by peer", timed, len(r.timers), all)
	}
}

// TestRecent: what was added last is always found, what was not hardly ever.
func TestRecent(t *testing.T) {
	const n = 1_000
	r := newRecent(n, clock.SeededRand(1))
	name := func(kind byte, i int) chainhash.Hash {
		return chainhash.Hash{kind, byte(i), byte(i >> 8), byte(i >> 16)}
	}
	if r.has(name(1, 0)) || r.young != nil {
		t.Error("an empty set finds something, or takes memory")
	}
	for i := range 10 * n {
		r.add(name(1, i))
		if back := max(0, i-n+1); !r.has(name(1, back)) {
			t.Fatalf("%d of the last %d is forgotten", i-back, n)
		}
	}
	if r.has(name(1, 7*n)) {
		t.Error("what is twice too old is remembered")
	}
	wrong := 0
	for i := range 200_000 {
		if r.has(name(2, i)) {
			wrong++
		}
	}
	if wrong > 3 {
		t.Errorf("%d of 200000 found by mistake", wrong)
	}
	r.reset()
	if r.has(name(1, 10*n-1)) {
		t.Error("reset forgets")
	}
}

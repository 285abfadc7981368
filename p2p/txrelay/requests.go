package txrelay

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"slices"
	"time"

	"github.com/aead/siphash"
	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/clock"
)

// stage is how far an announcement has come.
type stage uint8

const (
	waiting  stage = iota // its time has not come
	ready                 // it could be chosen, and another is
	chosen                // it is to be asked for
	asked                 // it is asked for
	finished              // answered, refused or too late
	gone                  // no longer in the tracker
)

// announcement is one peer's word that it has one transaction.
type announcement struct {
	hash     chainhash.Hash
	from     *asking
	next     *announcement // of the same hash
	until    int64         // waiting: its time; asked: when the answer is late; Unix nanoseconds
	sequence uint64
	priority uint64 // the highest of those ready is chosen
	timer    int32  // place in the heap of timers, -1 for none
	place    int32  // in from.list
	stage    stage
	byWtxid  bool
	listed   bool // in from.chosen
}

func bySequence(a, b *announcement) int { return cmp.Compare(a.sequence, b.sequence) }

// active reports whether it may still lead to the transaction.
func (a *announcement) active() bool { return a.stage < finished }

// asking is what the tracker knows of one peer.
type asking struct {
	id       uint64
	list     []*announcement // in no order
	chosen   []*announcement // every chosen one, and some that were
	inFlight int
}

// requests keeps who announced which transaction and says whom to ask for it.
// For each hash at most one announcement is chosen or asked. A hash is known
// while an announcement of it is active. Times are Unix nanoseconds.
type requests struct {
	key      [siphash.KeySize]byte
	byHash   map[chainhash.Hash]*announcement // a list by next, in no order
	peers    map[uint64]*asking
	timers   timers
	sequence uint64
}

func newRequests(rand clock.Rand) *requests {
	return &requests{
		key: newKey(rand), byHash: map[chainhash.Hash]*announcement{}, peers: map[uint64]*asking{},
	}
}

// heard notes that peer has announced hash, to be asked for from at on. A
// second announcement by the same peer changes nothing.
func (r *requests) heard(peer uint64, hash chainhash.Hash, byWtxid, preferred bool, at time.Time) {
	from := r.peers[peer]
	if from == nil {
		from = &asking{id: peer}
		r.peers[peer] = from
	}
	if r.find(peer, hash) != nil {
		return
	}
	r.sequence++
	a := &announcement{
		hash: hash, from: from, until: at.UnixNano(), sequence: r.sequence, timer: -1, place: int32(len(from.list)),
		priority: r.priorityOf(peer, hash, preferred), byWtxid: byWtxid, next: r.byHash[hash],
	}
	from.list = append(from.list, a)
	r.byHash[hash] = a
	heap.Push(&r.timers, a)
}

// priorityOf is high for preferred peers, and among equals drawn by a secret.
func (r *requests) priorityOf(peer uint64, hash chainhash.Hash, preferred bool) uint64 {
	msg := binary.LittleEndian.AppendUint64(hash[:len(hash):len(hash)], peer)
	priority := siphash.Sum64(msg, &r.key) >> 1
	if preferred {
		priority |= 1 << 63
	}
	return priority
}

func (r *requests) find(peer uint64, hash chainhash.Hash) *announcement {
	from := r.peers[peer]
	for a := r.byHash[hash]; a != nil; a = a.next {
		if a.from == from {
			return a
		}
	}
	return nil
}

// advance lets time pass: what waited long enough may be chosen, what was
// asked for too long ago is finished.
func (r *requests) advance(now time.Time) {
	for limit := now.UnixNano(); len(r.timers) > 0 && r.timers[0].until <= limit; {
		a := heap.Pop(&r.timers).(*announcement)
		if a.stage == asked {
			r.finish(a)
			continue
		}
		a.stage = ready
		r.choose(a.hash)
	}
}

// choose makes the best of the ready announcements of hash the chosen one,
// unless one is asked.
func (r *requests) choose(hash chainhash.Hash) {
	var best *announcement
	for a := r.byHash[hash]; a != nil; a = a.next {
		switch {
		case a.stage == asked:
			return
		case (a.stage == ready || a.stage == chosen) && (best == nil || a.priority > best.priority):
			best = a
		}
	}
	for a := r.byHash[hash]; a != nil; a = a.next {
		if a.stage == chosen && a != best {
			a.stage = ready
		}
	}
	if best == nil {
		return
	}
	best.stage = chosen
	if !best.listed {
		best.listed = true
		best.from.chosen = append(best.from.chosen, best)
	}
}

// toAsk lists what peer is to be asked for now, in the order in which it
// announced it. Each must be answered by sent or forget before the next call.
func (r *requests) toAsk(peer uint64) []*announcement {
	from := r.peers[peer]
	if from == nil {
		return nil
	}
	from.chosen = slices.DeleteFunc(from.chosen, func(a *announcement) bool {
		a.listed = a.stage == chosen
		return !a.listed
	})
	slices.SortFunc(from.chosen, bySequence)
	return slices.Clone(from.chosen)
}

// sent notes that a chosen announcement was asked for; an answer later than
// until counts as none.
func (r *requests) sent(a *announcement, until time.Time) {
	if a.stage != chosen {
		return
	}
	a.stage = asked
	a.from.inFlight++
	a.until = until.UnixNano()
	heap.Push(&r.timers, a)
}

// answered notes that peer has delivered hash, or does not have it.
func (r *requests) answered(peer uint64, hash chainhash.Hash) {
	if a := r.find(peer, hash); a != nil && a.active() {
		r.finish(a)
	}
}

// finish ends an announcement and lets the next have its turn. With the last
// active one the hash is forgotten.
func (r *requests) finish(a *announcement) {
	r.settle(a, finished)
	for other := r.byHash[a.hash]; other != nil; other = other.next {
		if other.active() {
			r.choose(a.hash)
			return
		}
	}
	r.forget(a.hash)
}

// settle moves an announcement to one of the last stages.
func (r *requests) settle(a *announcement, to stage) {
	if a.stage == asked {
		a.from.inFlight--
	}
	if a.timer >= 0 {
		heap.Remove(&r.timers, int(a.timer))
	}
	a.stage = to
}

// forget drops a hash, because it is known now or not wanted.
func (r *requests) forget(hash chainhash.Hash) {
	for a := r.byHash[hash]; a != nil; a = a.next {
		r.settle(a, gone)
		a.from.remove(a)
	}
	delete(r.byHash, hash)
}

func (f *asking) remove(a *announcement) {
	last := f.list[len(f.list)-1]
	f.list[a.place], last.place = last, a.place
	f.list[len(f.list)-1] = nil
	f.list = f.list[:len(f.list)-1]
}

// disconnected forgets a peer; others have its turns.
func (r *requests) disconnected(peer uint64) {
	from := r.peers[peer]
	if from == nil {
		return
	}
	list := slices.Clone(from.list)
	slices.SortFunc(list, bySequence)
	for _, a := range list {
		if a.active() {
			r.finish(a)
		}
		if a.stage == gone {
			continue
		}
		a.stage = gone
		from.remove(a)
		r.unlink(a)
	}
	delete(r.peers, peer)
}

// unlink takes one of several announcements out of its hash's list.
func (r *requests) unlink(a *announcement) {
	if r.byHash[a.hash] == a {
		r.byHash[a.hash] = a.next
		return
	}
	for other := r.byHash[a.hash]; ; other = other.next {
		if other.next == a {
			other.next = a.next
			return
		}
	}
}

// announcers lists the peers that announced hash and have not failed to give
// it, in the order in which they did.
func (r *requests) announcers(hash chainhash.Hash) []uint64 {
	var list []*announcement
	for a := r.byHash[hash]; a != nil; a = a.next {
		if a.active() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, bySequence)
	ids := make([]uint64, len(list))
	for i, a := range list {
		ids[i] = a.from.id
	}
	return ids
}

// count gives a peer's announcements, and how many of them are asked for.
func (r *requests) count(peer uint64) (all, inFlight int) {
	if from := r.peers[peer]; from != nil {
		return len(from.list), from.inFlight
	}
	return 0, 0
}

// timers is a heap of announcements that wait or are asked, by time.
type timers []*announcement

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool {
	if t[i].until != t[j].until {
		return t[i].until < t[j].until
	}
	return t[i].sequence < t[j].sequence
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timer, t[j].timer = int32(i), int32(j)
}

// Push implements heap.Interface.
func (t *timers) Push(x any) {
	a := x.(*announcement)
	a.timer = int32(len(*t))
	*t = append(*t, a)
}

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	old := *t
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*t, a.timer = old[:len(old)-1], -1
	return a
}

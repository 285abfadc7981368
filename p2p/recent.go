package p2p

// recent remembers the last n to 2n keys that were added.
type recent[K comparable] struct {
	n          int
	young, old map[K]struct{}
}

func newRecent[K comparable](n int) recent[K] { return recent[K]{n: n} }

func (r *recent[K]) has(key K) bool {
	_, young := r.young[key]
	_, old := r.old[key]
	return young || old
}

func (r *recent[K]) add(key K) {
	if r.young == nil || len(r.young) >= r.n {
		r.old, r.young = r.young, make(map[K]struct{})
	}
	r.young[key] = struct{}{}
}

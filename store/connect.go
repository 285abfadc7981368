package store

import (
	"granary/base/check"
	"granary/state"
)

// Connect moves the state by d to the block h, whose parent is the tip, and
// appends u to the undo files unless h has its undo already. It sets h's
// UndoPos and StatusHaveUndo and saves h. d and u are not kept. Nothing is
// durable before Commit.
func (s *Store) Connect(h *state.Header, d *state.Delta, u *state.Undo) error {
	if s.failed != nil {
		return s.failed
	}
	check.Must(h.Parent == s.tip, "block %s connected to another tip", h.Hash)
	check.Must(s.files == nil || h.Status&state.StatusHaveData != 0, "block %s connected without its data", h.Hash)
	if s.files != nil && h.Status&state.StatusHaveUndo == 0 {
		pos, err := s.appendUndo(h, encodeUndo(u))
		if err != nil {
			return s.fail(err)
		}
		h.UndoPos = pos
		h.Status |= state.StatusHaveUndo
	}
	s.apply(d)
	s.SaveHeader(h)
	s.tip, s.tipMoved = h, true
	return nil
}

// Disconnect moves the state by d from the tip h to its parent.
func (s *Store) Disconnect(h *state.Header, d *state.Delta) error {
	if s.failed != nil {
		return s.failed
	}
	check.Must(h == s.tip && h.Parent != nil, "block %s disconnected but is not the tip", h.Hash)
	s.apply(d)
	s.tip, s.tipMoved = h.Parent, true
	return nil
}

func (s *Store) apply(d *state.Delta) {
	for i := range d.Spent {
		s.coins.Spend(&d.Spent[i].Out)
	}
	for i := range d.Created {
		created := &d.Created[i]
		// Before BIP34 a coinbase could have the txid of an older one, so
		// only for the others is the disk known to have none.
		s.coins.Create(&created.Out, created.Coin, !created.Coin.Coinbase)
	}
	for _, changes := range [][]state.GoodsChange{d.Goods, d.Nodes} {
		for i := range changes {
			s.goods.Set(changes[i].Key, changes[i].New)
		}
	}
}

// Tip is the last connected block, committed or not; nil before LoadHeaders.
func (s *Store) Tip() *state.Header { return s.tip }

// headerPendingBytes is what a header that waits costs in memory and batch.
const headerPendingBytes = 250

// PendingBytes is the memory of the changes since the last commit.
func (s *Store) PendingBytes() int64 {
	return s.coins.DirtyBytes() + s.goods.memoryBytes + int64(len(s.headers)+len(s.sums))*headerPendingBytes
}

// PendingBudgetBytes is the PendingBytes at which a commit is due. During
// import many blocks share a commit: commit when PendingBytes exceeds it.
func (s *Store) PendingBudgetBytes() int64 { return s.budget.pendingBytes }

// Commit makes everything since the last commit durable, all of it or, if the
// process or the power goes, none. After an error the Store is done for:
// what the last successful commit acknowledged is on the disk, and nothing
// else counts.
func (s *Store) Commit() error {
	if s.failed != nil {
		return s.failed
	}
	if !s.pending() {
		return nil
	}
	if err := s.checkSpace(); err != nil {
		return s.fail(err)
	}
	if s.files != nil {
		if err := s.files.Sync(); err != nil {
			return s.fail(err)
		}
	}
	if err := s.commitState(); err != nil {
		return s.fail(err)
	}
	s.settle()
	return nil
}

func (s *Store) pending() bool {
	return s.tipMoved || s.metaNew || len(s.headers) > 0 || s.coins.DirtyCount() > 0 || s.goods.count > 0 || len(s.sums) > 0
}

// settle turns what waited into what is.
func (s *Store) settle() {
	s.coins.MarkClean()
	s.coins.Trim(s.budget.coinBytes)
	for n := s.goods.From(nil); n != nil; n = n.Next() {
		s.cached.put(n.key, n.value)
	}
	s.goods.Clear()
	clear(s.waiting)
	clear(s.headers)
	s.headers = s.headers[:0]
	clear(s.sums)
	s.tipMoved, s.metaNew = false, false
}

package store

import (
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// TestPowerCutsDuringReindex cuts the power while --reindex replaces the state
// and checks that the directory opens without the flag.
func TestPowerCutsDuringReindex(t *testing.T) {
	for seed := range uint64(seeds(24, 1000)) {
		cut := newPowerCut(seed)
		cut.at = 1 + cut.rng.Int64N(120)
		h := newHistory(seed)
		cut.taken = h.allowed
		for range 20 {
			if err := h.live(crashOptions(cut.mem), 4); err != nil {
				t.Fatal(err)
			}
		}
		before := h.acked
		o := crashOptions(cut.fs())
		o.Reindex = true
		if err := h.rebuild(o); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		left, _ := cut.result()
		if err := h.rebuild(crashOptions(left)); err != nil {
			t.Fatalf("seed %d, cut before operation %d, %d%% kept: %v", seed, cut.at, cut.percent, err)
		}
		genesis := h.blockAt0()
		if err := h.verify(crashOptions(left), []chainhash.Hash{before, genesis}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func (h *history) blockAt0() (genesis chainhash.Hash) {
	for hash, s := range h.states {
		if s.parent == nil {
			genesis = hash
		}
	}
	return genesis
}

// rebuild is a small chain: it goes on with a reindex, if there is one, and
// connects the branch that ends in the last acknowledged tip as far as the
// files have it.
func (h *history) rebuild(o Options) error {
	s, err := Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	headers, _, err := s.LoadHeaders()
	if err != nil || !s.Reindexing() {
		return err
	}
	byHash := map[chainhash.Hash]*state.Header{}
	for _, header := range headers {
		byHash[header.Hash] = header
	}
	places := map[chainhash.Hash]state.FilePos{}
	if err := s.ScanFiles(func(raw []byte, pos state.FilePos) error {
		hash := chainhash.DoubleHashH(raw[:headerBytes])
		if h.blocks[hash] != nil {
			places[hash] = pos
		}
		return nil
	}); err != nil {
		return err
	}
	for _, snap := range h.branch(h.acked) {
		if err := h.reconnect(s, byHash, snap, places); err != nil {
			return err
		}
	}
	s.FinishReindex()
	return s.Commit()
}

// branch gives the hashes from block 1 to tip.
func (h *history) branch(tip chainhash.Hash) (hashes []chainhash.Hash) {
	bySnapshot := map[*snapshot]chainhash.Hash{}
	for hash, s := range h.states {
		bySnapshot[s] = hash
	}
	for s := h.states[tip]; s.parent != nil; s = s.parent {
		hashes = append(hashes, bySnapshot[s])
	}
	slices.Reverse(hashes)
	return hashes
}

func (h *history) reconnect(s *Store, byHash map[chainhash.Hash]*state.Header, hash chainhash.Hash, places map[chainhash.Hash]state.FilePos) error {
	pos, found := places[hash]
	if !found {
		return nil
	}
	header := h.headerAbove(s.Tip(), hash)
	if header == nil {
		return nil // a gap: pruned
	}
	if known := byHash[hash]; known != nil {
		header = known
	}
	header.DataPos = pos
	header.Status |= state.StatusHeaderValid | state.StatusBlockValid | state.StatusHaveData
	byHash[hash] = header
	return s.Connect(header, h.states[hash].delta, h.undos[hash])
}

package store

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/kv"
	"granary/state"
)

func (s *Store) loadMeta() error {
	meta, found, err := metaTable.Get(s.db, struct{}{})
	if err != nil {
		return s.damaged("meta record: %v", err)
	}
	if !found {
		meta = metaRecord{tip: headerKey{hash: s.genesis}}
	}
	s.meta = meta
	return nil
}

// damaged is the error for a record of ours that does not check out.
func (s *Store) damaged(format string, args ...any) error {
	return kv.Damaged(s.options.Dir, format, args...)
}

// LoadHeaders gives the header tree, parents before children, and the tip,
// once per Store and before anything is written. In a fresh directory it
// inserts the genesis block, whose header is valid and the tip.
func (s *Store) LoadHeaders() (all []*state.Header, tip *state.Header, err error) {
	check.Must(!s.loaded, "headers loaded twice")
	if s.failed != nil {
		return nil, nil, s.failed
	}
	if all, err = s.readHeaders(); err != nil {
		return nil, nil, err
	}
	s.loaded = true
	if len(all) == 0 {
		genesis, err := s.insertGenesis()
		return []*state.Header{genesis}, genesis, err
	}
	for _, h := range all {
		s.place.note(h)
		if keyOf(h) == s.meta.tip {
			s.tip = h
		}
	}
	if s.tip == nil {
		return nil, nil, s.damaged("tip %s has no header", s.meta.tip.hash)
	}
	return all, s.tip, nil
}

func (s *Store) readHeaders() (all []*state.Header, err error) {
	// Ascending keys are ascending heights: a parent is among the headers of
	// the height below.
	var below, here map[headerKey]*state.Header
	height := int32(-1)
	var bad error
	err = headerTable.Range(s.db, func(key headerKey, r headerRecord) bool {
		if key.height != height {
			below, here = here, make(map[headerKey]*state.Header)
			if key.height != height+1 {
				below = nil
			}
			height = key.height
		}
		var h *state.Header
		if h, bad = s.headerOf(key, &r, below); bad != nil {
			return false
		}
		here[key] = h
		all = append(all, h)
		return true
	})
	if bad == nil && err != nil {
		bad = s.damaged("header table: %v", err)
	}
	return all, bad
}

// headerOf makes the node of a record and checks that it is the one that was
// written.
func (s *Store) headerOf(key headerKey, r *headerRecord, below map[headerKey]*state.Header) (*state.Header, error) {
	var raw wire.BlockHeader
	if err := raw.Deserialize(bytes.NewReader(r.raw[:])); err != nil {
		return nil, s.damaged("header %s: %v", key.hash, err)
	}
	var parent *state.Header
	if key.height > 0 {
		if parent = below[headerKey{key.height - 1, raw.PrevBlock}]; parent == nil {
			return nil, s.damaged("header %s has no parent", key.hash)
		}
	}
	h := state.NewHeader(&raw, parent)
	if keyOf(h) != key || (parent == nil && key.hash != s.genesis) {
		return nil, s.damaged("header %s hashes to %s", key.hash, h.Hash)
	}
	h.Status, h.TxCount, h.Sequence, h.DataPos, h.UndoPos = r.status, r.txCount, r.sequence, r.data, r.undo
	return h, nil
}

// insertGenesis makes block 0 the tip, with its bytes in the first file
// unless the files are there already (reindex) or not wanted (scratch).
func (s *Store) insertGenesis() (*state.Header, error) {
	block := s.options.Net.Chain.GenesisBlock
	h := state.NewHeader(&block.Header, nil)
	h.Status = state.StatusHeaderValid | state.StatusBlockValid | state.StatusHaveData
	h.TxCount = uint32(len(block.Transactions))
	if s.files != nil && !s.meta.reindexing {
		raw, err := s.genesisBytes()
		if err != nil {
			return nil, err
		}
		if h.DataPos, err = s.AppendBlock(raw); err != nil {
			return nil, err
		}
	}
	s.SaveHeader(h)
	s.tip, s.tipMoved = h, true
	return h, s.Commit()
}

func (s *Store) genesisBytes() ([]byte, error) {
	var raw bytes.Buffer
	if err := s.options.Net.Chain.GenesisBlock.Serialize(&raw); err != nil {
		return nil, fmt.Errorf("genesis block of %s does not serialize: %w", s.options.Net.Name, err)
	}
	return raw.Bytes(), nil
}

// SaveHeader lets the next commit write h as it is then. The parent must be
// saved before it, or with it.
func (s *Store) SaveHeader(h *state.Header) {
	if !s.waiting[h] {
		s.waiting[h] = true
		s.headers = append(s.headers, h)
	}
}

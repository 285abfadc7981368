package store

import (
	"bytes"
	"testing"

	"granary/params"
	"granary/state"
)

func FuzzHeaderRecord(f *testing.F) {
	genesis := state.NewHeader(&params.RegTest().Chain.GenesisBlock.Header, nil)
	for _, status := range []state.Status{0, state.StatusHaveData, state.StatusHaveData | state.StatusHaveUndo, statusBits} {
		genesis.Status, genesis.TxCount, genesis.Sequence = status, 300, 1<<40
		genesis.DataPos = state.FilePos{File: 1, Offset: 1 << 31, Bytes: 200}
		genesis.UndoPos = state.FilePos{File: 1, Offset: 8, Bytes: 1}
		r, err := recordOf(genesis)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.append(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parseHeaderRecord(raw)
		if err == nil && !bytes.Equal(r.append(nil), raw) {
			t.Fatalf("%x comes back as %x", raw, r.append(nil))
		}
	})
}

func FuzzMetaRecord(f *testing.F) {
	for _, m := range []metaRecord{{}, {nextFile: 3, current: 2, hasCurrent: true}, {reindexing: true, tip: headerKey{height: 7}}} {
		f.Add(m.append(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMeta(raw)
		if err == nil && !bytes.Equal(m.append(nil), raw) {
			t.Fatalf("%x comes back as %x", raw, m.append(nil))
		}
	})
}

func FuzzUndoRecord(f *testing.F) {
	f.Add(encodeUndo(&state.Undo{}))
	f.Add(encodeUndo(&state.Undo{
		Spent: [][]*state.Coin{{{ValueUnits: 1, Script: []byte{1, 2}, Height: 3}}},
		Goods: []state.GoodsChange{
			{Key: []byte("a"), New: []byte{}}, {Key: []byte("b"), Old: []byte("old")}, {Key: []byte("c"), Old: []byte{}, New: []byte("new")},
		},
	}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		u, err := decodeUndo(raw)
		if err != nil {
			return
		}
		again, err := decodeUndo(encodeUndo(u))
		if err != nil || !bytes.Equal(encodeUndo(again), encodeUndo(u)) {
			t.Fatalf("%x does not come back: %v", raw, err)
		}
		for i, c := range u.Goods {
			if (c.Old == nil) != (again.Goods[i].Old == nil) || (c.New == nil) != (again.Goods[i].New == nil) {
				t.Fatalf("%x: absent and empty are mixed up", raw)
			}
		}
	})
}

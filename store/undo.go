package store

import (
	"encoding/binary"

	"granary/state"
	"granary/store/coins"
)

// The record of an undo is Bitcoin Core's CBlockUndo. On a chain with a
// charter the goods changes follow it, where there are any: their number, and
// for each, in ascending order of keys, the key, the old and the new value.
// Numbers and lengths are uvarints; the length of a value is one more than it
// says, zero for an absent one.

func encodeUndo(u *state.Undo) []byte {
	dst := coins.AppendUndo(nil, u.Spent)
	if len(u.Goods) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(u.Goods)))
	for _, change := range u.Goods {
		dst = binary.AppendUvarint(dst, uint64(len(change.Key)))
		dst = append(dst, change.Key...)
		dst = appendOptional(dst, change.Old)
		dst = appendOptional(dst, change.New)
	}
	return dst
}

func appendOptional(dst, value []byte) []byte {
	if value == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(value))+1)
	return append(dst, value...)
}

// decodeUndo is the inverse of encodeUndo. The result aliases raw's goods
// part and owns the coins.
func decodeUndo(raw []byte) (*state.Undo, error) {
	spent, rest, err := coins.DecodeUndo(raw)
	if err != nil {
		return nil, err
	}
	u := &state.Undo{Spent: spent}
	if len(rest) == 0 {
		return u, nil
	}
	d := fields{raw: rest}
	// A change takes three bytes at least.
	n := d.uvarint()
	if n == 0 || n > uint64(len(d.raw)/3) {
		return nil, errRecord
	}
	u.Goods = make([]state.GoodsChange, n)
	for i := range u.Goods {
		u.Goods[i] = state.GoodsChange{Key: d.bytes(), Old: d.optional(), New: d.optional()}
	}
	if d.bad || len(d.raw) != 0 {
		return nil, errRecord
	}
	return u, nil
}

func (d *fields) optional() []byte {
	n := d.uvarint()
	if n == 0 {
		return nil
	}
	if n-1 > uint64(len(d.raw)) {
		d.bad, d.raw = true, nil
		return nil
	}
	b := d.raw[: n-1 : n-1]
	d.raw = d.raw[n-1:]
	return b
}

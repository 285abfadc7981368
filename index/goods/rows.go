package goods

import (
	"bytes"
	"encoding/binary"
	"slices"

	"granary/base/kv"
)

// rows are the database with what was gathered and is not yet written. A
// block's changes are kept with what they replaced until takeJournal.
type rows struct {
	db      *kv.DB
	pending map[string][]byte // nil: the row goes
	bytes   int               // about how much that is
	journal map[string][]byte // what the block replaced; nil: nothing
}

func newRows(db *kv.DB) *rows {
	return &rows{db: db, pending: map[string][]byte{}, journal: map[string][]byte{}}
}

// raw gives the value under a whole key, nil where there is none.
func (r *rows) raw(key []byte) ([]byte, error) {
	if value, ok := r.pending[string(key)]; ok {
		return value, nil
	}
	var out []byte
	_, err := r.db.View(key, func(value []byte) error {
		out = append([]byte{}, value...)
		return nil
	})
	return out, err
}

// set writes a row that the journal need not know: it follows from the height.
func (r *rows) set(key, value []byte) {
	r.pending[string(key)] = value
	r.bytes += len(key) + len(value) + 48
}

// change writes a row, nil to take it away, and notes what was there.
func (r *rows) change(key, value []byte) error {
	if _, noted := r.journal[string(key)]; !noted {
		before, err := r.raw(key)
		if err != nil {
			return err
		}
		r.journal[string(key)] = before
	}
	r.set(key, value)
	return nil
}

// takeJournal gives what the block replaced and begins anew.
func (r *rows) takeJournal() []byte {
	keys := make([]string, 0, len(r.journal))
	for key, before := range r.journal {
		if !bytes.Equal(before, r.pending[key]) || (before == nil) != (r.pending[key] == nil) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	out := []byte{}
	for _, key := range keys {
		before := r.journal[key]
		out = binary.AppendUvarint(out, uint64(len(key)))
		out = append(out, key...)
		if before == nil {
			out = append(out, 0)
			continue
		}
		out = append(binary.AppendUvarint(out, uint64(len(before))+1), before...)
	}
	clear(r.journal)
	return out
}

// takeBack undoes what a journal tells of.
func (r *rows) takeBack(journal []byte) error {
	in := row{raw: journal}
	for len(in.raw) > 0 {
		key := in.bytes(int(min(in.uvarint(), 1<<20)))
		var value []byte
		if n := in.uvarint(); n > 0 {
			value = append([]byte{}, in.bytes(int(min(n-1, 1<<20)))...)
		}
		if in.bad {
			return errRow("journal")
		}
		r.set(key, value)
	}
	return nil
}

// flush writes everything in one batch.
func (r *rows) flush() error {
	if len(r.pending) == 0 {
		return nil
	}
	batch := r.db.NewBatch(r.bytes)
	for key, value := range r.pending {
		if value == nil {
			batch.Delete([]byte(key))
		} else {
			batch.Put([]byte(key), value)
		}
	}
	if err := batch.Commit(); err != nil {
		return err
	}
	clear(r.pending)
	r.bytes = 0
	return nil
}

// get reads a row through what is gathered.
func get[K, V any](r *rows, t *kv.Table[K, V], key K) (value V, found bool, err error) {
	raw, err := r.raw(t.Key(key))
	if err != nil || raw == nil {
		return value, false, err
	}
	value, err = t.ParseValue(raw)
	return value, err == nil, err
}

// put changes a row with the journal.
func put[K, V any](r *rows, t *kv.Table[K, V], key K, value V) error {
	return r.change(t.Key(key), t.AppendValue([]byte{}, value))
}

// drop takes a row away with the journal.
func drop[K, V any](r *rows, t *kv.Table[K, V], key K) error { return r.change(t.Key(key), nil) }

// putPlain sets a row that follows from the height alone.
func putPlain[K, V any](r *rows, t *kv.Table[K, V], key K, value V) {
	r.set(t.Key(key), t.AppendValue([]byte{}, value))
}

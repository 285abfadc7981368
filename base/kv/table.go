package kv

// Table is a typed stretch of a database: all keys that start with one prefix
// byte. Tables are values of package variables; they hold no state.
type Table[K, V any] struct {
	// Prefix is at least 0x01 and unique within a database.
	Prefix byte
	// AppendKey appends the key behind the prefix; ascending bytes are the
	// table's order. ParseKey is its inverse.
	AppendKey func(dst []byte, key K) []byte
	ParseKey  func(raw []byte) (K, error)
	// AppendValue appends the value; ParseValue is its inverse and must not
	// keep raw.
	AppendValue func(dst []byte, value V) []byte
	ParseValue  func(raw []byte) (V, error)
}

// Key is the whole key in the database.
func (t *Table[K, V]) Key(key K) []byte {
	return t.AppendKey(append(make([]byte, 0, 48), t.Prefix), key)
}

// Bounds are the first key of the table and the first key above it.
func (t *Table[K, V]) Bounds() (from, to []byte) { return []byte{t.Prefix}, []byte{t.Prefix + 1} }

// Get gives the value under key; found is false where there is none.
func (t *Table[K, V]) Get(r Reader, key K) (value V, found bool, err error) {
	found, err = r.View(t.Key(key), func(raw []byte) (err error) {
		value, err = t.ParseValue(raw)
		return err
	})
	return value, found, err
}

// Put sets key to value in the batch.
func (t *Table[K, V]) Put(b *Batch, key K, value V) {
	b.Put(t.Key(key), t.AppendValue(nil, value))
}

// Delete removes key in the batch.
func (t *Table[K, V]) Delete(b *Batch, key K) { b.Delete(t.Key(key)) }

// Clear removes the whole table in the batch.
func (t *Table[K, V]) Clear(b *Batch) { b.DeleteRange(t.Bounds()) }

// Range calls f for every row in ascending order until f returns false.
func (t *Table[K, V]) Range(r Reader, f func(key K, value V) bool) error {
	it, err := r.Iter(t.Bounds())
	if err != nil {
		return err
	}
	for it.Next() {
		key, value, err := t.parse(it)
		if err != nil {
			it.Close() //nolint:errcheck // the row's error comes first
			return err
		}
		if !f(key, value) {
			break
		}
	}
	return it.Close()
}

func (t *Table[K, V]) parse(it *Iter) (key K, value V, err error) {
	if key, err = t.ParseKey(it.Key()[1:]); err != nil {
		return key, value, err
	}
	value, err = t.ParseValue(it.Value())
	return key, value, err
}

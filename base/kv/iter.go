package kv

import "github.com/cockroachdb/pebble/v2"

// Iter walks keys in ascending order. It is not safe for concurrent use.
//
//	for it.Next() { use(it.Key(), it.Value()) }
//	err := it.Close()
type Iter struct {
	dir    string
	pebble *pebble.Iterator
	begun  bool
	err    error
}

func newIter(dir string, r pebble.Reader, from, to []byte) (*Iter, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, explain(dir, err)
	}
	return &Iter{dir: dir, pebble: it}, nil
}

// Next moves to the next key, the first at the start; false at the end and at
// an error, which Close reports.
func (it *Iter) Next() bool {
	if it.err != nil {
		return false
	}
	var ok bool
	if it.begun {
		ok = it.pebble.Next()
	} else {
		ok, it.begun = it.pebble.First(), true
	}
	if ok {
		// Values may live in another block: reading one can fail too.
		if _, it.err = it.pebble.ValueAndErr(); it.err != nil {
			return false
		}
	}
	return ok
}

// Key is the current key, valid until Next.
func (it *Iter) Key() []byte { return it.pebble.Key() }

// Value is the current value, valid until Next.
func (it *Iter) Value() []byte { return it.pebble.Value() }

// Close lets the iterator go and gives the first error of the walk.
func (it *Iter) Close() error {
	err := it.pebble.Close()
	if it.err != nil {
		err = it.err
	}
	return explain(it.dir, err)
}

// Upper gives the first key above all keys with the prefix, nil if there is
// none.
func Upper(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			upper := append([]byte(nil), prefix[:i+1]...)
			upper[i]++
			return upper
		}
	}
	return nil
}

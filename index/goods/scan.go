package goods

import (
	"slices"
)

// scan calls f for each row from from to before to, in ascending order, until f
// returns false: the database with what is gathered on top. f may set rows that
// were passed already, the current one too; key and value live until it
// returns.
func (r *rows) scan(from, to []byte, f func(key, value []byte) (bool, error)) error {
	var own []string
	for key := range r.pending {
		if key >= string(from) && (to == nil || key < string(to)) {
			own = append(own, key)
		}
	}
	slices.Sort(own)
	it, err := r.db.Iter(from, to)
	if err != nil {
		return err
	}
	err = r.merge(own, it, f)
	if closing := it.Close(); err == nil {
		err = closing
	}
	return err
}

// cursor is what merge needs of an iterator.
type cursor interface {
	Next() bool
	Key() []byte
	Value() []byte
}

// merge walks both in step; of two rows with one key the gathered one wins.
func (r *rows) merge(own []string, stored cursor, f func(key, value []byte) (bool, error)) error {
	more := stored.Next()
	for more || len(own) > 0 {
		var key, value []byte
		switch {
		case len(own) > 0 && (!more || own[0] <= string(stored.Key())):
			key, value = []byte(own[0]), r.pending[own[0]]
			if more && own[0] == string(stored.Key()) {
				more = stored.Next()
			}
			own = own[1:]
		default:
			key, value = slices.Clone(stored.Key()), slices.Clone(stored.Value())
			if value == nil {
				value = []byte{}
			}
			more = stored.Next()
		}
		if value == nil {
			continue
		}
		if goOn, err := f(key, value); err != nil || !goOn {
			return err
		}
	}
	return nil
}

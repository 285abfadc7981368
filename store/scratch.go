package store

import (
	"errors"

	"granary/base/kv"
)

// scratchDir is the folder of the scratch state below the data directory.
const scratchDir = "check.tmp"

// OpenScratch makes an empty state of the same chain in a folder of its own
// below s's data directory, without block and undo files: for replaying the
// blocks of s and comparing (FirstDifference). What an earlier replay left
// there is deleted first. RemoveScratch ends it.
func (s *Store) OpenScratch() (*Store, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	o := s.options
	o.Dir, o.Reindex, o.scratch = s.path(scratchDir), false, true
	o.CacheBytes /= 2 // s keeps what it has
	if err := o.FS.RemoveAll(o.Dir); err != nil {
		return nil, kv.Explain(o.Dir, err)
	}
	return Open(o)
}

// RemoveScratch closes a Store of OpenScratch and deletes its folder.
func (s *Store) RemoveScratch() error {
	err := s.release()
	if s.options.scratch {
		err = errors.Join(err, kv.Explain(s.options.Dir, s.options.FS.RemoveAll(s.options.Dir)))
	}
	return err
}

package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"

	"granary/base/kv"
	"granary/state"
	"granary/store/blockfile"
)

// Names of the state folder while --reindex replaces it.
const (
	newStateDir = "state.new"
	oldStateDir = "state.old"
)

// settleStateDir ends what a kill in startOver or during a replay left: the new
// state takes its place if the old one has left it, and leftovers go.
func (s *Store) settleStateDir() error {
	fs := s.options.FS
	if !s.exists(s.stateDir) && s.exists(newStateDir) {
		if err := s.rename(newStateDir, s.stateDir); err != nil {
			return err
		}
	}
	for _, leftover := range []string{newStateDir, oldStateDir, scratchDir} {
		if s.exists(leftover) && s.exists(s.stateDir) {
			if err := fs.RemoveAll(s.path(leftover)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) exists(name string) bool {
	_, err := s.options.FS.Stat(s.path(name))
	return !errors.Is(err, os.ErrNotExist)
}

func (s *Store) rename(from, to string) error {
	if err := s.options.FS.Rename(s.path(from), s.path(to)); err != nil {
		return err
	}
	return kv.SyncDir(s.options.FS, s.options.Dir)
}

// startOver replaces the state by an empty one that knows it is to be built
// from the block files. The old one may be damaged, but not another chain's.
// At every moment either the old or the new state is whole and in its place,
// or the new one waits for settleStateDir.
func (s *Store) startOver() error {
	if err := s.checkOldState(); err != nil {
		return err
	}
	if err := s.makeNewState(); err != nil {
		return err
	}
	if s.exists(s.stateDir) {
		if err := s.rename(s.stateDir, oldStateDir); err != nil {
			return kv.Explain(s.options.Dir, err)
		}
	}
	if err := s.rename(newStateDir, s.stateDir); err != nil {
		return kv.Explain(s.options.Dir, err)
	}
	return kv.Explain(s.options.Dir, s.options.FS.RemoveAll(s.path(oldStateDir)))
}

func (s *Store) checkOldState() error {
	if !s.exists(s.stateDir) {
		return nil
	}
	db, err := s.openState(s.stateDir)
	if errors.Is(err, kv.ErrDamaged) {
		s.log.Warn("the old state is damaged, reindex makes a new one", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	return db.Close()
}

func (s *Store) makeNewState() error {
	db, err := s.openState(newStateDir)
	if err != nil {
		return err
	}
	meta := metaRecord{tip: headerKey{hash: s.genesis}, reindexing: true}
	for _, kind := range []blockfile.Kind{blockfile.Blocks, blockfile.Undos} {
		numbers, err := s.files.List(kind)
		if err != nil {
			return errors.Join(kv.Explain(s.options.Dir, err), db.Close())
		}
		for _, n := range numbers {
			meta.nextFile = max(meta.nextFile, n+1)
		}
	}
	batch := db.NewBatch(0)
	metaTable.Put(batch, struct{}{}, meta)
	return errors.Join(batch.Commit(), db.Close())
}

// Reindexing reports whether the state is being built again from the block
// files: the caller owes ScanFiles and FinishReindex, also after a restart.
func (s *Store) Reindexing() bool { return s.meta.reindexing }

// FinishReindex says that all files were scanned. The next commit makes it
// last.
func (s *Store) FinishReindex() {
	if s.meta.reindexing {
		s.meta.reindexing, s.metaNew = false, true
	}
}

// ScanFiles calls f for every record in the block files, file by file. raw is
// valid during the call; pos may go into a header (DataPos) and be read with
// ReadAt. f returns blockfile.ErrNotBlock for a record that is no block, and
// any other error to stop. f may call any of the writer's methods.
func (s *Store) ScanFiles(f func(raw []byte, pos state.FilePos) error) error {
	if s.failed != nil {
		return s.failed
	}
	files, err := s.files.List(blockfile.Blocks)
	if err != nil {
		return kv.Explain(s.options.Dir, err)
	}
	slices.Sort(files)
	for _, file := range files {
		if s.meta.hasCurrent && file == s.meta.current && s.place.ends[file].block == 0 {
			continue // taken, but nothing in it is ours yet
		}
		err := s.files.Scan(file, func(raw []byte, offset int64) error {
			if offset > 1<<32-1 {
				return fmt.Errorf("%s is longer than 4 GiB", s.files.Path(blockfile.Blocks, file))
			}
			pos := state.FilePos{File: file, Offset: uint32(offset), Bytes: uint32(len(raw))}
			s.noteScanned(raw, pos)
			return f(raw, pos)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// noteScanned takes the checksum of a record found in the files.
func (s *Store) noteScanned(raw []byte, pos state.FilePos) {
	s.sums[placeOf(pos)] = crc32.Checksum(raw, castagnoli)
	s.place.grow(pos.File, int64(pos.Offset)+int64(pos.Bytes), 0)
}

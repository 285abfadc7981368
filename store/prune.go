package store

import (
	"errors"
	"iter"
	"slices"

	"granary/state"
	"granary/store/blockfile"
)

// Prune deletes whole pairs of block and undo files, the oldest first, until
// the files are within targetBytes; zero means as many as may go. A pair may
// go only if all its blocks are at upTo or below and at least
// params.MinBlocksToKeep below the tip, and if it is not the one that blocks
// are appended to. headers are all headers of the tree; those of the deleted
// files lose StatusHaveData and StatusHaveUndo.
//
// Everything pending is committed together with that, before the first file
// goes. The result is how many pairs were deleted.
func (s *Store) Prune(headers iter.Seq[*state.Header], upTo int32, targetBytes int64) (int, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	upTo = min(upTo, s.tip.Height-s.options.keepBlocks)
	var doomed []uint32
	byFile := blocksByFile(headers)
	left := s.FileBytes()
	for _, file := range s.pruneOrder(byFile, upTo) {
		if targetBytes > 0 && left <= targetBytes {
			break
		}
		left -= s.place.ends[file].block + s.place.ends[file].undo
		doomed = append(doomed, file)
	}
	if len(doomed) == 0 {
		return 0, nil
	}
	for _, file := range doomed {
		for _, h := range byFile[file] {
			h.Status &^= state.StatusHaveData | state.StatusHaveUndo
			s.SaveHeader(h)
		}
		s.place.forget(file)
	}
	if err := s.commitDeletions(doomed); err != nil {
		return 0, err
	}
	return len(doomed), s.finishDeletions()
}

func blocksByFile(headers iter.Seq[*state.Header]) map[uint32][]*state.Header {
	byFile := make(map[uint32][]*state.Header)
	for h := range headers {
		if h.Status&state.StatusHaveData != 0 && h.DataPos.Bytes != 0 {
			byFile[h.DataPos.File] = append(byFile[h.DataPos.File], h)
		}
	}
	return byFile
}

// pruneOrder gives the files that may go, least number first.
func (s *Store) pruneOrder(byFile map[uint32][]*state.Header, upTo int32) (files []uint32) {
	for file, blocks := range byFile {
		tooHigh := func(h *state.Header) bool { return h.Height > upTo }
		if (s.meta.hasCurrent && file == s.meta.current) || slices.ContainsFunc(blocks, tooHigh) {
			continue
		}
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// commitDeletions writes down which files are to go, with everything pending.
func (s *Store) commitDeletions(files []uint32) error {
	s.doomed = files
	err := s.Commit()
	s.doomed = nil
	return err
}

// finishDeletions deletes the files that a commit has given up, also those
// that an earlier run did not get to.
func (s *Store) finishDeletions() error {
	var files []uint32
	if err := deletionTable.Range(s.db, func(file uint32, _ struct{}) bool {
		files = append(files, file)
		return true
	}); err != nil || len(files) == 0 || s.files == nil {
		return err
	}
	for _, file := range files {
		if err := errors.Join(s.files.Remove(blockfile.Undos, file), s.files.Remove(blockfile.Blocks, file)); err != nil {
			return s.fail(err)
		}
	}
	if err := s.files.SyncDir(); err != nil {
		return s.fail(err)
	}
	batch := s.db.NewBatch(0)
	for _, file := range files {
		deletionTable.Delete(batch, file)
		from, to := recordPlace{file: file}, recordPlace{file: file, offset: 1<<32 - 1}
		batch.DeleteRange(sumTable.Key(from), sumTable.Key(to))
	}
	if err := batch.Commit(); err != nil {
		return s.fail(err)
	}
	return nil
}

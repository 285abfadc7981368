package store

import (
	"errors"
	"hash/crc32"
	"io/fs"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/base/hash"
	"granary/base/kv"
	"granary/params"
	"granary/state"
	"granary/store/blockfile"
)

// writePlaces is where the next records go. It follows from the headers that
// were committed: what the files hold beyond it is a torn tail of a run that
// ended early, and is written over.
type writePlaces struct {
	ends map[uint32]fileEnds
	// blockBytes and undoBytes are the sums of the ends.
	blockBytes, undoBytes int64
}

// fileEnds are where the last record of a blk file and its rev file ends.
type fileEnds struct{ block, undo int64 }

// undoSumBytes is the length of the checksum behind an undo record.
const undoSumBytes = chainhash.HashSize

func (p *writePlaces) note(h *state.Header) {
	if h.Status&state.StatusHaveData != 0 && h.DataPos.Bytes != 0 {
		p.grow(h.DataPos.File, int64(h.DataPos.Offset)+int64(h.DataPos.Bytes), 0)
	}
	if h.Status&state.StatusHaveUndo != 0 {
		p.grow(h.UndoPos.File, 0, int64(h.UndoPos.Offset)+int64(h.UndoPos.Bytes)+undoSumBytes)
	}
}

func (p *writePlaces) grow(file uint32, block, undo int64) {
	old := p.ends[file]
	grown := fileEnds{max(old.block, block), max(old.undo, undo)}
	p.ends[file] = grown
	p.blockBytes += grown.block - old.block
	p.undoBytes += grown.undo - old.undo
}

func (p *writePlaces) forget(file uint32) {
	p.blockBytes -= p.ends[file].block
	p.undoBytes -= p.ends[file].undo
	delete(p.ends, file)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendBlock appends a block's bytes to the files. The place goes into the
// header (DataPos, with StatusHaveData), the header into SaveHeader; the next
// commit makes both durable.
func (s *Store) AppendBlock(raw []byte) (state.FilePos, error) {
	check.Must(s.loaded, "block appended before the headers were loaded")
	check.Must(s.files != nil, "block appended to a scratch store")
	check.Must(len(raw) <= params.MaxBlockBytes, "block of %d bytes", len(raw))
	if s.failed != nil {
		return state.FilePos{}, s.failed
	}
	at := s.place.ends[s.meta.current].block
	if !s.meta.hasCurrent || at+blockfile.HeadBytes+int64(len(raw)) > s.options.fileBytes {
		if err := s.nextFile(); err != nil {
			return state.FilePos{}, s.fail(err)
		}
		at = 0
	}
	if err := s.files.Write(blockfile.Blocks, s.meta.current, at, raw, nil); err != nil {
		return state.FilePos{}, s.fail(err)
	}
	pos := state.FilePos{File: s.meta.current, Offset: uint32(at + blockfile.HeadBytes), Bytes: uint32(len(raw))}
	s.sums[placeOf(pos)] = crc32.Checksum(raw, castagnoli)
	s.place.grow(pos.File, int64(pos.Offset)+int64(pos.Bytes), 0)
	return pos, nil
}

// nextFile takes the next free number. It is written down before the file is
// made: so a file with an unknown number is never ours, and never touched.
func (s *Store) nextFile() error {
	n := s.meta.nextFile
	for {
		taken, err := s.files.Exists(blockfile.Blocks, n)
		if err == nil && !taken {
			taken, err = s.files.Exists(blockfile.Undos, n)
		}
		if err != nil {
			return err
		}
		if !taken {
			break
		}
		n++
	}
	meta := s.meta
	meta.nextFile, meta.current, meta.hasCurrent = n+1, n, true
	batch := s.db.NewBatch(0)
	metaTable.Put(batch, struct{}{}, meta)
	if err := batch.Commit(); err != nil {
		return err
	}
	s.meta = meta
	return nil
}

// appendUndo writes h's undo behind the others of its file.
func (s *Store) appendUndo(h *state.Header, payload []byte) (state.FilePos, error) {
	file := h.DataPos.File
	at := s.place.ends[file].undo
	sum := undoSum(h, payload)
	if err := s.files.Write(blockfile.Undos, file, at, payload, sum[:]); err != nil {
		return state.FilePos{}, err
	}
	pos := state.FilePos{File: file, Offset: uint32(at + blockfile.HeadBytes), Bytes: uint32(len(payload))}
	s.place.grow(file, 0, int64(pos.Offset)+int64(pos.Bytes)+undoSumBytes)
	return pos, nil
}

// undoSum is Core's checksum of an undo record: the double SHA-256 of the
// parent's hash and the record.
func undoSum(h *state.Header, payload []byte) chainhash.Hash {
	var parent chainhash.Hash
	if h.Parent != nil {
		parent = h.Parent.Hash
	}
	var stream hash.Stream
	return stream.Double(parent[:], payload)
}

// ErrNoData: the block (or its undo) is not in the files: never was, or was
// pruned.
var ErrNoData = errors.New("block data is not available")

// ReadBlock gives the bytes of h's block, as the caller's own, after checking
// them against the checksum taken when they were written and against h. The
// error is ErrNoData where there is no block.
func (s *Store) ReadBlock(h *state.Header) ([]byte, error) {
	if h.Parent == nil {
		return s.genesisBytes()
	}
	if h.Status&state.StatusHaveData == 0 || s.files == nil {
		return nil, ErrNoData
	}
	raw, err := s.ReadAt(h.DataPos)
	if err != nil {
		return nil, err
	}
	if len(raw) < headerBytes || hash.Double(raw[:headerBytes]) != h.Hash {
		return nil, s.badFile("block %s is not where it should be", h.Hash)
	}
	return raw, nil
}

// ReadAt gives the bytes of a block by their place, as AppendBlock or
// ScanFiles told it, after checking them against their checksum.
func (s *Store) ReadAt(pos state.FilePos) ([]byte, error) {
	raw, _, err := s.files.Read(blockfile.Blocks, pos.File, pos.Offset, pos.Bytes, 0)
	if err != nil {
		return nil, s.fileError(err)
	}
	sum, known := s.sums[placeOf(pos)]
	if !known {
		if sum, known, err = sumTable.Get(s.db, placeOf(pos)); err != nil {
			return nil, err
		}
	}
	if !known || sum != crc32.Checksum(raw, castagnoli) {
		return nil, s.badFile("wrong checksum at %d of %s", pos.Offset, s.files.Path(blockfile.Blocks, pos.File))
	}
	return raw, nil
}

// ReadUndo gives what takes h's block back. The error is ErrNoData where
// there is none.
func (s *Store) ReadUndo(h *state.Header) (*state.Undo, error) {
	if h.Status&state.StatusHaveUndo == 0 || s.files == nil {
		return nil, ErrNoData
	}
	pos := h.UndoPos
	payload, sum, err := s.files.Read(blockfile.Undos, pos.File, pos.Offset, pos.Bytes, undoSumBytes)
	if err != nil {
		return nil, s.fileError(err)
	}
	if undoSum(h, payload) != chainhash.Hash(sum) {
		return nil, s.badFile("wrong checksum of the undo of block %s", h.Hash)
	}
	undo, err := decodeUndo(payload)
	if err != nil {
		return nil, s.badFile("undo of block %s: %v", h.Hash, err)
	}
	return undo, nil
}

func (s *Store) fileError(err error) error {
	if errors.Is(err, blockfile.ErrDamaged) || errors.Is(err, fs.ErrNotExist) {
		return s.badFile("%v", err)
	}
	return kv.Explain(s.options.Dir, err)
}

// badFile is the error for block files that do not check out.
func (s *Store) badFile(format string, args ...any) error {
	return kv.Tell(kv.ErrDamaged, "block files in "+s.blocksPath()+" are damaged ("+format+
		"): put the file back from a copy, or start with --reindex and import the missing blocks again", args...)
}

// FileBytes is what the block and undo files hold, without torn tails.
func (s *Store) FileBytes() int64 { return s.place.blockBytes + s.place.undoBytes }

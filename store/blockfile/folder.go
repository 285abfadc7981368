package blockfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/kv"
)

// HeadBytes is the length of magic and length before a payload.
const HeadBytes = 8

// ErrDamaged: a record is not there or not what it should be.
var ErrDamaged = errors.New("damaged record")

// Kind is one of the two families of files.
type Kind string

// Blocks and Undos are the families; a block's undo lies in the rev file with
// the number of its blk file.
const (
	Blocks Kind = "blk"
	Undos  Kind = "rev"
)

// Folder is a folder of block and undo files. One goroutine writes; reads may
// run beside each other, not beside a write of the same record.
type Folder struct {
	fs    vfs.FS
	dir   string
	magic [4]byte
	key   Key
	open  map[name]vfs.File // written since the last Sync, or the current ones
	dirty map[name]bool
	grown bool // a file was made since the last Sync
	buf   []byte
}

type name struct {
	kind Kind
	file uint32
}

func (n name) String() string { return fmt.Sprintf("%s%05d.dat", n.kind, n.file) }

// maxOpen bounds the files kept open for writing.
const maxOpen = 8

// OpenFolder opens dir, making it where it is missing.
func OpenFolder(fs vfs.FS, dir string, magic [4]byte) (*Folder, error) {
	if err := kv.MakeDir(fs, dir); err != nil {
		return nil, err
	}
	key, err := ReadKey(fs, dir)
	if err != nil {
		return nil, err
	}
	return &Folder{
		fs: fs, dir: dir, magic: magic, key: key,
		open: make(map[name]vfs.File), dirty: make(map[name]bool),
	}, nil
}

// Path is where a file lies.
func (f *Folder) Path(kind Kind, file uint32) string {
	return f.fs.PathJoin(f.dir, name{kind, file}.String())
}

// Write writes a record with its head at offset and, behind it, an optional
// trailer that the length does not count. The payload then lies at
// offset+HeadBytes. Nothing is durable before Sync.
func (f *Folder) Write(kind Kind, file uint32, offset int64, payload, trailer []byte) error {
	n := name{kind, file}
	out, err := f.writer(n)
	if err != nil {
		return err
	}
	end := offset + HeadBytes + int64(len(payload)) + int64(len(trailer))
	if end > math.MaxUint32 {
		return fmt.Errorf("%s would grow beyond 4 GiB", n)
	}
	f.buf = append(f.buf[:0], f.magic[:]...)
	f.buf = binary.LittleEndian.AppendUint32(f.buf, uint32(len(payload)))
	f.buf = append(append(f.buf, payload...), trailer...)
	f.key.Apply(f.buf, offset)
	f.dirty[n] = true
	_, err = out.WriteAt(f.buf, offset)
	if cap(f.buf) > 8<<20 {
		f.buf = nil
	}
	return err
}

func (f *Folder) writer(n name) (vfs.File, error) {
	if out := f.open[n]; out != nil {
		return out, nil
	}
	if err := f.closeSynced(); err != nil {
		return nil, err
	}
	path := f.Path(n.kind, n.file)
	if _, err := f.fs.Stat(path); errors.Is(err, os.ErrNotExist) {
		f.grown = true
	}
	out, err := f.fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err == nil {
		f.open[n] = out
	}
	return out, err
}

// closeSynced keeps the number of open files bounded; one with unsynced
// writes stays open, for a sync through another descriptor may miss errors.
func (f *Folder) closeSynced() error {
	if len(f.open) < maxOpen {
		return nil
	}
	for n, out := range f.open {
		if f.dirty[n] {
			continue
		}
		delete(f.open, n)
		if err := out.Close(); err != nil {
			return err
		}
	}
	return nil
}

// Sync makes everything written durable, new files' names included. After an
// error nothing is known about the files, and it must not be tried again.
func (f *Folder) Sync() error {
	for n := range f.dirty {
		if err := f.open[n].SyncData(); err != nil {
			return err
		}
		delete(f.dirty, n)
	}
	if f.grown {
		if err := kv.SyncDir(f.fs, f.dir); err != nil {
			return err
		}
		f.grown = false
	}
	return nil
}

// Read gives the payload at offset (behind the head) with trailerBytes more,
// after checking that the head says so.
func (f *Folder) Read(kind Kind, file, offset, payloadBytes uint32, trailerBytes int) (payload, trailer []byte, err error) {
	n := name{kind, file}
	if offset < HeadBytes {
		return nil, nil, fmt.Errorf("%w: no record at %d of %s", ErrDamaged, offset, n)
	}
	in, err := f.fs.Open(f.Path(kind, file))
	if err != nil {
		return nil, nil, err
	}
	defer in.Close() //nolint:errcheck // only read
	if err := f.fits(n, in, int64(offset)+int64(payloadBytes)+int64(trailerBytes)); err != nil {
		return nil, nil, err
	}
	at := int64(offset) - HeadBytes
	buf := make([]byte, HeadBytes+int(payloadBytes)+trailerBytes)
	if _, err := in.ReadAt(buf, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	f.key.Apply(buf, at)
	if [4]byte(buf) != f.magic || binary.LittleEndian.Uint32(buf[4:]) != payloadBytes {
		return nil, nil, fmt.Errorf("%w: no record of %d bytes at %d of %s", ErrDamaged, payloadBytes, offset, n)
	}
	buf = buf[HeadBytes:]
	return buf[:payloadBytes:payloadBytes], buf[payloadBytes:], nil
}

func (f *Folder) fits(n name, in vfs.File, end int64) error {
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if info.Size() < end {
		return fmt.Errorf("%w: %s ends at %d, before %d", ErrDamaged, n, info.Size(), end)
	}
	return nil
}

// Exists reports whether a file is there.
func (f *Folder) Exists(kind Kind, file uint32) (bool, error) {
	_, err := f.fs.Stat(f.Path(kind, file))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// List gives the numbers of the files of a kind that are there, in no order.
func (f *Folder) List(kind Kind) ([]uint32, error) {
	entries, err := f.fs.List(f.dir)
	if err != nil {
		return nil, err
	}
	var files []uint32
	for _, entry := range entries {
		var file uint32
		if n, _ := fmt.Sscanf(entry, string(kind)+"%d.dat", &file); n == 1 && entry == (name{kind, file}).String() {
			files = append(files, file)
		}
	}
	return files, nil
}

// Remove deletes a file; one that is not there is no error. SyncDir makes it
// last.
func (f *Folder) Remove(kind Kind, file uint32) error {
	n := name{kind, file}
	if out := f.open[n]; out != nil {
		delete(f.open, n)
		delete(f.dirty, n)
		if err := out.Close(); err != nil {
			return err
		}
	}
	err := f.fs.Remove(f.Path(kind, file))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// SyncDir makes names that came and went durable.
func (f *Folder) SyncDir() error { return kv.SyncDir(f.fs, f.dir) }

// Scan scans a blk file of the folder; see the function Scan.
func (f *Folder) Scan(file uint32, found func(raw []byte, offset int64) error) error {
	in, err := f.fs.Open(f.Path(Blocks, file))
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	return Scan(in, f.magic, f.key, found)
}

// Close closes the files without syncing them.
func (f *Folder) Close() error {
	var err error
	for n, out := range f.open {
		err = errors.Join(err, out.Close())
		delete(f.open, n)
	}
	return err
}

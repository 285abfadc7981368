package kv

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatPebble is the on-disk format of Pebble that this version writes. A
// raise of it is a raise of the users' format versions too.
const formatPebble = pebble.FormatValueSeparation

// Options of a database. The zero value is usable.
type Options struct {
	// FS is the file system; nil is the operating system's.
	FS vfs.FS
	// CacheBytes bounds Pebble's own memory: block cache and memtables
	// together. Below 4 MiB it is raised to that.
	CacheBytes int64
	// ShownDir is the folder that errors name to a person; empty means the
	// database's own.
	ShownDir string
	// Log receives what Pebble has to say at debug level; nil is silence.
	Log *slog.Logger
	// Fatal is called when the database cannot go on (a failed write or sync).
	// It must not return. nil prints one line on standard error and exits the
	// process with status 1.
	Fatal func(error)
}

// DB is an open database, safe for concurrent use.
type DB struct {
	pebble  *pebble.DB
	dir     string // as errors show it
	options Options
	opened  atomic.Bool
	closing atomic.Bool
	// flushed is closed when the last large batch has left memory.
	flushed <-chan struct{}
	// largeBytes is the batch length above which a batch stays in memory
	// until it is flushed.
	largeBytes int
}

// Open opens the database in dir, creating it where there is none, and checks
// that it is id's. Errors are one line and say what to do.
func Open(dir string, id Identity, options Options) (*DB, error) {
	if options.FS == nil {
		options.FS = vfs.Default
	}
	if options.ShownDir == "" {
		options.ShownDir = dir
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	db := &DB{dir: options.ShownDir, options: options}
	if err := MakeDir(options.FS, dir); err != nil {
		return nil, explain(db.dir, err)
	}
	popts, release := db.pebbleOptions()
	defer release()
	inner, err := openPebble(dir, popts)
	if err != nil {
		return nil, explain(db.dir, err)
	}
	db.pebble = inner
	db.opened.Store(true)
	if err := db.checkIdentity(id); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openPebble opens Pebble, which panics with the error where a marker file's
// folder cannot be synced.
func openPebble(dir string, popts *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			cause, isError := caught.(error)
			if !isError {
				panic(caught)
			}
			db, err = nil, cause
		}
	}()
	return pebble.Open(dir, popts)
}

func (db *DB) pebbleOptions() (popts *pebble.Options, release func()) {
	cacheBytes := max(db.options.CacheBytes, 4<<20)
	memTableBytes := min(max(cacheBytes/8, 1<<20), 64<<20)
	db.largeBytes = int(memTableBytes / 2)
	cache := pebble.NewCache(cacheBytes)
	logger := &logger{db}
	popts = &pebble.Options{
		FS:                 &watchedFS{db.options.FS, db},
		Cache:              cache,
		FormatMajorVersion: formatPebble,
		MemTableSize:       uint64(memTableBytes),
		MaxOpenFiles:       500,
		Logger:             logger,
		EventListener: &pebble.EventListener{
			BackgroundError: db.backgroundError,
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				db.options.Log.Error("damaged database file", "detail", OneLine(fmt.Errorf("%s", info)))
			},
		},
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
	}
	popts.TargetFileSizes[0] = 4 << 20
	for i := range popts.Levels {
		popts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		popts.Levels[i].Compression = func() *sstable.CompressionProfile { return block.FastestCompression }
	}
	return popts, cache.Unref
}

// backgroundError ends the process: Pebble would try again for ever while the
// writer waits.
func (db *DB) backgroundError(err error) {
	if !db.closing.Load() {
		db.fatal(err)
	}
}

func (db *DB) fatal(err error) {
	err = explain(db.dir, err)
	if db.options.Fatal != nil {
		db.options.Fatal(err)
	}
	exit(err)
}

// Get gives the value under key as the caller's own bytes, nil if absent.
func (db *DB) Get(key []byte) ([]byte, error) { return get(db.dir, db.pebble, key) }

// View calls f with the value under key, which is valid during the call only;
// found is false, and f not called, where there is none.
func (db *DB) View(key []byte, f func(value []byte) error) (found bool, err error) {
	return view(db.dir, db.pebble, key, f)
}

// Iter gives an iterator over from <= key < to; a nil bound is open.
func (db *DB) Iter(from, to []byte) (*Iter, error) { return newIter(db.dir, db.pebble, from, to) }

// Snapshot freezes what is read now; Close it.
func (db *DB) Snapshot() *Snapshot { return &Snapshot{db.dir, db.pebble.NewSnapshot()} }

// DiskBytes estimates the disk space of from <= key < to. What is still in
// the memtable does not count.
func (db *DB) DiskBytes(from, to []byte) (uint64, error) {
	n, err := db.pebble.EstimateDiskUsage(from, to)
	return n, explain(db.dir, err)
}

// Close waits for background work and closes the database. Everything
// committed is on the disk already.
func (db *DB) Close() error {
	if db.closing.Swap(true) {
		return nil
	}
	return explain(db.dir, db.pebble.Close())
}

// Reader reads one state of a database: DB itself or a Snapshot.
type Reader interface {
	View(key []byte, f func(value []byte) error) (found bool, err error)
	Iter(from, to []byte) (*Iter, error)
}

// Snapshot is a frozen state, safe for concurrent use.
type Snapshot struct {
	dir    string
	pebble *pebble.Snapshot
}

// View is DB.View on the snapshot.
func (s *Snapshot) View(key []byte, f func(value []byte) error) (bool, error) {
	return view(s.dir, s.pebble, key, f)
}

// Iter is DB.Iter on the snapshot. The iterator must be closed first.
func (s *Snapshot) Iter(from, to []byte) (*Iter, error) { return newIter(s.dir, s.pebble, from, to) }

// Close lets the snapshot go.
func (s *Snapshot) Close() error { return explain(s.dir, s.pebble.Close()) }

var (
	_ Reader = (*DB)(nil)
	_ Reader = (*Snapshot)(nil)
)

func view(dir string, r pebble.Reader, key []byte, f func([]byte) error) (bool, error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, explain(dir, err)
	}
	err = f(value)
	return true, errors.Join(err, explain(dir, closer.Close()))
}

func get(dir string, r pebble.Reader, key []byte) (value []byte, err error) {
	_, err = view(dir, r, key, func(v []byte) error {
		value = append(make([]byte, 0, len(v)), v...)
		return nil
	})
	return value, err
}

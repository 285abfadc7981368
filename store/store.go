package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/check"
	"granary/base/kv"
	"granary/params"
	"granary/state"
	"granary/store/blockfile"
	"granary/store/coins"
)

// FormatVersion is the format of everything below the data directory. Raise
// it with any change that an older granary would misread. Since 2 the goods
// tree is stored in pages.
const FormatVersion = 2

// Names below the data directory.
const (
	blocksDir = "blocks"
	stateDir  = "state"
	coreState = "chainstate" // Bitcoin Core's name of the same folder
	lockName  = ".lock"
)

// Options of a Store.
type Options struct {
	// Dir is the data directory of one network; it is made where missing.
	Dir string
	// FS is the file system; nil is the operating system's.
	FS vfs.FS
	// Net is the network; CharterID its charter, zero for none. Data of
	// another network or charter is refused.
	Net       *params.Network
	CharterID params.CharterID
	// CacheBytes bounds the memory of the Store: Pebble's caches, changes not
	// committed yet, remembered coins and goods values, and the batch of a
	// commit. Zero means
	// params.DefaultDBCacheMiB; less than 16 MiB is raised to that.
	CacheBytes int64
	// Log may be nil.
	Log *slog.Logger
	// Reindex forgets the whole state and starts over from the block files:
	// the caller goes through ScanFiles and ends with FinishReindex.
	Reindex bool
	// Fatal is kv.Options.Fatal: how the process ends when the database
	// cannot go on; nil exits it with one line.
	Fatal func(error)

	// CoreNames gives a new data directory Bitcoin Core's folder names. An
	// existing one keeps those it has.
	CoreNames bool

	// scratch: a state without block and undo files.
	scratch bool
	// fileBytes and keepBlocks stand in for the limits of params in tests.
	fileBytes  int64
	keepBlocks int32
}

// Store is an open data directory. See the package for who may call what.
type Store struct {
	options Options
	log     *slog.Logger
	lock    io.Closer
	db      *kv.DB
	files   *blockfile.Folder // nil in a scratch store
	// stateDir is the name of the state's folder.
	stateDir string

	coins *coins.Cache
	goods sortedMap
	// cached is what the disk has of the goods state.
	cached *goodsCache
	// headers waiting for the next commit, in order of SaveHeader.
	headers  []*state.Header
	waiting  map[*state.Header]bool
	sums     map[recordPlace]uint32
	meta     metaRecord // its tip is that of the last commit
	metaNew  bool       // meta differs from the disk
	tip      *state.Header
	tipMoved bool
	doomed   []uint32 // files that the next commit gives up

	place   writePlaces
	loaded  bool // LoadHeaders was called
	genesis chainhash.Hash
	budget  budget
	failed  error
	// snapshots that are not closed yet.
	snapshots sync.WaitGroup
}

// budget divides Options.CacheBytes.
type budget struct {
	pebbleBytes  int64 // block cache and memtables
	goodsBytes   int64 // cache of the goods state
	coinBytes    int64 // coin cache, changes and clean together
	pendingBytes int64 // changes at which a commit is due
}

// A quarter is Pebble's, on a chain with a charter an eighth the goods cache's;
// what remains is halved between the coin cache and the batch that a commit
// makes of it.
func divide(cacheBytes int64, charter bool) budget {
	if cacheBytes == 0 {
		cacheBytes = params.DefaultDBCacheMiB << 20
	}
	cacheBytes = max(cacheBytes, 16<<20)
	b := budget{pebbleBytes: cacheBytes / 4}
	if charter {
		b.goodsBytes = cacheBytes / 8
	}
	b.coinBytes = (cacheBytes - b.pebbleBytes - b.goodsBytes) / 2
	b.pendingBytes = min(b.coinBytes*3/4, kv.MaxBatchBytes/2)
	return b
}

// Open opens the data directory, or makes it. It recovers by itself from a
// kill or a power cut at any moment. Errors are one line and say what to do.
func Open(options Options) (*Store, error) {
	s := newStore(options)
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func newStore(options Options) *Store {
	check.Must(options.Net != nil, "store without a network")
	if options.FS == nil {
		options.FS = vfs.Default
	}
	if options.fileBytes == 0 {
		options.fileBytes, options.keepBlocks = params.MaxBlockFileBytes, params.MinBlocksToKeep
	}
	s := &Store{
		options: options, log: options.Log,
		coins:   coins.NewCache(),
		waiting: make(map[*state.Header]bool),
		sums:    make(map[recordPlace]uint32),
		budget:  divide(options.CacheBytes, options.CharterID != (params.CharterID{})),
		genesis: options.Net.GenesisHash(),
		place:   writePlaces{ends: map[uint32]fileEnds{}},
	}
	s.cached = newGoodsCache(s.budget.goodsBytes)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

func (s *Store) open() (err error) {
	o := &s.options
	if err := kv.MakeDir(o.FS, o.Dir); err != nil {
		return kv.Explain(o.Dir, err)
	}
	if s.lock, err = kv.Lock(o.FS, o.Dir, lockName); err != nil {
		return err
	}
	s.stateDir = s.chooseStateDir()
	if err := s.settleStateDir(); err != nil {
		return kv.Explain(o.Dir, err)
	}
	if err := s.refuseStrangeFiles(); err != nil {
		return err
	}
	if !o.scratch {
		if s.files, err = blockfile.OpenFolder(o.FS, s.blocksPath(), o.Net.Magic()); err != nil {
			return kv.Explain(o.Dir, err)
		}
	}
	if o.Reindex {
		if err := s.startOver(); err != nil {
			return err
		}
	}
	if s.db, err = s.openState(s.stateDir); err != nil {
		return err
	}
	if err := s.loadMeta(); err != nil {
		return err
	}
	return s.finishDeletions()
}

// chooseStateDir names the folder of the state: the one that is there, else
// the one that the Options ask for.
func (s *Store) chooseStateDir() string {
	if s.exists(stateDir) || (!s.options.CoreNames && !s.exists(coreState)) {
		return stateDir
	}
	return coreState
}

func (s *Store) openState(name string) (*kv.DB, error) {
	o := &s.options
	return kv.Open(s.path(name), s.identity(), kv.Options{
		FS: o.FS, CacheBytes: s.budget.pebbleBytes, ShownDir: o.Dir, Log: o.Log, Fatal: o.Fatal,
	})
}

func (s *Store) path(name string) string { return s.options.FS.PathJoin(s.options.Dir, name) }

func (s *Store) blocksPath() string { return s.path(blocksDir) }

// refuseStrangeFiles keeps a fresh state from growing beside block files that
// are not its own: they may be another program's.
func (s *Store) refuseStrangeFiles() error {
	o := &s.options
	if names, err := o.FS.List(s.path(coreState)); err == nil && slices.Contains(names, "CURRENT") && s.stateDir == coreState {
		return fmt.Errorf("%s holds Bitcoin Core's own database: choose another --datadir", s.path(coreState))
	}
	if _, err := o.FS.Stat(s.path(s.stateDir)); err == nil || o.Reindex {
		return nil
	}
	names, err := o.FS.List(s.blocksPath())
	if err != nil {
		return nil //nolint:nilerr // no folder, no strange files
	}
	for _, name := range names {
		if len(name) == len("blk00000.dat") && name[:3] == "blk" {
			return fmt.Errorf("%s holds block files but %s has no state for them: start with --reindex to build it from them, or choose another --datadir",
				s.blocksPath(), o.Dir)
		}
	}
	return nil
}

func (s *Store) identity() kv.Identity {
	magic := s.options.Net.Magic()
	id := kv.Identity{
		Kind: "state", Version: FormatVersion, Network: s.options.Net.Name,
		Genesis: s.genesis.String(), Magic: hex.EncodeToString(magic[:]),
	}
	if s.options.scratch {
		id.Kind = "scratch"
	}
	if s.options.CharterID != (params.CharterID{}) {
		id.Charter = hex.EncodeToString(s.options.CharterID[:])
	}
	return id
}

// fail makes err the final word of this Store.
func (s *Store) fail(err error) error {
	if s.failed == nil {
		s.failed = kv.Explain(s.options.Dir, err)
	}
	return s.failed
}

// Close closes the Store without committing: what was not committed is as if
// it had never been. It waits until every Snapshot is closed.
func (s *Store) Close() error { return s.release() }

func (s *Store) release() error {
	var err error
	s.snapshots.Wait()
	if s.files != nil {
		err = errors.Join(err, s.files.Close())
		s.files = nil
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
		s.db = nil
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	if s.failed == nil {
		s.failed = errors.New("the store is closed")
	}
	return err
}

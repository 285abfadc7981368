package kv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Errors that callers tell apart with errors.Is. Their text is made for a
// person and already names the directory.
var (
	// ErrNewer: the data was written by a newer version.
	ErrNewer = errors.New("newer format")
	// ErrForeign: the data is of another network or charter.
	ErrForeign = errors.New("foreign data directory")
	// ErrLocked: another process has the directory open.
	ErrLocked = errors.New("locked")
	// ErrDamaged: a checksum or a record on the disk is wrong.
	ErrDamaged = errors.New("damaged data")
	// ErrFull: no space is left on the disk.
	ErrFull = errors.New("disk full")
)

// told is an error with a text for a person, of a kind that code can ask for.
type told struct {
	kind error
	text string
}

func (t *told) Error() string        { return t.text }
func (t *told) Is(target error) bool { return target == t.kind }

// Tell makes an error of a kind with a text for a person.
func Tell(kind error, format string, args ...any) error {
	return &told{kind, OneLine(fmt.Errorf(format, args...))}
}

// OneLine gives err's text without line breaks.
func OneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// Damaged makes the error for data in dir that does not check out.
func Damaged(dir, format string, args ...any) error {
	return Tell(ErrDamaged, "data in %s is damaged (%s): start with --reindex to rebuild it from the block files",
		dir, fmt.Sprintf(format, args...))
}

// explain turns an error of the disk or of Pebble into one line that says
// what to do; nil stays nil, and an explained error stays as it is.
func explain(dir string, err error) error {
	var already *told
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Full(dir)
	case strings.Contains(err.Error(), "unknown format major version"):
		return newer(dir)
	case isLocked(err):
		return Locked(dir)
	case pebble.IsCorruptionError(err):
		return Damaged(dir, "%s", OneLine(err))
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot write in %s: make it writable or choose another --datadir: %w", dir, plain(err))
	}
	return fmt.Errorf("cannot use the data in %s: %w", dir, plain(err))
}

// plain keeps the chain of err but shows it in one line.
func plain(err error) error { return &oneLine{err} }

type oneLine struct{ err error }

func (o *oneLine) Error() string { return OneLine(o.err) }
func (o *oneLine) Unwrap() error { return o.err }

// Explain is for files kept beside a database: it turns an error of the disk
// into one line that says what to do.
func Explain(dir string, err error) error { return explain(dir, err) }

// Full is the error for a full disk.
func Full(dir string) error {
	return Tell(ErrFull, "the disk of %s is full: free some space and start again, nothing acknowledged is lost", dir)
}

// Locked is the error for a directory that another process uses.
func Locked(dir string) error {
	return Tell(ErrLocked, "another granary is using %s: stop it or choose another --datadir", dir)
}

func newer(dir string) error {
	return Tell(ErrNewer, "the data directory %s is of a newer format than this granary knows: use a newer granary", dir)
}

func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "lock held by current process")
}

// Lock takes the lock file name in dir for this process; Close frees it. It
// is an advisory lock that the system drops when the process ends.
func Lock(fs vfs.FS, dir, name string) (io.Closer, error) {
	lock, err := fs.Lock(fs.PathJoin(dir, name))
	if err != nil {
		return nil, explain(dir, err)
	}
	return lock, nil
}

// MakeDir makes dir with its missing parents and syncs every folder that
// gained an entry, so that dir outlives a power cut.
func MakeDir(fs vfs.FS, dir string) error {
	var missing []string
	for walk := dir; ; walk = fs.PathDir(walk) {
		if _, err := fs.Stat(walk); err == nil || fs.PathDir(walk) == walk {
			break
		}
		missing = append(missing, walk)
	}
	if len(missing) == 0 {
		return nil
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, made := range missing {
		if err := SyncDir(fs, fs.PathDir(made)); err != nil {
			return err
		}
	}
	return nil
}

// SyncDir makes the entries of a folder durable.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// exit ends the process with one line.
func exit(err error) {
	fmt.Fprintln(os.Stderr, "granary: "+OneLine(err))
	os.Exit(1)
}

// logger hands Pebble's messages on. Fatalf never returns: a logger that did
// would let Pebble acknowledge a lost write.
type logger struct{ db *DB }

func (l *logger) Infof(format string, args ...any) {
	l.db.options.Log.Debug(OneLine(fmt.Errorf(format, args...)), "part", "pebble")
}

func (l *logger) Errorf(format string, args ...any) {
	l.db.options.Log.Error(OneLine(fmt.Errorf(format, args...)), "part", "pebble")
}

func (l *logger) Fatalf(format string, args ...any) { l.db.fatal(fatalCause(format, args)) }

// fatalCause keeps the error among args, so that its kind can be told.
func fatalCause(format string, args []any) error {
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			return err
		}
	}
	return fmt.Errorf(format, args...)
}

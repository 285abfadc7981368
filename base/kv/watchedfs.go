package kv

import (
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// watchedFS stands between Pebble and the file system for two reasons.
//
// Pebble panics where a folder cannot be synced: while the database is open,
// the process ends with one line instead (while it is being opened, Open turns
// the panic into an error).
//
// And Pebble names a new manifest in a marker file of the same folder without
// syncing the folder in between: a power cut could keep the marker and lose
// the manifest's name. Here the name is durable before anything refers to it.
type watchedFS struct {
	vfs.FS
	db *DB
}

// Create implements vfs.FS.
func (w *watchedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := w.FS.Create(name, category)
	if err != nil || !strings.HasPrefix(w.PathBase(name), "MANIFEST-") {
		return file, err
	}
	if err := SyncDir(w.FS, w.PathDir(name)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// OpenDir implements vfs.FS.
func (w *watchedFS) OpenDir(name string) (vfs.File, error) {
	dir, err := w.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &watchedDir{dir, w.db}, nil
}

// Unwrap implements vfs.FS.
func (w *watchedFS) Unwrap() vfs.FS { return w.FS }

type watchedDir struct {
	vfs.File
	db *DB
}

// Sync implements vfs.File.
func (w *watchedDir) Sync() error {
	err := w.File.Sync()
	if err != nil && w.db.opened.Load() {
		w.db.fatal(err)
	}
	return err
}

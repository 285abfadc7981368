package chain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/store/blockfile"
)

// source is a file of blocks.
type source struct {
	name   string
	own    bool   // one of our own block files (reindex),
	number uint32 // and its number
	size   int64
	before int64 // bytes of the sources before it
	scan   func(found func(raw []byte, offset int64) error) error
	// read gives the bytes of a block that scan has found, as the caller's own.
	read func(offset int64, bytes uint32) ([]byte, error)
}

// openSources finds the files that a person named; a folder stands for its
// blk*.dat files in order.
func (e *Engine) openSources(paths []string) ([]*source, error) {
	var sources []*source
	var total int64
	for _, path := range paths {
		files := []string{path}
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "blk*.dat")); err == nil && len(files) == 0 {
				err = fmt.Errorf("the folder %s has no blk*.dat files", path)
			}
			slices.Sort(files)
		}
		if err != nil {
			return nil, unreadable(path, err)
		}
		for _, file := range files {
			s, err := e.openSource(file)
			if err != nil {
				return nil, err
			}
			s.before = total
			total += s.size
			sources = append(sources, s)
		}
	}
	return sources, nil
}

// openSource makes sure that a file can be read and finds its key.
func (e *Engine) openSource(path string) (*source, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	info, err := in.Stat()
	if err := errors.Join(err, in.Close()); err != nil {
		return nil, unreadable(path, err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder where a block file is wanted", path)
	}
	key, err := blockfile.ReadKey(vfs.Default, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	magic := e.rules.Net.Magic()
	return &source{
		name: path, size: info.Size(),
		scan: func(found func([]byte, int64) error) error {
			return unreadable(path, blockfile.ScanFile(vfs.Default, path, magic, found))
		},
		read: func(offset int64, bytes uint32) ([]byte, error) {
			return readStretch(path, key, offset, bytes)
		},
	}, nil
}

// unreadable says in one line that a block file could not be read; errors that
// are not the file's stay as they are.
func unreadable(path string, err error) error {
	var fault *os.PathError
	if errors.As(err, &fault) {
		return fmt.Errorf("the block file %s cannot be read: %w", path, fault.Err)
	}
	return err
}

// readStretch reads some bytes of an obscured file.
func readStretch(path string, key blockfile.Key, offset int64, bytes uint32) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer in.Close() //nolint:errcheck // only read
	raw := make([]byte, bytes)
	if _, err := in.ReadAt(raw, offset); err != nil {
		return nil, fmt.Errorf("the block file %s cannot be read at byte %d: %w", path, offset, err)
	}
	key.Apply(raw, offset)
	return raw, nil
}

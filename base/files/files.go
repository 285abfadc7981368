// Package files keeps small files beside a database: the waiting transactions,
// what the fee estimator learned, the addresses of peers. Such a file is
// replaced as a whole, and what a power cut or a bad disk made of it is found
// out when it is read and set aside for a person to look at.
//
// A file that is ours alone is sealed: a heading says what it is, a checksum
// that it is what was written.
package files

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/kv"
)

// ErrDamaged says that a file is not what was written.
var ErrDamaged = errors.New("the file is damaged")

// Replace makes data the content of dir/name: see ReplaceBy.
func Replace(fsys vfs.FS, dir, name string, data []byte) error {
	return ReplaceBy(fsys, dir, name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// ReplaceBy makes what write writes the content of dir/name. It is whole and
// durable before it takes the name, and the name is durable when ReplaceBy
// returns; until then, and after an error, the old file may still be there. The
// name with .new behind it is used meanwhile. Two at a time may not replace the
// same file. Errors are one line for a person.
func ReplaceBy(fsys vfs.FS, dir, name string, write func(io.Writer) error) error {
	temporary := fsys.PathJoin(dir, name+".new")
	file, err := fsys.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return kv.Explain(dir, err)
	}
	if err = write(file); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return kv.Explain(dir, err)
	}
	return rename(fsys, dir, name+".new", name)
}

// Read gives the content of dir/name, nil where there is none, and ErrDamaged
// where it is longer than maxBytes.
func Read(fsys vfs.FS, dir, name string, maxBytes int) ([]byte, error) {
	file, err := fsys.Open(fsys.PathJoin(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, kv.Explain(dir, err)
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(maxBytes)+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, kv.Explain(dir, err)
	}
	if len(data) > maxBytes {
		return nil, ErrDamaged
	}
	return data, nil
}

// SetAside gives a damaged file the ending .damaged, so that a person can look
// at it, in place of an earlier one. It is durable when SetAside returns.
func SetAside(fsys vfs.FS, dir, name string) error {
	return rename(fsys, dir, name, name+".damaged")
}

func rename(fsys vfs.FS, dir, from, to string) error {
	if err := fsys.Rename(fsys.PathJoin(dir, from), fsys.PathJoin(dir, to)); err != nil {
		return kv.Explain(dir, err)
	}
	return kv.Explain(dir, kv.SyncDir(fsys, dir))
}

// Seal puts a heading before a record and the SHA-256 of both behind it.
func Seal(heading string, body []byte) []byte {
	data := append([]byte(heading), body...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

// Unseal takes them off again. The error is ErrDamaged where either is not
// right. The record is a part of data.
func Unseal(heading string, data []byte) ([]byte, error) {
	if len(data) < len(heading)+sha256.Size || !bytes.HasPrefix(data, []byte(heading)) {
		return nil, ErrDamaged
	}
	body := data[:len(data)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], data[len(body):]) {
		return nil, ErrDamaged
	}
	return body[len(heading):], nil
}

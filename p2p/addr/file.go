package addr

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/kv"
)

// errDamaged: a file is not what was written.
var errDamaged = errors.New("damaged")

// maxFileBytes bounds what is read from one of the files.
const maxFileBytes = 32 << 20

// writeFile replaces dir/name by data: the new content is whole and durable
// before it takes the name, and the name is durable when writeFile returns.
func writeFile(fsys vfs.FS, dir, name string, data []byte) error {
	temporary := fsys.PathJoin(dir, name+".new")
	file, err := fsys.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return kv.Explain(dir, err)
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return kv.Explain(dir, err)
	}
	if err := fsys.Rename(temporary, fsys.PathJoin(dir, name)); err != nil {
		return kv.Explain(dir, err)
	}
	return kv.Explain(dir, kv.SyncDir(fsys, dir))
}

// readFile gives the content of dir/name, nil where there is none.
func readFile(fsys vfs.FS, dir, name string) ([]byte, error) {
	file, err := fsys.Open(fsys.PathJoin(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, kv.Explain(dir, err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, kv.Explain(dir, err)
	}
	if len(data) > maxFileBytes {
		return nil, errDamaged
	}
	return data, nil
}

// setAside renames a damaged file so that a person can look at it.
func setAside(fsys vfs.FS, dir, name string) error {
	if err := fsys.Rename(fsys.PathJoin(dir, name), fsys.PathJoin(dir, name+".damaged")); err != nil {
		return kv.Explain(dir, err)
	}
	return kv.Explain(dir, kv.SyncDir(fsys, dir))
}

// seal puts a heading before and a checksum behind a record.
func seal(heading string, body []byte) []byte {
	data := append([]byte(heading), body...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

// unseal takes them off again.
func unseal(heading string, data []byte) ([]byte, error) {
	if len(data) < len(heading)+sha256.Size || !bytes.HasPrefix(data, []byte(heading)) {
		return nil, errDamaged
	}
	body := data[:len(data)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], data[len(body):]) {
		return nil, errDamaged
	}
	return body[len(heading):], nil
}

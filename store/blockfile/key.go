package blockfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// KeyName is the file beside block files that holds their key.
const KeyName = "xor.dat"

// Key obscures block files (Bitcoin Core since version 28): byte i of a file
// is combined with byte i mod 8 of the key. The zero key changes nothing.
type Key [8]byte

// ReadKey reads the key beside the block files in dir; where there is none,
// it is zero.
func ReadKey(fs vfs.FS, dir string) (key Key, err error) {
	path := fs.PathJoin(dir, KeyName)
	in, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return key, nil
	}
	if err != nil {
		return key, err
	}
	defer in.Close() //nolint:errcheck // only read
	var raw [len(key) + 1]byte
	n, err := io.ReadFull(in, raw[:])
	if n != len(key) || (err != nil && !errors.Is(err, io.ErrUnexpectedEOF)) {
		return key, fmt.Errorf("%s is not a key of 8 bytes: copy it again from where the block files came from", path)
	}
	return Key(raw[:len(key)]), nil
}

// Apply obscures b, which lies at offset of its file, or makes it plain again.
func (k *Key) Apply(b []byte, offset int64) {
	if *k == (Key{}) {
		return
	}
	var turned [8]byte
	for i := range turned {
		turned[i] = k[(offset+int64(i))%8]
	}
	mask := binary.LittleEndian.Uint64(turned[:])
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^mask)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= turned[i]
	}
}

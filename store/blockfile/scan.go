package blockfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/params"
)

// ErrNotBlock is what Scan's callback returns for a record that turned out to
// be no block: the search goes on right behind its magic.
var ErrNotBlock = errors.New("not a block")

const (
	// minBlockBytes: a header, a count and something to count.
	minBlockBytes = 80 + 1 + 10
	// scanBytes is what a scan reads at once; longer records make it more.
	scanBytes = 256 << 10
)

// Scan calls found for every record in r, in order: raw is the payload, valid
// during the call only, and offset its place in r. Zeros, garbage and a torn
// end are passed over. It stops at the first error of found but ErrNotBlock.
func Scan(r io.Reader, magic [4]byte, key Key, found func(raw []byte, offset int64) error) error {
	s := scanner{in: r, key: key, buf: make([]byte, 0, scanBytes)}
	for {
		if err := s.fill(HeadBytes); err != nil {
			return err
		}
		if len(s.rest()) < HeadBytes {
			return nil
		}
		skip := bytes.Index(s.rest(), magic[:])
		if skip < 0 {
			// The last three bytes may be the start of a magic.
			s.at += len(s.rest()) - len(magic) + 1
			continue
		}
		s.at += skip
		if err := s.record(len(magic), found); err != nil {
			return err
		}
	}
}

// ScanFile scans the file at path with the key beside it.
func ScanFile(fs vfs.FS, path string, magic [4]byte, found func(raw []byte, offset int64) error) error {
	key, err := ReadKey(fs, filepath.Dir(path))
	if err != nil {
		return err
	}
	in, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	return Scan(in, magic, key, found)
}

type scanner struct {
	in     io.Reader
	key    Key
	buf    []byte
	at     int   // of the next byte to look at in buf
	offset int64 // of buf's start in the file
	ended  bool
}

func (s *scanner) rest() []byte { return s.buf[s.at:] }

// fill reads on until n bytes are there or the file ends.
func (s *scanner) fill(n int) error {
	if len(s.rest()) >= n || s.ended {
		return nil
	}
	if s.at+n > cap(s.buf) {
		s.offset += int64(s.at)
		old := s.rest()
		if n > cap(s.buf) {
			s.buf = make([]byte, 0, 2*n)
		}
		s.buf = s.buf[:copy(s.buf[:cap(s.buf)], old)]
		s.at = 0
	}
	for len(s.rest()) < n && !s.ended {
		old := len(s.buf)
		got, err := s.in.Read(s.buf[old:cap(s.buf)])
		s.buf = s.buf[:old+got]
		s.key.Apply(s.buf[old:], s.offset+int64(old))
		if errors.Is(err, io.EOF) {
			s.ended = true
		} else if err != nil {
			return err
		}
	}
	return nil
}

// record looks at what stands behind a magic. Where it is no record, the
// search goes on behind the magic's magicBytes.
func (s *scanner) record(magicBytes int, found func([]byte, int64) error) error {
	if err := s.fill(HeadBytes); err != nil {
		return err
	}
	if len(s.rest()) < HeadBytes {
		s.at += magicBytes
		return nil
	}
	length := binary.LittleEndian.Uint32(s.rest()[magicBytes:])
	if length < minBlockBytes || length > params.MaxBlockBytes {
		s.at += magicBytes
		return nil
	}
	end := HeadBytes + int(length)
	if err := s.fill(end); err != nil {
		return err
	}
	if len(s.rest()) < end {
		s.at += magicBytes
		return nil
	}
	err := found(s.rest()[HeadBytes:end:end], s.offset+int64(s.at)+HeadBytes)
	if errors.Is(err, ErrNotBlock) {
		s.at += magicBytes
		return nil
	}
	s.at += end
	return err
}

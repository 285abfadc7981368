package blockfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/params"
)

var (
	testMagic = [4]byte{0xfa, 0xbf, 0xb5, 0xda}
	testKey   = Key{1, 2, 3, 4, 5, 6, 7, 200}
)

func payload(n int, fill byte) []byte { return bytes.Repeat([]byte{fill}, n) }

func record(p []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(testMagic[:4:4], uint32(len(p))), p...)
}

// scan gives "offset:length:first byte" of every record.
func scan(t *testing.T, file []byte, key Key) (found []string) {
	t.Helper()
	file = bytes.Clone(file)
	key.Apply(file, 0)
	for _, r := range []io.Reader{bytes.NewReader(file), iotest.OneByteReader(bytes.NewReader(file))} {
		var lines []string
		if err := Scan(r, testMagic, key, func(raw []byte, offset int64) error {
			lines = append(lines, fmt.Sprintf("%d:%d:%x", offset, len(raw), raw[0]))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if found != nil && !slices.Equal(found, lines) {
			t.Errorf("readers differ: %v, %v", found, lines)
		}
		found = lines
	}
	return found
}

func TestScan(t *testing.T) {
	a, b := record(payload(100, 1)), record(payload(200, 2))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	tooLong := binary.LittleEndian.AppendUint32(testMagic[:4:4], params.MaxBlockBytes+1)
	tooShort := binary.LittleEndian.AppendUint32(testMagic[:4:4], 90)
	beyond := binary.LittleEndian.AppendUint32(testMagic[:4:4], 5000)
	for name, c := range map[string]struct {
		file []byte
		want []string
	}{
		"empty":              {nil, nil},
		"two":                {join(a, b), []string{"8:100:1", "116:200:2"}},
		"zeros between":      {join(a, make([]byte, 1000), b), []string{"8:100:1", "1116:200:2"}},
		"garbage first":      {join([]byte("garbage"), a), []string{"15:100:1"}},
		"garbage last":       {join(a, []byte("garbage")), []string{"8:100:1"}},
		"start of a magic":   {join(testMagic[:3], testMagic[:2], a), []string{"13:100:1"}},
		"torn head":          {join(a, b[:6]), []string{"8:100:1"}},
		"torn record":        {join(a, b[:150]), []string{"8:100:1"}},
		"length too long":    {join(tooLong, a), []string{"16:100:1"}},
		"length too short":   {join(tooShort, a), []string{"16:100:1"}},
		"length beyond file": {join(beyond, a, b), []string{"16:100:1", "124:200:2"}},
	} {
		for _, key := range []Key{{}, testKey} {
			if got := scan(t, c.file, key); !slices.Equal(got, c.want) {
				t.Errorf("%s with key %x: %v, not %v", name, key, got, c.want)
			}
		}
	}
}

// TestScanLarge has records around the length of the scanner's memory.
func TestScanLarge(t *testing.T) {
	var file []byte
	var want []int
	for _, n := range []int{params.MaxBlockBytes, 91, params.MaxBlockBytes - 1, 3_000_000, params.MaxBlockBytes} {
		want = append(want, n)
		file = append(append(file, record(payload(n, 9))...), make([]byte, n%1000)...)
	}
	var got []int
	if err := Scan(bytes.NewReader(file), testMagic, Key{}, func(raw []byte, offset int64) error {
		if !bytes.Equal(raw, file[offset:int(offset)+len(raw)]) {
			t.Errorf("the record at %d is not what stands there", offset)
		}
		got = append(got, len(raw))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

func TestScanGoesIntoWhatIsNoBlock(t *testing.T) {
	inner := record(payload(100, 1))
	file := record(append(payload(100, 7), inner...))
	var seen []int
	err := Scan(bytes.NewReader(file), testMagic, Key{}, func(raw []byte, _ int64) error {
		seen = append(seen, len(raw))
		if raw[0] == 7 {
			return ErrNotBlock
		}
		return nil
	})
	if err != nil || !slices.Equal(seen, []int{208, 100}) {
		t.Errorf("%v, %v", seen, err)
	}
	stop := errors.New("stop")
	if err := Scan(bytes.NewReader(file), testMagic, Key{}, func([]byte, int64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	if err := Scan(iotest.ErrReader(stop), testMagic, Key{}, nil); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestKeyFile(t *testing.T) {
	fs := vfs.NewMem()
	write := func(text string) {
		f, err := fs.Create(KeyName, vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if key, err := ReadKey(fs, ""); err != nil || key != (Key{}) {
		t.Errorf("no key file: %x, %v", key, err)
	}
	write(string(testKey[:]))
	if key, err := ReadKey(fs, ""); err != nil || key != testKey {
		t.Errorf("%x, %v", key, err)
	}
	for _, bad := range []string{"", "1234567", "123456789"} {
		write(bad)
		if _, err := ReadKey(fs, ""); err == nil {
			t.Errorf("a key of %d bytes passes", len(bad))
		}
	}
}

func TestKeyApply(t *testing.T) {
	for offset := range int64(20) {
		for n := range 40 {
			b := make([]byte, n)
			testKey.Apply(b, offset)
			for i := range b {
				if b[i] != testKey[(offset+int64(i))%8] {
					t.Fatalf("byte %d of %d at %d", i, n, offset)
				}
			}
		}
	}
}

func TestFolder(t *testing.T) {
	for _, key := range []Key{{}, testKey} {
		fs := vfs.NewMem()
		if err := fs.MkdirAll("blocks", 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := fs.Create("blocks/xor.dat", vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(key[:])
		f.Close()
		folder, err := OpenFolder(fs, "blocks", testMagic)
		if err != nil {
			t.Fatal(err)
		}
		one, two := payload(100, 1), payload(123, 2)
		for file := range uint32(20) {
			if err := folder.Write(Blocks, file, 0, one, nil); err != nil {
				t.Fatal(err)
			}
			if err := folder.Write(Blocks, file, 108, two, []byte("trailer")); err != nil {
				t.Fatal(err)
			}
		}
		if err := folder.Sync(); err != nil {
			t.Fatal(err)
		}
		raw, trailer, err := folder.Read(Blocks, 7, 116, 123, 7)
		if err != nil || !bytes.Equal(raw, two) || string(trailer) != "trailer" {
			t.Errorf("reads %x %q, %v", raw, trailer, err)
		}
		for _, c := range [][3]uint32{{7, 116, 122}, {7, 115, 123}, {7, 4, 100}, {7, 200, 100}, {7, 1 << 31, 5}} {
			if _, _, err := folder.Read(Blocks, c[0], c[1], c[2], 0); !errors.Is(err, ErrDamaged) {
				t.Errorf("%v: %v", c, err)
			}
		}
		if _, _, err := folder.Read(Blocks, 99, 8, 1, 0); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("missing file: %v", err)
		}
		count := 0
		if err := folder.Scan(7, func(raw []byte, offset int64) error { count++; return nil }); err != nil || count != 2 {
			t.Errorf("scans %d records, %v", count, err)
		}
		if err := folder.Remove(Blocks, 7); err != nil {
			t.Fatal(err)
		}
		if err := folder.Remove(Blocks, 7); err != nil {
			t.Errorf("removing nothing: %v", err)
		}
		files, err := folder.List(Blocks)
		if err != nil || len(files) != 19 || slices.Contains(files, 7) {
			t.Errorf("%v, %v", files, err)
		}
		if err := folder.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestListKnowsItsOwn(t *testing.T) {
	fs := vfs.NewMem()
	folder, err := OpenFolder(fs, "blocks", testMagic)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"blk00003.dat", "rev00003.dat", "blk3.dat", "blk00004.dat.bak", "xor.txt", "blk-0001.dat", "blk100000.dat"} {
		f, err := fs.Create("blocks/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	files, err := folder.List(Blocks)
	slices.Sort(files)
	if err != nil || !slices.Equal(files, []uint32{3, 100000}) {
		t.Errorf("%v, %v", files, err)
	}
}

// FuzzScan: whatever the bytes, records lie where the scanner says, one behind
// the other, and the pieces in which the file is read do not matter.
func FuzzScan(f *testing.F) {
	f.Add(append(record(payload(100, 1)), record(payload(91, 2))...), byte(0), uint16(7))
	f.Add(append(testMagic[:2:2], record(payload(100, 1))...), byte(3), uint16(1))
	f.Fuzz(func(t *testing.T, file []byte, keyByte byte, piece uint16) {
		key := Key{0: keyByte, 5: keyByte}
		hidden := bytes.Clone(file)
		key.Apply(hidden, 0)
		type place struct{ at, n int64 }
		var whole, pieces []place
		if err := Scan(bytes.NewReader(hidden), testMagic, key, func(raw []byte, offset int64) error {
			if !bytes.Equal(raw, file[offset:int(offset)+len(raw)]) || !bytes.Equal(file[offset-8:offset-4], testMagic[:]) {
				t.Fatalf("no record at %d", offset)
			}
			if n := len(whole); n > 0 && offset-HeadBytes < whole[n-1].at+whole[n-1].n {
				t.Fatalf("records overlap at %d", offset)
			}
			whole = append(whole, place{offset, int64(len(raw))})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		in := &pieceReader{bytes.NewReader(hidden), int(piece)%997 + 1}
		if err := Scan(in, testMagic, key, func(raw []byte, offset int64) error {
			pieces = append(pieces, place{offset, int64(len(raw))})
			return nil
		}); err != nil || !slices.Equal(whole, pieces) {
			t.Fatalf("%v in one, %v in pieces, %v", whole, pieces, err)
		}
	})
}

type pieceReader struct {
	in io.Reader
	n  int
}

func (p *pieceReader) Read(b []byte) (int, error) { return p.in.Read(b[:min(len(b), p.n)]) }

func BenchmarkScan(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var file []byte
	for range 40 {
		p := make([]byte, 1_000_000)
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		file = append(file, record(p)...)
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if err := Scan(bytes.NewReader(file), testMagic, testKey, func([]byte, int64) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

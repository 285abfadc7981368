package files

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"granary/base/kv"
)

const heading = "a file of a test\n"

// madeDir gives a file system on which the folder net outlives a power cut.
func madeDir(t *testing.T) *vfs.MemFS {
	t.Helper()
	fsys := vfs.NewCrashableMem()
	if err := kv.MakeDir(fsys, "net"); err != nil {
		t.Fatal(err)
	}
	return fsys
}

func mustReplace(t *testing.T, fsys vfs.FS, name string, data []byte) {
	t.Helper()
	if err := Replace(fsys, "net", name, data); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	data, err := Read(fsys, "net", name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// before calls f before every step that changes the file system.
func before(mem vfs.FS, f func(step int) error) vfs.FS {
	steps := 0
	return errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		steps++
		return f(steps)
	}))
}

// TestPowerCut loses power before every step of replacing a file: the old
// content or the new one is there, whole, and the new one once Replace is back.
func TestPowerCut(t *testing.T) {
	old, next := Seal(heading, bytes.Repeat([]byte("old"), 5000)), Seal(heading, bytes.Repeat([]byte("next"), 7000))
	for percent := 0; percent <= 100; percent += 10 {
		for seed := range uint64(10) {
			mem := madeDir(t)
			mustReplace(t, mem, "book", old)
			var cuts []*vfs.MemFS
			cut := func(int) error {
				cuts = append(cuts, mem.CrashClone(vfs.CrashCloneCfg{
					UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, uint64(len(cuts)))),
				}))
				return nil
			}
			mustReplace(t, before(mem, cut), "book", next)
			for i, cut := range cuts {
				got := mustRead(t, cut, "book")
				if !bytes.Equal(got, old) && !bytes.Equal(got, next) {
					t.Fatalf("%d%%, cut %d: neither the old nor the new content", percent, i)
				}
			}
			if len(cuts) < 5 {
				t.Fatalf("only %d moments to lose power", len(cuts))
			}
			if err := cut(0); err != nil {
				t.Fatal(err)
			}
			if got := mustRead(t, cuts[len(cuts)-1], "book"); !bytes.Equal(got, next) {
				t.Fatalf("%d%%: what was acknowledged is gone", percent)
			}
		}
	}
}

// TestSetAsideStays: a name that was given away does not come back.
func TestSetAsideStays(t *testing.T) {
	mem := madeDir(t)
	mustReplace(t, mem, "book", []byte("bad"))
	if err := SetAside(mem, "net", "book"); err != nil {
		t.Fatal(err)
	}
	cut := mem.CrashClone(vfs.CrashCloneCfg{})
	if got := mustRead(t, cut, "book"); got != nil {
		t.Errorf("after a power cut %q is back", got)
	}
	if got := mustRead(t, cut, "book.damaged"); string(got) != "bad" {
		t.Errorf("set aside was %q", got)
	}
}

// TestFailedReplace: an error at any step leaves one of both and says what to
// do.
func TestFailedReplace(t *testing.T) {
	failed := 0
	for at := 1; ; at++ {
		mem := madeDir(t)
		mustReplace(t, mem, "book", []byte("old"))
		full := before(mem, func(step int) error {
			if step == at {
				return syscall.ENOSPC
			}
			return nil
		})
		err := Replace(full, "net", "book", []byte("next"))
		if err == nil {
			break
		}
		failed++
		if !errors.Is(err, kv.ErrFull) {
			t.Errorf("step %d: %v", at, err)
		}
		if got := string(mustRead(t, mem, "book")); got != "old" && got != "next" {
			t.Errorf("step %d: the file is %q", at, got)
		}
	}
	if failed < 5 {
		t.Errorf("only %d steps can fail", failed)
	}
	why := errors.New("no more to write")
	mem := madeDir(t)
	if err := ReplaceBy(mem, "net", "book", func(io.Writer) error { return why }); !errors.Is(err, why) {
		t.Errorf("a writer that fails: %v", err)
	}
	if got := mustRead(t, mem, "book"); got != nil {
		t.Errorf("what was not written whole is there: %q", got)
	}
}

func TestRead(t *testing.T) {
	mem := madeDir(t)
	mustReplace(t, mem, "book", []byte("12345"))
	if data, err := Read(mem, "net", "book", 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := Read(mem, "net", "book", 4); !errors.Is(err, ErrDamaged) {
		t.Errorf("a file that is too long: %v", err)
	}
	if data, err := Read(mem, "net", "none", 4); err != nil || data != nil {
		t.Errorf("no file: %q, %v", data, err)
	}
}

// TestUnseal changes every bit and every length of a sealed record.
func TestUnseal(t *testing.T) {
	for _, body := range []string{"", "a record"} {
		data := Seal(heading, []byte(body))
		if got, err := Unseal(heading, data); err != nil || string(got) != body {
			t.Errorf("%q, %v", got, err)
		}
		for bit := range len(data) * 8 {
			data[bit/8] ^= 1 << (bit % 8)
			if _, err := Unseal(heading, data); !errors.Is(err, ErrDamaged) {
				t.Errorf("bit %d: %v", bit, err)
			}
			data[bit/8] ^= 1 << (bit % 8)
		}
		for n := range data {
			if _, err := Unseal(heading, data[:n]); !errors.Is(err, ErrDamaged) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		if _, err := Unseal("another file\n", data); !errors.Is(err, ErrDamaged) {
			t.Errorf("of another kind: %v", err)
		}
	}
}

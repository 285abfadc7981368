package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var testID = Identity{Kind: "test", Version: 3, Network: "regtest", Genesis: "aa", Magic: "bb"}

func open(t *testing.T, fs vfs.FS) *DB {
	t.Helper()
	db, err := Open("data/state", testID, Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func put(t *testing.T, db *DB, pairs ...string) {
	t.Helper()
	b := db.NewBatch(0)
	for i := 0; i < len(pairs); i += 2 {
		b.Put([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, fs)
	put(t, db, "\x01a", "1", "\x01b", "2", "\x02c", "3")
	frozen := db.Snapshot()
	b := db.NewBatch(0)
	b.Delete([]byte("\x01a"))
	b.DeleteRange([]byte{2}, []byte{3})
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Get([]byte("\x01a")); v != nil || err != nil {
		t.Fatalf("deleted key reads %q, %v", v, err)
	}
	if found, err := frozen.View([]byte("\x01a"), func(v []byte) error {
		if string(v) != "1" {
			t.Errorf("snapshot reads %q", v)
		}
		return nil
	}); !found || err != nil {
		t.Fatalf("snapshot lost the key: %v", err)
	}
	if err := frozen.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, fs)
	defer db.Close()
	if v, err := db.Get([]byte("\x01b")); string(v) != "2" || err != nil {
		t.Fatalf("after reopening: %q, %v", v, err)
	}
}

func TestTable(t *testing.T) {
	table := Table[uint32, string]{
		Prefix:    7,
		AppendKey: func(dst []byte, k uint32) []byte { return binary.BigEndian.AppendUint32(dst, k) },
		ParseKey: func(raw []byte) (uint32, error) {
			if len(raw) != 4 {
				return 0, fmt.Errorf("key of %d bytes", len(raw))
			}
			return binary.BigEndian.Uint32(raw), nil
		},
		AppendValue: func(dst []byte, v string) []byte { return append(dst, v...) },
		ParseValue:  func(raw []byte) (string, error) { return string(raw), nil },
	}
	db := open(t, vfs.NewMem())
	defer db.Close()
	b := db.NewBatch(0)
	for _, n := range []uint32{300, 2, 70_000} {
		table.Put(b, n, fmt.Sprint(n))
	}
	b.Put([]byte{8, 'x'}, []byte("of another table"))
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	var keys []uint32
	if err := table.Range(db, func(k uint32, v string) bool {
		if v != fmt.Sprint(k) {
			t.Errorf("%d has %q", k, v)
		}
		keys = append(keys, k)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(keys) != "[2 300 70000]" {
		t.Errorf("order %v", keys)
	}
	b = db.NewBatch(0)
	table.Clear(b)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, found, err := table.Get(db, 300); found || err != nil {
		t.Errorf("cleared table still has a row: %v", err)
	}
	if v, _ := db.Get([]byte{8, 'x'}); v == nil {
		t.Error("Clear reached into another table")
	}
	put(t, db, "\x07bad", "x")
	if err := table.Range(db, func(uint32, string) bool { return true }); err == nil {
		t.Error("a malformed key passed")
	}
}

func TestIdentity(t *testing.T) {
	fs := vfs.NewMem()
	if err := open(t, fs).Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Identity)
		kind   error
		text   string
	}{
		{func(id *Identity) { id.Version = 2 }, ErrNewer, "use a newer granary"},
		{func(id *Identity) { id.Version = 4 }, ErrForeign, "import the blocks"},
		{func(id *Identity) { id.Network = "mainnet" }, ErrForeign, "belongs to network regtest, not mainnet"},
		{func(id *Identity) { id.Charter = "cc" }, ErrForeign, "a chain without a charter, not to charter cc"},
		{func(id *Identity) { id.Genesis = "ab" }, ErrForeign, "another regtest network"},
		{func(id *Identity) { id.Magic = "ab" }, ErrForeign, "another regtest network"},
		{func(id *Identity) { id.Kind = "other" }, ErrForeign, `holds "test" data`},
	} {
		id := testID
		c.change(&id)
		_, err := Open("data/state", id, Options{FS: fs})
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", id, err)
		}
	}
}

func TestNewerPebble(t *testing.T) {
	fs := vfs.NewMem()
	if err := open(t, fs).Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := fs.List("data/state")
	for _, name := range names {
		if strings.HasPrefix(name, "marker.format-version") {
			parts := strings.Split(name, ".")
			parts[len(parts)-1] = "999"
			if err := fs.Rename("data/state/"+name, "data/state/"+strings.Join(parts, ".")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Open("data/state", testID, Options{FS: fs}); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestStrangerIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, fs)
	put(t, db, "\x01a", "1")
	b := db.NewBatch(0)
	b.Delete(identityKey)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("data/state", testID, Options{FS: fs}); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestLocked(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, fs)
	defer db.Close()
	_, err := Open("data/state", testID, Options{FS: fs})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "another granary is using data/state") {
		t.Errorf("got %v", err)
	}
}

// TestLockedByProcess takes the lock in a child process.
func TestLockedByProcess(t *testing.T) {
	if dir := os.Getenv("GRANARY_KV_LOCK"); dir != "" {
		if _, err := Lock(vfs.Default, dir, "LOCK"); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("free")
		}
		return
	}
	dir := t.TempDir()
	lock, err := Lock(vfs.Default, dir, "LOCK")
	if err != nil {
		t.Fatal(err)
	}
	child := func() string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLockedByProcess$")
		cmd.Env = append(os.Environ(), "GRANARY_KV_LOCK="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := child(); !strings.Contains(out, "another granary is using "+dir) {
		t.Errorf("locked: %s", out)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if out := child(); !strings.Contains(out, "free") {
		t.Errorf("unlocked: %s", out)
	}
}

// TestFatalExits makes every write fail in a child process, which must end
// with status 1 and one line, and must not print "acknowledged".
func TestFatalExits(t *testing.T) {
	if os.Getenv("GRANARY_KV_FATAL") != "" {
		var on bool
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if on && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
				return syscall.ENOSPC
			}
			return nil
		}))
		db, err := Open("data/state", testID, Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		on = true
		b := db.NewBatch(0)
		b.Put([]byte("\x01a"), []byte("1"))
		fmt.Println("acknowledged:", b.Commit())
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFatalExits$")
	cmd.Env = append(os.Environ(), "GRANARY_KV_FATAL=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v: %s", err, out)
	}
	if bytes.Contains(out, []byte("acknowledged:")) || !bytes.Contains(out, []byte("disk of data/state is full")) {
		t.Errorf("said %s", out)
	}
	if lines := bytes.Count(bytes.TrimSpace(out), []byte("\n")); lines != 0 {
		t.Errorf("%d lines: %s", lines+1, out)
	}
}

// TestLargeBatch commits batches beyond the memtable, whose memory Pebble
// keeps until they are flushed.
func TestLargeBatch(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, fs)
	value := bytes.Repeat([]byte("v"), 1000)
	for round := range 4 {
		b := db.NewBatch(3 << 20)
		for i := range 3000 {
			b.Put(fmt.Appendf([]byte{1}, "%d/%06d", round, i), value)
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, fs)
	defer db.Close()
	it, err := db.Iter([]byte{1}, []byte{2})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for it.Next() {
		n++
	}
	if err := it.Close(); err != nil || n != 12_000 {
		t.Errorf("%d rows, %v", n, err)
	}
	if size, err := db.DiskBytes([]byte{1}, []byte{2}); err != nil || size == 0 {
		t.Errorf("disk size %d, %v", size, err)
	}
}

func TestUpper(t *testing.T) {
	for _, c := range [][2]string{{"a", "b"}, {"a\xff", "b"}, {"\xff", ""}, {"", ""}} {
		if got := Upper([]byte(c[0])); string(got) != c[1] {
			t.Errorf("Upper(%q) = %q", c[0], got)
		}
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add(testID.encode())
	f.Add([]byte("version 9\nfield of tomorrow\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, ok := decodeIdentity(raw)
		if !ok {
			return
		}
		if again, ok := decodeIdentity(id.encode()); !ok || again != id {
			t.Fatalf("%q: %+v comes back as %+v", raw, id, again)
		}
		if err := testID.compare("dir", id); (err == nil) != (id == testID) {
			t.Fatalf("%+v compares %v", id, err)
		}
	})
}

package mempool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/state"
)

func (w *world) save(fsys vfs.FS) int {
	w.t.Helper()
	n, err := w.pool.Save(fsys, "", "mempool.dat")
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// again gives the world an empty pool.
func (w *world) again() {
	w.pool = New(Options{Chain: w.fakeChain, Rules: w.pool.rules, Clock: w.clock, Standard: true})
	w.fakeChain.pool = w.pool
}

func readAll(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeAll(t *testing.T, fsys vfs.FS, name string, data []byte) {
	t.Helper()
	f, err := fsys.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSaveAndLoad(t *testing.T) {
	w, fsys := newWorld(t, 20, nil), vfs.NewMem()
	var txs []*state.Tx
	for i := range 10 {
		tx := w.spend(int64(1000+i), 2, w.ripe[i])
		txs = append(txs, w.accept(tx).Tx)
		txs = append(txs, w.accept(w.spend(2000, 1, out(tx, 1))).Tx)
		w.clock.Set(w.clock.Now().Add(time.Minute))
	}
	absent := w.spend(1000, 1, w.ripe[15]).Txid
	w.pool.Prioritise(txs[3].Txid, -50)
	w.pool.Prioritise(absent, 77)
	w.pool.AddUnbroadcast(txs[0].Txid)
	if n := w.save(fsys); n != 20 {
		t.Errorf("%d saved", n)
	}
	before := w.pool
	w.again()
	l, damaged, err := w.pool.LoadOwn(context.Background(), fsys, "", "mempool.dat")
	if err != nil || damaged || l.Accepted != 20 {
		t.Fatalf("%+v %t %v", l, damaged, err)
	}
	w.want(txs...)
	for _, tx := range txs {
		if a, b := before.Get(tx.Txid), w.pool.Get(tx.Txid); a.Added.Unix() != b.Added.Unix() || a.delta != b.delta {
			t.Errorf("time %v, delta %d, want %v, %d", b.Added, b.delta, a.Added, a.delta)
		}
	}
	if list := w.pool.Priorities(); len(list) != 2 || len(w.pool.Unbroadcast()) != 1 {
		t.Errorf("priorities %v", list)
	}
	if l, _, err = w.pool.LoadOwn(context.Background(), fsys, "", "mempool.dat"); err != nil || l.Already != 20 {
		t.Errorf("again: %+v %v", l, err)
	}
	// Later some are confirmed and others have waited too long.
	w.again()
	w.mine(txs[0], txs[1])
	w.clock.Set(w.clock.Now().Add(defaultExpiry - 5*time.Minute))
	l, err = w.pool.Load(context.Background(), fsys, "mempool.dat", LoadOptions{})
	if err != nil || l.Failed+l.Expired+l.Accepted != 20 || l.Expired == 0 || l.Failed != 0 || len(w.pool.Priorities()) != 0 {
		t.Errorf("later: %+v %v", l, err)
	}
	w.again()
	l, err = w.pool.Load(context.Background(), fsys, "mempool.dat", LoadOptions{FreshTimes: true})
	if err != nil || l.Accepted != 18 || l.Failed != 2 {
		t.Errorf("as new: %+v %v", l, err)
	}
}

// TestLoadCores reads what Core writes: both versions, without our checksum.
func TestLoadCores(t *testing.T) {
	w, fsys := newWorld(t, 2, nil), vfs.NewMem()
	tx := w.spend(1000, 1, w.ripe[0])
	le := binary.LittleEndian
	body := le.AppendUint64(nil, 1)
	body = append(body, tx.Raw...)
	body = le.AppendUint64(body, uint64(w.clock.Now().Unix()))
	body = le.AppendUint64(body, 5)
	body = append(body, 0, 0)
	plain := append(le.AppendUint64(nil, 1), body...)
	head := append(le.AppendUint64(nil, 2), 8, 1, 2, 3, 4, 5, 6, 7, 8)
	hidden := bytes.Clone(body)
	xor(hidden, head[9:], len(head))
	for _, data := range [][]byte{plain, append(head, hidden...)} {
		w.again()
		writeAll(t, fsys, "mempool.dat", data)
		l, _, err := w.pool.LoadOwn(context.Background(), fsys, "", "mempool.dat")
		if err != nil || l.Accepted != 1 || w.pool.Get(tx.Txid).delta != 5 {
			t.Errorf("%+v %v", l, err)
		}
		w.again()
		for _, wrong := range [][]byte{data[:len(data)-1], append(bytes.Clone(data), 0), data[:7], {}, append([]byte{9}, data[1:]...)} {
			writeAll(t, fsys, "mempool.dat", wrong)
			if _, err := w.pool.Load(context.Background(), fsys, "mempool.dat", LoadOptions{}); !errors.Is(err, ErrDamagedDump) {
				t.Errorf("%d bytes: %v", len(wrong), err)
			}
			w.want()
		}
	}
}

// TestDamagedDump flips each byte: nothing of a damaged file comes in.
func TestDamagedDump(t *testing.T) {
	w, fsys := newWorld(t, 4, nil), vfs.NewMem()
	for i := range 3 {
		w.accept(w.spend(1000, 1, w.ripe[i]))
	}
	w.save(fsys)
	data := readAll(t, fsys, "mempool.dat")
	w.again()
	for i := range data {
		wrong := bytes.Clone(data)
		wrong[i] ^= 0x10
		writeAll(t, fsys, "mempool.dat", wrong)
		_, damaged, err := w.pool.LoadOwn(context.Background(), fsys, "", "mempool.dat")
		if err != nil || !damaged || w.pool.Info().Count != 0 {
			t.Fatalf("byte %d: %t %v", i, damaged, err)
		}
	}
	if _, err := w.pool.Load(context.Background(), fsys, "mempool.dat", LoadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was not set aside: %v", err)
	}
	if _, damaged, err := w.pool.LoadOwn(context.Background(), fsys, "", "mempool.dat"); err != nil || damaged {
		t.Errorf("without a file: %t %v", damaged, err)
	}
}

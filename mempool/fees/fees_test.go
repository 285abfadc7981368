package fees

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/files"
)

// market is a mempool in which ten rates wait for as long as they pay little.
type market struct {
	e       *Estimator
	rand    *rand.Rand
	height  int32
	n       uint64
	waiting [10][]chainhash.Hash
}

func newMarket() *market { return &market{e: New(), rand: rand.New(rand.NewPCG(1, 2))} }

func rateOf(i int) int64 { return 2000 * int64(10-i) }

// step lets four transactions come for each rate, and a block that takes each
// of rate i with a chance that falls with i.
func (m *market) step() {
	for i := range m.waiting {
		for range 4 {
			m.n++
			var txid chainhash.Hash
			binary.LittleEndian.PutUint64(txid[:], m.n)
			m.e.Came(txid, m.height, rateOf(i), 1000)
			m.waiting[i] = append(m.waiting[i], txid)
		}
	}
	m.height++
	var taken []chainhash.Hash
	for i := range m.waiting {
		var stay []chainhash.Hash
		for _, txid := range m.waiting[i] {
			if m.rand.IntN(10) >= i {
				taken = append(taken, txid)
			} else {
				stay = append(stay, txid)
			}
		}
		m.waiting[i] = stay
	}
	m.e.Block(m.height, taken)
}

func TestEstimates(t *testing.T) {
	m := newMarket()
	if units, _ := m.e.Smart(6, true); units != 0 {
		t.Errorf("%d units before any block", units)
	}
	for range 300 {
		m.step()
	}
	last := int64(1 << 62)
	for _, target := range []int{1, 2, 3, 4, 6, 10, 20, 40} {
		units, used := m.e.Smart(target, false)
		careful, _ := m.e.Smart(target, true)
		if units <= 0 || units > last || careful < units || used != max(target, 2) {
			t.Errorf("target %d: %d units, conservative %d, for %d blocks; before %d", target, units, careful, used, last)
		}
		last = units
	}
	// Of rate i a share of i/10 waits for each block: within 2 blocks 85 % of
	// those up to i = 3 are mined, so that the cheapest such is 14,000.
	raw, ok := m.e.Raw(2, 0.85, Short)
	if !ok || raw.UnitsPerKVB < rateOf(5) || raw.UnitsPerKVB > rateOf(2) || raw.Pass == nil || raw.Fail == nil {
		t.Errorf("raw: %+v", raw)
	}
	if raw.Pass.FromUnitsPerKVB > float64(raw.UnitsPerKVB) || raw.Pass.ToUnitsPerKVB < float64(raw.UnitsPerKVB) {
		t.Errorf("%d lies outside of %+v", raw.UnitsPerKVB, raw.Pass)
	}
	if units, used := m.e.Smart(1008, false); used != 149 || units <= 0 {
		t.Errorf("far: %d units for %d blocks", units, used)
	}
	for _, target := range []int{0, 13, -1} {
		if _, ok := m.e.Raw(target, 0.85, Short); ok {
			t.Errorf("target %d has an answer", target)
		}
	}
}

// TestLeft: what leaves unmined counts against its rate.
func TestLeft(t *testing.T) {
	m := newMarket()
	for range 200 {
		m.step()
	}
	before, _ := m.e.Raw(10, 0.85, Medium)
	for _, txids := range m.waiting {
		for _, txid := range txids {
			m.e.Left(txid)
		}
	}
	if n := len(m.e.txs); n != 0 {
		t.Errorf("%d are still followed", n)
	}
	for h, s := range m.e.stats {
		for _, row := range append(s.waiting, s.waitingLong) {
			for _, n := range row {
				if n != 0 {
					t.Fatalf("horizon %d: %d still wait", h, n)
				}
			}
		}
	}
	after, _ := m.e.Raw(10, 0.85, Medium)
	if before.UnitsPerKVB == 0 || after.UnitsPerKVB == 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	// A block that is no higher, and what came at another height, teach nothing.
	raw, _ := m.e.Raw(10, 0.85, Medium)
	m.e.Block(m.height, nil)
	m.e.Came(chainhash.Hash{1}, m.height-1, 1, 1)
	if again, _ := m.e.Raw(10, 0.85, Medium); again.UnitsPerKVB != raw.UnitsPerKVB || len(m.e.txs) != 0 {
		t.Error("an old block counted")
	}
}

func TestFile(t *testing.T) {
	m, fsys, now := newMarket(), vfs.NewMem(), time.Unix(1_700_000_000, 0)
	for range 100 {
		m.step()
	}
	if err := m.e.Save(fsys, "", "fees", now); err != nil {
		t.Fatal(err)
	}
	other := New()
	if err := other.Load(fsys, "", "fees", now.Add(MaxAge), false); err != nil {
		t.Fatal(err)
	}
	for _, txids := range m.waiting {
		for _, txid := range txids {
			m.e.Left(txid)
		}
	}
	for target := 2; target < 50; target++ {
		a, usedA := m.e.Smart(target, true)
		b, usedB := other.Smart(target, true)
		if a != b || usedA != usedB {
			t.Errorf("target %d: %d for %d, want %d for %d", target, b, usedB, a, usedA)
		}
	}
	if err := New().Load(fsys, "", "fees", now.Add(MaxAge+1), false); !errors.Is(err, ErrStale) {
		t.Errorf("old: %v", err)
	}
	if err := New().Load(fsys, "", "fees", now.Add(MaxAge+1), true); err != nil {
		t.Error(err)
	}
	if err := New().Load(fsys, "", "none", now, false); err != nil {
		t.Error(err)
	}
}

// TestDamagedFile: another length or content is refused, also where the
// checksum fits.
func TestDamagedFile(t *testing.T) {
	m, fsys, now := newMarket(), vfs.NewMem(), time.Unix(1_700_000_000, 0)
	m.step()
	whole := files.Seal(heading, m.e.encode(now))
	load := func(data []byte) error {
		if err := files.Replace(fsys, "", "fees", data); err != nil {
			t.Fatal(err)
		}
		return New().Load(fsys, "", "fees", now, false)
	}
	if err := load(whole); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 9973 {
		whole[i] ^= 1
		if err := load(whole); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d: %v", i, err)
		}
		whole[i] ^= 1
	}
	body := m.e.encode(now)
	for name, data := range map[string][]byte{
		"nothing": {}, "short": whole[:len(whole)-1], "long": append(whole, 0),
		"a short record": files.Seal(heading, body[:len(body)-8]), "a record of another file": files.Seal("granary x 1\n", body),
		"a tip below zero": files.Seal(heading, append(append(body[:8:8], bytes.Repeat([]byte{255}, 8)...), body[16:]...)),
	} {
		if err := load(data); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

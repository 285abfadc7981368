package tree_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
	"granary/state/tree"
)

// naiveNode is a node of the tree by its definition: all keys, split at the
// first bit in which they differ.
type naiveNode struct {
	keys        []string
	bit         int // -1 for a leaf
	hash        chainhash.Hash
	left, right *naiveNode
}

func naiveBit(key string, n int) int { return int(key[n/8]>>(7-n%8)) & 1 }

func naiveTree(keys []string, leaves mapView) *naiveNode {
	if len(keys) == 1 {
		return &naiveNode{keys: keys, bit: -1, hash: tree.LeafHash([]byte(keys[0]), leaves[keys[0]])}
	}
	for n := 0; ; n++ {
		at := slices.IndexFunc(keys, func(k string) bool { return naiveBit(k, n) == 1 })
		if at <= 0 {
			continue
		}
		node := &naiveNode{keys: keys, bit: n, left: naiveTree(keys[:at], leaves), right: naiveTree(keys[at:], leaves)}
		node.hash = tree.NodeHash(uint16(n), node.left.hash, node.right.hash)
		return node
	}
}

// bits is the first n bits of the node's keys in whole bytes, zero padded.
func (n *naiveNode) bits(count int) []byte {
	b := make([]byte, (count+7)/8)
	for i := range count {
		b[i/8] |= byte(naiveBit(n.keys[0], i) << (7 - i%8))
	}
	return b
}

// naivePages is what is to be stored, by the description of the format: it
// knows no pages, only where each node belongs.
func naivePages(leaves mapView) mapView {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(leaves)), func(k string) bool { return state.IsNodeKey([]byte(k)) })
	stored := mapView{}
	if len(keys) == 0 {
		return stored
	}
	reference := func(b []byte, n *naiveNode, skip int) []byte {
		if n.bit < 0 {
			rest := n.keys[0][skip:]
			return append(append(append(append(b, 4), n.hash[:]...), byte(len(rest))), rest...)
		}
		b = append(append(b, 5), n.hash[:]...)
		return append(binary.BigEndian.AppendUint16(b, uint16(n.bit)), n.bits(n.bit)[skip:]...)
	}
	place := func(n *naiveNode) string {
		w := n.bit / 4
		return "\x00" + string(n.bits(4*w)) + string([]byte{byte(w % 2)})
	}
	var walk func(n *naiveNode, page string)
	walk = func(n *naiveNode, page string) {
		if n.bit < 0 {
			return
		}
		for _, child := range []*naiveNode{n, n.left, n.right} {
			switch {
			case child == n:
				stored[page] = append(stored[page], byte(n.bit%4))
			case child.bit >= 0 && place(child) == page:
				walk(child, page)
			default:
				stored[page] = reference(stored[page], child, n.bit/4*4/8)
			}
		}
		for _, child := range []*naiveNode{n.left, n.right} {
			if child.bit >= 0 && place(child) != page {
				walk(child, place(child))
			}
		}
	}
	top := naiveTree(keys, leaves)
	stored["\x00"] = reference(nil, top, 0)
	if top.bit >= 0 {
		walk(top, place(top))
	}
	return stored
}

// warmView is a state that is told what will be asked for, and holds the tree
// to it.
type warmView struct {
	mapView
	told map[string]bool
	cold int // stored pages that were read and not announced
}

func (w *warmView) WarmGoods(keys [][]byte) {
	for _, key := range keys {
		w.told[string(key)] = true
	}
}

func (w *warmView) Goods(key []byte) ([]byte, error) {
	if len(key) > 1 && state.IsNodeKey(key) && !w.told[string(key)] {
		w.cold++
	}
	return w.mapView.Goods(key)
}

// TestPages: after any history of blocks and blocks taken back, exactly the
// pages of the definition are stored, and a block that is taken back leaves
// what was before it.
func TestPages(t *testing.T) {
	cold, told := 0, 0
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 2))
		m := mapView{}
		for range 30 {
			before := maps.Clone(m)
			values := map[string][]byte{}
			for range rng.IntN(12) {
				values[pageTestKey(rng, seed)] = []byte{byte(rng.IntN(3))}
			}
			for key := range before {
				if !state.IsNodeKey([]byte(key)) && rng.IntN(6) == 0 {
					values[key] = nil
				}
			}
			back := map[string][]byte{}
			for key := range values {
				back[key] = before[key]
			}
			w := &warmView{mapView: m, told: map[string]bool{}}
			m.applyTo(t, w, values)
			cold, told = cold+w.cold, told+len(w.told)
			samePages(t, m)
			if rng.IntN(3) == 0 {
				m.apply(t, back)
				if !maps.EqualFunc(m, before, bytes.Equal) {
					t.Fatalf("seed %d: a block taken back left other bytes", seed)
				}
			}
		}
	}
	// What a removal moves together is met only when it is written.
	if told == 0 || cold*10 > told {
		t.Errorf("%d pages were announced, %d were not", told, cold)
	}
}

// pageTestKey gives keys of several shapes: dense numbers, hashes, and such
// that differ in few, late bits.
func pageTestKey(rng *rand.Rand, seed uint64) string {
	switch (rng.Uint64N(3) + seed) % 4 {
	case 0:
		return "R" + string(binary.BigEndian.AppendUint64(nil, rng.Uint64N(80)))
	case 1:
		sum := chainhash.HashH([]byte{byte(rng.IntN(60))})
		return "O" + string(sum[:])
	case 2:
		return "L" + strings.Repeat("\x00", 8) + string([]byte{byte(rng.IntN(4)), byte(1 << rng.IntN(8))})
	}
	return randomKey(rng)
}

func samePages(t *testing.T, m mapView) {
	t.Helper()
	want := naivePages(m)
	n := 0
	for key, value := range m {
		if !state.IsNodeKey([]byte(key)) {
			continue
		}
		n++
		if !bytes.Equal(want[key], value) {
			t.Fatalf("page %x is %x, should be %x", key, value, want[key])
		}
	}
	if n != len(want) {
		t.Fatalf("%d pages are stored, should be %d", n, len(want))
	}
}

// TestDamagedPages: no damage to a page that a change or a proof meets goes
// through as another tree: it is an error, or the root shows it.
func TestDamagedPages(t *testing.T) {
	m := mapView{}
	values := map[string][]byte{}
	for i := range 60 {
		values["R"+string(binary.BigEndian.AppendUint64(nil, uint64(i*37)))] = []byte{byte(i)}
	}
	m.apply(t, values)
	target := []byte("R" + string(binary.BigEndian.AppendUint64(nil, 37)))
	root, found := naiveTree(slices.Sorted(maps.Keys(values)), m).hash, 0
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !state.IsNodeKey([]byte(key)) {
			continue
		}
		for i := range m[key] {
			for bit := range 8 {
				bad := maps.Clone(m)
				bad[key] = bytes.Clone(m[key])
				bad[key][i] ^= 1 << bit
				if _, err := tree.Check(bad); err == nil {
					t.Fatalf("page %x byte %d bit %d: passed the check", key, i, bit)
				}
				proof, err := tree.Prove(bad, target)
				if err != nil {
					found++
				} else if value, present, err := proof.Verify(root, target); err == nil && (!present || value[0] != 1) {
					t.Fatalf("page %x byte %d bit %d: a false proof", key, i, bit)
				}
				_, _ = tree.Update(bad, []state.GoodsChange{{Key: target, New: []byte{9}}}) // must not panic
			}
			short := maps.Clone(m)
			short[key] = m[key][:i]
			_, _ = tree.Update(short, []state.GoodsChange{{Key: target}})
			if _, err := tree.Check(short); err == nil {
				t.Fatalf("page %x cut to %d bytes passed the check", key, i)
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d damages were met", found)
	}
}

package tree_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
	"granary/state/tree"
)

// mapView is a goods state in a map.
type mapView map[string][]byte

func (m mapView) Goods(key []byte) ([]byte, error) { return m[string(key)], nil }

func (m mapView) SetGoods(key, value []byte) error {
	if value == nil {
		delete(m, string(key))
	} else {
		m[string(key)] = value
	}
	return nil
}

func (m mapView) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if key >= string(from) && (to == nil || key < string(to)) && !f([]byte(key), m[key]) {
			return nil
		}
	}
	return nil
}

// apply sets keys and updates the tree, as rules/goods does.
func (m mapView) apply(t testing.TB, values map[string][]byte) chainhash.Hash {
	t.Helper()
	return m.applyTo(t, m, values)
}

// applyTo lets the tree see the state through rw.
func (m mapView) applyTo(t testing.TB, rw tree.ReadWriter, values map[string][]byte) chainhash.Hash {
	t.Helper()
	var changes []state.GoodsChange
	for _, key := range slices.Sorted(maps.Keys(values)) {
		changes = append(changes, state.GoodsChange{Key: []byte(key), Old: m[key], New: values[key]})
		if err := m.SetGoods([]byte(key), values[key]); err != nil {
			t.Fatal(err)
		}
	}
	root, err := tree.Update(rw, changes)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// naiveRoot is the definition of the tree, word by word.
func naiveRoot(leaves mapView) chainhash.Hash {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(leaves)), func(k string) bool { return state.IsNodeKey([]byte(k)) })
	var root func(keys []string) chainhash.Hash
	bit := func(key string, n int) int { return int(key[n/8]>>(7-n%8)) & 1 }
	root = func(keys []string) chainhash.Hash {
		switch len(keys) {
		case 0:
			return chainhash.Hash{}
		case 1:
			n := binary.LittleEndian.AppendUint16(nil, uint16(len(keys[0])))
			return *chainhash.TaggedHash([]byte("granary/leaf"), n, []byte(keys[0]), leaves[keys[0]])
		}
		for n := 0; ; n++ {
			at := slices.IndexFunc(keys, func(k string) bool { return bit(k, n) == 1 })
			if at <= 0 { // all on one side
				continue
			}
			left, right := root(keys[:at]), root(keys[at:])
			return *chainhash.TaggedHash([]byte("granary/node"), binary.LittleEndian.AppendUint16(nil, uint16(n)), left[:], right[:])
		}
	}
	return root(keys)
}

// randomKey gives prefix-free keys of two lengths that share long beginnings.
func randomKey(rng *rand.Rand) string {
	if rng.IntN(3) == 0 {
		return string([]byte{'A', byte(rng.IntN(4)), byte(rng.IntN(8))})
	}
	key := append([]byte{'O'}, make([]byte, 10)...)
	key[1+rng.IntN(2)*rng.IntN(10)] = byte(rng.IntN(3) << rng.IntN(8))
	return string(key)
}

// Random histories against the definition, the stream and the proofs.
func TestAgainstDefinition(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := mapView{}
		for step := range 25 {
			values := map[string][]byte{}
			for range rng.IntN(7) {
				values[randomKey(rng)] = []byte{byte(rng.IntN(5)), byte(step)}
			}
			for key := range m {
				if !state.IsNodeKey([]byte(key)) && rng.IntN(5) == 0 {
					values[key] = nil
				}
			}
			if rng.IntN(4) == 0 {
				values[randomKey(rng)] = nil // perhaps not there at all
			}
			root := m.apply(t, values)
			if want := naiveRoot(m); root != want {
				t.Fatalf("seed %d step %d: root %x, want %x", seed, step, root, want)
			}
			if checked, err := tree.Check(m); err != nil || checked != root {
				t.Fatalf("seed %d step %d: %x, %v", seed, step, checked, err)
			}
			checkProofs(t, rng, m, root)
		}
	}
}

func checkProofs(t *testing.T, rng *rand.Rand, m mapView, root chainhash.Hash) {
	t.Helper()
	for range 5 {
		key := []byte(randomKey(rng))
		proof, err := tree.Prove(m, key)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := tree.DecodeProof(proof.Encode())
		if err != nil || !bytes.Equal(decoded.Encode(), proof.Encode()) {
			t.Fatalf("proof does not decode: %v", err)
		}
		value, present, err := decoded.Verify(root, key)
		want, there := m[string(key)]
		if err != nil || present != there || !bytes.Equal(value, want) {
			t.Fatalf("key %x: %x %v %v, want %x %v", key, value, present, err, want, there)
		}
		other := root
		other[0] ^= 1
		if _, _, err := decoded.Verify(other, key); err == nil {
			t.Fatal("a proof holds for another root")
		}
	}
}

// Whatever the order and the detours, the same leaves give the same bytes.
func TestHistoryIndependent(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	leaves := map[string][]byte{}
	for len(leaves) < 40 {
		leaves[randomKey(rng)] = []byte{byte(rng.IntN(256))}
	}
	atOnce := mapView{}
	atOnce.apply(t, leaves)
	for range 10 {
		m := mapView{}
		for range 30 {
			m.apply(t, map[string][]byte{randomKey(rng): {1}})
		}
		keys := slices.Sorted(maps.Keys(leaves))
		rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys {
			m.apply(t, map[string][]byte{key: leaves[key]})
		}
		rest := map[string][]byte{}
		for key := range m {
			if _, keep := leaves[key]; !keep && !state.IsNodeKey([]byte(key)) {
				rest[key] = nil
			}
		}
		m.apply(t, rest)
		if !maps.EqualFunc(m, atOnce, bytes.Equal) {
			t.Fatal("another history left other bytes")
		}
	}
	gone := map[string][]byte{}
	for key := range leaves {
		gone[key] = nil
	}
	if root := atOnce.apply(t, gone); root != (chainhash.Hash{}) || len(atOnce) != 0 {
		t.Fatalf("emptied tree has root %x and %d keys", root, len(atOnce))
	}
}

// A lie in a proof is found: flipped bits, dropped and reordered steps,
// another key's proof.
func TestForgedProofs(t *testing.T) {
	m := mapView{}
	values := map[string][]byte{}
	for i := range 50 {
		values[fmt.Sprintf("K%02d", i)] = []byte{byte(i)}
	}
	root := m.apply(t, values)
	key := []byte("K17")
	proof, err := tree.Prove(m, key)
	if err != nil {
		t.Fatal(err)
	}
	encoded := proof.Encode()
	for i := range encoded {
		for bit := range 8 {
			forged := bytes.Clone(encoded)
			forged[i] ^= 1 << bit
			p, err := tree.DecodeProof(forged)
			if err != nil {
				continue
			}
			if value, present, err := p.Verify(root, key); err == nil {
				t.Fatalf("byte %d bit %d: proof still shows %x %v", i, bit, value, present)
			}
		}
	}
	for n := range encoded {
		if p, err := tree.DecodeProof(encoded[:n]); n > 0 && err == nil {
			if _, _, err := p.Verify(root, key); err == nil {
				t.Fatalf("%d bytes of the proof are enough", n)
			}
		}
	}
	// The proof of a neighbour must not show that the key is absent.
	for i := range 50 {
		other, err := tree.Prove(m, []byte(fmt.Sprintf("K%02d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if _, present, err := other.Verify(root, key); err == nil && !present {
			t.Fatalf("the proof of K%02d shows that %s is absent", i, key)
		}
	}
	if _, _, err := (&tree.Proof{}).Verify(root, key); err == nil {
		t.Fatal("the empty proof shows absence in a tree that is not empty")
	}
}

// Damage in the stored nodes is reported, by the walk and by the check.
func TestDamageIsFound(t *testing.T) {
	m := mapView{}
	values := map[string][]byte{}
	for i := range 20 {
		values[fmt.Sprintf("K%02d", i)] = []byte{byte(i)}
	}
	m.apply(t, values)
	for key := range maps.Clone(m) {
		good := m[key]
		for _, bad := range [][]byte{nil, good[:len(good)-1], append([]byte{good[0] ^ 1}, good[1:]...)} {
			if err := m.SetGoods([]byte(key), bad); err != nil {
				t.Fatal(err)
			}
			if _, err := tree.Check(m); err == nil {
				t.Fatalf("key %x as %x passed the check", key, bad)
			}
		}
		m[key] = good
	}
	m["\x00\x4b\xff\x00"] = []byte{1}
	if _, err := tree.Check(m); err == nil {
		t.Fatal("a node left over passed the check")
	}
}

func TestBuilderRefusesDisorder(t *testing.T) {
	for _, keys := range [][]string{{"B", "A"}, {"A", "A"}, {"A", "AB"}, {"AB", "A"}, {""}} {
		var b tree.Builder
		var err error
		for _, key := range keys {
			if err == nil {
				err = b.Add([]byte(key), nil)
			}
		}
		if err == nil {
			t.Errorf("keys %q were accepted", keys)
		}
	}
}

func FuzzDecodeProof(f *testing.F) {
	m := mapView{}
	values := map[string][]byte{"A": {1}, "B": {2}, "C": {3}}
	m.apply(f, values)
	p, _ := tree.Prove(m, []byte("B"))
	f.Add(p.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := tree.DecodeProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), b) {
			t.Fatal("a proof has two encodings")
		}
		_, _, _ = p.Verify(chainhash.Hash{}, []byte("B"))
	})
}

// One change in a state of n seats-like keys: the work must follow the depth.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := mapView{}
			values := map[string][]byte{}
			for i := range n {
				sum := chainhash.HashH(binary.BigEndian.AppendUint32(nil, uint32(i)))
				values["O"+string(sum[:])] = []byte{1}
			}
			m.apply(b, values)
			keys := slices.Sorted(maps.Keys(values))
			b.ResetTimer()
			for i := range b.N {
				key := []byte(keys[i*7919%n])
				if _, err := tree.Update(m, []state.GoodsChange{{Key: key, New: binary.BigEndian.AppendUint64(nil, uint64(i))}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package hash

import (
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

func leavesOf(n int) []chainhash.Hash {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	leaves := make([]chainhash.Hash, n)
	for i := range leaves {
		for j := range leaves[i] {
			leaves[i][j] = byte(r.Uint32())
		}
	}
	return leaves
}

// slowRoot is the definition of the tree, without cleverness.
func slowRoot(leaves []chainhash.Hash) chainhash.Hash {
	if len(leaves) == 0 {
		return chainhash.Hash{}
	}
	for len(leaves) > 1 {
		if len(leaves)%2 == 1 {
			leaves = append(leaves[:len(leaves):len(leaves)], leaves[len(leaves)-1])
		}
		var next []chainhash.Hash
		for i := 0; i < len(leaves); i += 2 {
			joined := append(append([]byte{}, leaves[i][:]...), leaves[i+1][:]...)
			next = append(next, chainhash.DoubleHashH(joined))
		}
		leaves = next
	}
	return leaves[0]
}

func TestDoubleAgainstChainhash(t *testing.T) {
	message := make([]byte, 300)
	for i := range message {
		message[i] = byte(i * 7)
	}
	var stream Stream
	for n := range message {
		want := chainhash.DoubleHashH(message[:n])
		if Double(message[:n]) != want {
			t.Fatalf("Double of %d bytes", n)
		}
		if stream.Double(message[:n/3], nil, message[n/3:n/2], message[n/2:n]) != want {
			t.Fatalf("Stream of %d bytes", n)
		}
	}
}

func TestMerkleRootAndBranches(t *testing.T) {
	for n := range 40 {
		leaves := leavesOf(n)
		before := append([]chainhash.Hash{}, leaves...)
		root, mutated := MerkleRoot(leaves)
		if root != slowRoot(leaves) || mutated {
			t.Fatalf("%d leaves: root %v, mutated %v", n, root, mutated)
		}
		for i := range leaves {
			branch := MerkleBranch(leaves, i)
			if !VerifyBranch(leaves[i], branch, uint64(i), root) {
				t.Fatalf("%d leaves: branch of %d does not prove it", n, i)
			}
			if VerifyBranch(leaves[i], branch, uint64(i)+uint64(1)<<len(branch), root) {
				t.Fatalf("%d leaves: index beyond the tree accepted", n)
			}
			if n > 1 && VerifyBranch(leaves[(i+1)%n], branch, uint64(i), root) {
				t.Fatalf("%d leaves: branch of %d proves another leaf", n, i)
			}
		}
		for i := range leaves {
			if leaves[i] != before[i] {
				t.Fatal("leaves were modified")
			}
		}
	}
	if MerkleBranch(leavesOf(3), 3) != nil || MerkleBranch(leavesOf(3), -1) != nil {
		t.Error("branch of a leaf that is not there")
	}
}

// Every way to repeat a tail so that the root stays the same is reported
// (CVE-2012-2459), at each level of the tree.
func TestMerkleMutationCVE2012_2459(t *testing.T) {
	for n := 1; n < 40; n++ {
		leaves := leavesOf(n)
		root, _ := MerkleRoot(leaves)
		for tail := 1; tail <= n; tail++ {
			longer := append(append([]chainhash.Hash{}, leaves...), leaves[n-tail:]...)
			again, mutated := MerkleRoot(longer)
			if again == root && !mutated {
				t.Fatalf("%d leaves and the last %d again: same root, not reported", n, tail)
			}
		}
	}
	equal := leavesOf(4)
	equal[1] = equal[0]
	if _, mutated := MerkleRoot(equal); !mutated {
		t.Error("equal siblings not reported")
	}
}

func BenchmarkMerkleRoot(b *testing.B) {
	leaves := leavesOf(1500)
	for b.Loop() {
		MerkleRoot(leaves)
	}
}

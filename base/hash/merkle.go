package hash

import "github.com/btcsuite/btcd/chainhash/v2"

// MerkleRoot gives the root of Bitcoin's Merkle tree over leaves, the zero
// hash for none. mutated reports that two nodes that are hashed together are
// equal: another list of leaves (with a tail repeated or dropped) has the
// same root, so that the root alone does not tell which list was meant
// (CVE-2012-2459). leaves is not modified.
func MerkleRoot(leaves []chainhash.Hash) (root chainhash.Hash, mutated bool) {
	if len(leaves) == 0 {
		return chainhash.Hash{}, false
	}
	level := leaves
	var scratch []chainhash.Hash
	if len(leaves) > 1 {
		scratch = make([]chainhash.Hash, (len(leaves)+1)/2)
	}
	for len(level) > 1 {
		if hasEqualPair(level) {
			mutated = true
		}
		level = scratch[:reduce(scratch, level)]
	}
	return level[0], mutated
}

// hasEqualPair looks for equal siblings; the odd last node, which is paired
// with itself by rule, does not count.
func hasEqualPair(level []chainhash.Hash) bool {
	for i := 0; i+1 < len(level); i += 2 {
		if level[i] == level[i+1] {
			return true
		}
	}
	return false
}

// reduce hashes a level into the next one and gives its length. dst may share
// its start with level: node i is written after nodes 2i and 2i+1 are read.
func reduce(dst, level []chainhash.Hash) int {
	n := 0
	for i := 0; i < len(level); i += 2 {
		right := min(i+1, len(level)-1)
		dst[n] = Pair(&level[i], &level[right])
		n++
	}
	return n
}

// MerkleBranch gives the siblings from leaf index up to below the root, nil
// if index is not one of the leaves. A single leaf has an empty branch.
func MerkleBranch(leaves []chainhash.Hash, index int) []chainhash.Hash {
	if index < 0 || index >= len(leaves) {
		return nil
	}
	branch := []chainhash.Hash{}
	level := leaves
	scratch := make([]chainhash.Hash, (len(leaves)+1)/2)
	for len(level) > 1 {
		branch = append(branch, level[min(index^1, len(level)-1)])
		level = scratch[:reduce(scratch, level)]
		index /= 2
	}
	return branch
}

// RootFromBranch climbs from a leaf at index along its branch and gives the
// root that it proves. index must be below 2^len(branch) for the proof to
// mean anything; the caller checks it.
func RootFromBranch(leaf chainhash.Hash, branch []chainhash.Hash, index uint64) chainhash.Hash {
	node := leaf
	for i := range branch {
		if index&1 == 0 {
			node = Pair(&node, &branch[i])
		} else {
			node = Pair(&branch[i], &node)
		}
		index >>= 1
	}
	return node
}

// VerifyBranch reports whether branch proves that leaf stands at index below
// root.
func VerifyBranch(leaf chainhash.Hash, branch []chainhash.Hash, index uint64, root chainhash.Hash) bool {
	if len(branch) > 63 || index>>uint(len(branch)) != 0 {
		return false
	}
	return RootFromBranch(leaf, branch, index) == root
}

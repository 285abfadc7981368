package rpc

import (
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"granary/base/hash"
	"granary/state"
)

// TestMerkleBlocks: whatever is proved is what comes out again, under the root
// of the whole block; a changed byte never proves another transaction.
func TestMerkleBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		txs := rapid.IntRange(1, 70).Draw(t, "txs")
		b := &state.Block{Txids: make([]chainhash.Hash, txs)}
		wanted, there := map[chainhash.Hash]bool{}, map[chainhash.Hash]bool{}
		var order []chainhash.Hash
		b.Msg = &wire.MsgBlock{}
		for i := range b.Txids {
			binary.LittleEndian.PutUint64(b.Txids[i][:], uint64(i)+1)
			there[b.Txids[i]] = true
			if rapid.Bool().Draw(t, "match") {
				wanted[b.Txids[i]] = true
				order = append(order, b.Txids[i])
			}
		}
		root, _ := hash.MerkleRoot(b.Txids)
		raw := newMerkleBlock(b, func(txid *chainhash.Hash) bool { return wanted[*txid] }).encode()
		proof, err := decodeMerkleBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, matches, ok := proof.root()
		if !ok || got != root || len(matches) != len(order) {
			t.Fatalf("root %v of %v, ok %v, %d of %d matches", got, root, ok, len(matches), len(order))
		}
		for i := range order {
			if matches[i] != order[i] {
				t.Fatalf("match %d is %v, want %v", i, matches[i], order[i])
			}
		}
		at := rapid.IntRange(80, len(raw)-1).Draw(t, "byte")
		raw[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		proof, err = decodeMerkleBlock(raw)
		if err != nil {
			return
		}
		if got, matches, ok := proof.root(); ok && got == root {
			for _, match := range matches {
				if !there[match] && int(proof.txs) == txs {
					t.Fatalf("a changed byte %d proves %v", at, match)
				}
			}
		}
	})
}

package script

import (
	"crypto/sha256"
	"hash"

	//lint:ignore SA1019 Bitcoin's key and script hashes are RIPEMD-160
	"golang.org/x/crypto/ripemd160"
)

// hash160 is RIPEMD-160 of SHA-256, with memory to reuse. The zero value is
// ready; it is not safe for concurrent use.
type hash160 struct {
	ripemd hash.Hash
	once   [32]byte // here and not on the stack, which would escape
	buf    [20]byte
}

func (h *hash160) sum(data []byte) [20]byte {
	if h.ripemd == nil {
		h.ripemd = ripemd160.New()
	}
	h.once = sha256.Sum256(data)
	h.ripemd.Reset()
	h.ripemd.Write(h.once[:])
	return [20]byte(h.ripemd.Sum(h.buf[:0]))
}

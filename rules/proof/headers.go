package proof

import (
	"bufio"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
)

// A header file: prefix, charter id, u32 count, and the 80 bytes of each
// header from block 1 on.

// AppendHeadersStart writes the beginning of a header file, for count headers.
func AppendHeadersStart(b []byte, id params.CharterID, count uint32) []byte {
	b = append(appendPrefix(b, KindHeaders), id[:]...)
	return binary.LittleEndian.AppendUint32(b, count)
}

// AppendHeader writes the next header.
func AppendHeader(b []byte, h *wire.BlockHeader) []byte { return appendHeader(b, h) }

// ReadHeaders reads a header file of the chain with the charter id and calls f
// with the header of each height from 1 on. It gives the number of headers. An
// error of f ends it and is returned as it is.
func ReadHeaders(from *bufio.Reader, id params.CharterID, f func(height int32, h *wire.BlockHeader) error) (int32, error) {
	r := &reader{r: from}
	r.prefix(KindHeaders)
	if got := params.CharterID(r.hash()); r.err == nil && got != id {
		return 0, fmt.Errorf("the headers belong to the chain of charter %v, the proof to that of %v", got, id)
	}
	count := r.u32()
	if count > 1<<31-2 {
		r.fail("the file claims %d headers, more than heights there are", count)
	}
	for i := range count {
		h := r.header()
		if r.err != nil {
			return 0, r.err
		}
		if err := f(int32(i)+1, &h); err != nil {
			return 0, err
		}
	}
	return int32(count), r.end()
}

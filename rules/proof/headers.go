package proof

import (
	"bufio"
	"encoding/binary"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
)

// Headers is a header file that is being read: prefix, u32 length and
// canonical charter, u32 count, and the 80 bytes of each header from block 1
// on.
type Headers struct {
	Charter *params.Charter
	Count   int32
	r       *reader
}

// AppendHeadersStart writes the beginning of a header file, for count headers.
func AppendHeadersStart(b []byte, charter *params.Charter, count uint32) []byte {
	b = appendCharter(appendPrefix(b, KindHeaders), charter)
	return binary.LittleEndian.AppendUint32(b, count)
}

// AppendHeader writes the next header.
func AppendHeader(b []byte, h *wire.BlockHeader) []byte { return appendHeader(b, h) }

// OpenHeaders reads the beginning of a header file; Each reads the rest.
func OpenHeaders(from *bufio.Reader) (*Headers, error) {
	r := &reader{r: from}
	r.prefix(KindHeaders)
	charter := r.charter()
	count := r.u32()
	if count > 1<<31-2 {
		r.fail("the file claims %d headers, more than heights there are", count)
	}
	if r.err != nil {
		return nil, r.err
	}
	return &Headers{charter, int32(count), r}, nil
}

// Each calls f with the header of each height from 1 on, once, and reads the
// file to its end. An error of f ends it and is returned as it is.
func (h *Headers) Each(f func(height int32, header *wire.BlockHeader) error) error {
	for height := int32(1); height <= h.Count; height++ {
		header := h.r.header()
		if h.r.err != nil {
			return h.r.err
		}
		if err := f(height, &header); err != nil {
			return err
		}
	}
	return h.r.end()
}

package filter

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/kv"
)

// blockKey is a block: height big-endian, then hash, so that a range of
// heights is one stretch.
type blockKey struct {
	height int32
	hash   chainhash.Hash
}

func appendKey(dst []byte, k blockKey) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(k.height)), k.hash[:]...)
}

func parseKey(raw []byte) (k blockKey, err error) {
	if len(raw) != 4+len(k.hash) {
		return k, fmt.Errorf("a filter index key of %d bytes: delete the index to build it anew", len(raw))
	}
	k.height = int32(binary.BigEndian.Uint32(raw))
	copy(k.hash[:], raw[4:])
	return k, nil
}

// Head is what a block's filter is known by.
type Head struct {
	Filter chainhash.Hash // of the filter
	Header chainhash.Hash // of the filter and all before it
}

// headTable: block → filter hash, filter header.
var headTable = kv.Table[blockKey, Head]{
	Prefix: 1, AppendKey: appendKey, ParseKey: parseKey,
	AppendValue: func(dst []byte, h Head) []byte { return append(append(dst, h.Filter[:]...), h.Header[:]...) },
	ParseValue: func(raw []byte) (h Head, err error) {
		if len(raw) != len(h.Filter)+len(h.Header) {
			return h, fmt.Errorf("a filter index row of %d bytes: delete the index to build it anew", len(raw))
		}
		copy(h.Filter[:], raw)
		copy(h.Header[:], raw[len(h.Filter):])
		return h, nil
	},
}

// filterTable: block → filter.
var filterTable = kv.Table[blockKey, []byte]{
	Prefix: 2, AppendKey: appendKey, ParseKey: parseKey,
	AppendValue: func(dst, filter []byte) []byte { return append(dst, filter...) },
	ParseValue:  func(raw []byte) ([]byte, error) { return append([]byte{}, raw...), nil },
}

// tipTable has one row: the block up to which the rows go.
var tipTable = kv.Table[struct{}, blockKey]{
	Prefix:      3,
	AppendKey:   func(dst []byte, _ struct{}) []byte { return dst },
	ParseKey:    func([]byte) (struct{}, error) { return struct{}{}, nil },
	AppendValue: appendKey,
	ParseValue:  parseKey,
}

package tx

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/kv"
	"granary/index"
)

// place is the row of one transaction.
type place struct {
	height        int32
	offset, bytes uint32
}

// placeTable: txid → height, offset, bytes, each four bytes big-endian.
var placeTable = kv.Table[chainhash.Hash, place]{
	Prefix:    1,
	AppendKey: func(dst []byte, txid chainhash.Hash) []byte { return append(dst, txid[:]...) },
	ParseKey: func(raw []byte) (txid chainhash.Hash, err error) {
		if len(raw) != len(txid) {
			return txid, fmt.Errorf("a transaction index key of %d bytes", len(raw))
		}
		copy(txid[:], raw)
		return txid, nil
	},
	AppendValue: func(dst []byte, p place) []byte {
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.height))
		dst = binary.BigEndian.AppendUint32(dst, p.offset)
		return binary.BigEndian.AppendUint32(dst, p.bytes)
	},
	ParseValue: func(raw []byte) (p place, err error) {
		if len(raw) != 12 {
			return p, fmt.Errorf("a transaction index row of %d bytes: delete the index to build it anew", len(raw))
		}
		p.height = int32(binary.BigEndian.Uint32(raw))
		p.offset = binary.BigEndian.Uint32(raw[4:])
		p.bytes = binary.BigEndian.Uint32(raw[8:])
		return p, nil
	},
}

// tipTable has one row: hash, height.
var tipTable = kv.Table[struct{}, index.Tip]{
	Prefix:    2,
	AppendKey: func(dst []byte, _ struct{}) []byte { return dst },
	ParseKey:  func([]byte) (struct{}, error) { return struct{}{}, nil },
	AppendValue: func(dst []byte, t index.Tip) []byte {
		return binary.BigEndian.AppendUint32(append(dst, t.Hash[:]...), uint32(t.Height))
	},
	ParseValue: func(raw []byte) (t index.Tip, err error) {
		if len(raw) != len(t.Hash)+4 {
			return t, fmt.Errorf("a transaction index tip of %d bytes: delete the index to build it anew", len(raw))
		}
		copy(t.Hash[:], raw)
		t.Height = int32(binary.BigEndian.Uint32(raw[len(t.Hash):]))
		return t, nil
	},
}

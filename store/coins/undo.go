package coins

import (
	"granary/state"
)

// AppendUndo appends Bitcoin Core's CBlockUndo: for every transaction but the
// coinbase the coins that its inputs spent.
func AppendUndo(dst []byte, spent [][]*state.Coin) []byte {
	dst = state.AppendCompactSize(dst, uint64(len(spent)))
	for _, inputs := range spent {
		dst = state.AppendCompactSize(dst, uint64(len(inputs)))
		for _, c := range inputs {
			code := heightCode(c)
			dst = appendVarint(dst, code)
			if code>>1 != 0 {
				dst = append(dst, 0) // once the transaction's version
			}
			dst = appendOutput(dst, c)
		}
	}
	return dst
}

// DecodeUndo is the inverse of AppendUndo; rest is what follows the record.
// The coins own their memory.
func DecodeUndo(raw []byte) (spent [][]*state.Coin, rest []byte, err error) {
	r := reader{raw: raw}
	// A transaction takes a byte at least, a coin three: no count can make
	// more memory than the record has bytes.
	txs := r.count(1)
	spent = make([][]*state.Coin, txs)
	for i := range spent {
		inputs := make([]*state.Coin, r.count(3))
		for j := range inputs {
			inputs[j] = r.coin(true)
		}
		spent[i] = inputs
		if r.err != nil {
			return nil, nil, r.err
		}
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	return spent, r.raw, nil
}

// count reads how many items of at least itemBytes follow.
func (r *reader) count(itemBytes int) int {
	n, size, ok := CompactSize(r.raw)
	if !ok {
		r.fail(errShort)
		return 0
	}
	r.raw = r.raw[size:]
	if n > uint64(len(r.raw)/itemBytes) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

// CompactSize reads a length prefix of size bytes; ok is false where raw ends
// early or the number has a shorter form.
func CompactSize(raw []byte) (n uint64, size int, ok bool) {
	if len(raw) == 0 {
		return 0, 0, false
	}
	var least uint64
	switch raw[0] {
	default:
		return uint64(raw[0]), 1, true
	case 0xfd:
		size, least = 3, 0xfd
	case 0xfe:
		size, least = 5, 1<<16
	case 0xff:
		size, least = 9, 1<<32
	}
	if len(raw) < size {
		return 0, 0, false
	}
	for i := size - 1; i > 0; i-- {
		n = n<<8 | uint64(raw[i])
	}
	return n, size, n >= least
}

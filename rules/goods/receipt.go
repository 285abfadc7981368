package goods

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/state"
)

const (
	receiptTag = "granary/receipt" // ids of receipts
	lotTag     = "granary/lot"     // lot commitments
)

// ReceiptID is the id of receipt index of the receive record in txid.
func ReceiptID(txid chainhash.Hash, index uint32) (id state.ObjectID) {
	sum := chainhash.TaggedHash([]byte(receiptTag), txid[:], binary.LittleEndian.AppendUint32(nil, index))
	copy(id[:], sum[:])
	return id
}

// LotCommitment names a lot: registry and serial, not the good, so that the
// same goods cannot stand behind two receipts under two names.
func LotCommitment(registry uint16, serial string) chainhash.Hash {
	return *chainhash.TaggedHash([]byte(lotTag), binary.LittleEndian.AppendUint16(nil, registry), []byte(serial))
}

// CreditUnits is what measures of a receipt may release: their value at the
// lower par of good less the receipt's haircut, floor(value x (10,000 -
// haircut) / 10,000).
func CreditUnits(receipt *state.Receipt, good *Good, measures int64) int64 {
	return mulDiv(good.LowUnits(measures), 10_000-int64(receipt.HaircutBP), 10_000)
}

// ReadReceipt gives open receipt number, nil if there is none.
func ReadReceipt(view state.GoodsView, number uint64) (*state.Receipt, error) {
	key := state.KeyReceipt(number)
	value, err := view.Goods(key)
	if err != nil {
		return nil, fmt.Errorf("read receipt %d: %w", number, err)
	}
	if value == nil {
		return nil, nil
	}
	return state.DecodeReceipt(key, value)
}

// RangeReceipts calls f for each open receipt, by number, until f returns
// false.
func RangeReceipts(view state.GoodsView, f func(r *state.Receipt) bool) error {
	var failed error
	from, to := state.ReceiptKeys()
	err := view.GoodsRange(from, to, func(key, value []byte) bool {
		r, err := state.DecodeReceipt(key, value)
		failed = err
		return err == nil && f(r)
	})
	return firstError(err, failed)
}

// findReceipt gives the receipt that a record names, if it was there below this
// block; nil otherwise.
func (g *Block) findReceipt(number uint64, id state.ObjectID) (*state.Receipt, error) {
	r, err := ReadReceipt(g.over, number)
	if err != nil || r == nil || r.ID != id || r.Opened == g.height {
		return nil, err
	}
	return r, nil
}

// receipt is findReceipt of one that must be there.
func (g *Block) receipt(number uint64, id state.ObjectID) (*state.Receipt, error) {
	r, err := g.findReceipt(number, id)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, check.Rule(CodeReceiptUnknown, "there is no receipt %d with id %x below this block", number, id[:])
	}
	return r, nil
}

// openReceipt writes a new receipt and everything that is counted of it.
func (g *Block) openReceipt(r *state.Receipt) error {
	if err := g.set(state.KeyNextReceipt(), state.EncodeNumber(r.Number+1)); err != nil {
		return err
	}
	if err := g.set(state.KeyLot(LotCommitment(r.Registry, r.Serial)), state.EncodeNumber(r.Number)); err != nil {
		return err
	}
	if err := g.changeReceipt(nil, r); err != nil {
		return err
	}
	g.events = append(g.events, ReceiptOpened{Receipt: *r})
	return nil
}

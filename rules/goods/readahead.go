package goods

import (
	"bytes"
	"slices"

	"granary/state"
	"granary/state/tree"
)

// ReadAhead asks view for what the rules are likely to ask for when they judge
// the goods records of b, the pages of the commitment tree last. It is for a
// view that is a state.GoodsWarmer and keeps what it read, on a goroutine of
// the caller's beside the rules; for any other view it does nothing. It judges
// nothing: what it misses is read when it is needed. goOn is asked now and
// then; false ends it.
func ReadAhead(view state.GoodsView, b *state.Block, goOn func() bool) {
	warmer, able := view.(state.GoodsWarmer)
	if !able {
		return
	}
	r := readAhead{view: view}
	for _, step := range []func(){func() { r.named(b) }, r.ofClaims, r.ofReceipts} {
		if !goOn() {
			return
		}
		first := len(r.keys)
		step()
		warmer.WarmGoods(r.keys[first:])
	}
	slices.SortFunc(r.keys, bytes.Compare)
	tree.ReadAhead(view, slices.CompactFunc(r.keys, bytes.Equal), goOn)
}

// readAhead gathers keys.
type readAhead struct {
	view             state.GoodsView
	keys             [][]byte
	receipts, claims []uint64
}

// named adds what transactions with a record spend, and what the records name.
func (r *readAhead) named(b *state.Block) {
	for _, tx := range b.Msg.Transactions[1:] {
		for _, out := range tx.TxOut {
			record, ok, err := DecodeRecord(out.PkScript)
			if !ok || err != nil {
				continue
			}
			r.record(record)
			for _, in := range tx.TxIn {
				r.keys = append(r.keys, state.KeyOutpoint(in.PreviousOutPoint))
			}
			break
		}
	}
	for _, number := range r.receipts {
		r.keys = append(r.keys, state.KeyReceipt(number))
	}
	for _, number := range r.claims {
		r.keys = append(r.keys, state.KeyClaim(number))
	}
}

// record notes which receipts and claims a record is about.
func (r *readAhead) record(record Record) {
	switch record := record.(type) {
	case Draw:
		r.receipts = append(r.receipts, record.Receipt)
	case Reclaim:
		r.receipts = append(r.receipts, record.Receipt)
	case Redeem:
		r.receipts = append(r.receipts, record.Receipt)
	case Audit:
		for i := range record.Audited {
			r.receipts = append(r.receipts, record.Audited[i].Receipt)
		}
	case Tender:
		for i := range record.Claims {
			r.claims = append(r.claims, record.Claims[i].Number)
		}
	case DeliverAttested:
		for i := range record.Deliveries {
			r.claims = append(r.claims, record.Deliveries[i].Number)
		}
	case Deliver:
		r.claims = append(r.claims, record.Number)
	case Lapse:
		r.claims = append(r.claims, record.Number)
	case Assign:
		r.claims = append(r.claims, record.Number)
	case Settle:
		r.claims = append(r.claims, record.Number)
	}
}

// ofClaims adds the receipts of the claims, and what else ends with them.
func (r *readAhead) ofClaims() {
	for _, number := range r.claims {
		claim, err := ReadClaim(r.view, number)
		if err != nil || claim == nil {
			continue
		}
		r.receipts = append(r.receipts, claim.Receipt)
		r.keys = append(r.keys, state.KeyReceipt(claim.Receipt), state.KeyOutpoint(claim.Escrow),
			state.KeyUntendered(claim.Custodian, claim.Deadline))
	}
}

// ofReceipts adds where the receipts are counted.
func (r *readAhead) ofReceipts() {
	for _, number := range r.receipts {
		receipt, err := ReadReceipt(r.view, number)
		if err != nil || receipt == nil {
			continue
		}
		r.keys = append(r.keys, state.KeyFresh(receipt.ValidUntil, receipt.Custodian, receipt.Good),
			state.KeyHolding(receipt.Custodian, receipt.Good))
	}
}

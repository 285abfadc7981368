package web

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
	"granary/state"
)

// facts are the goods that a block touched, by what its records call them. A
// nil *facts knows nothing.
type facts struct {
	seats    map[wire.OutPoint]*state.Seat // by the output that carries them after the block
	left     map[wire.OutPoint]*state.Seat // by the output that carried them before
	receipts map[uint64]*state.Receipt
	opened   map[state.ObjectID]*state.Receipt
	claims   map[uint64]*state.Claim
	claimed  map[state.ObjectID]*state.Claim
	// announced are the changes that wait after the block, by transaction.
	announced map[chainhash.Hash]*state.Pending
}

// factsOf reads the goods changes of a block.
func factsOf(undo *state.Undo) *facts {
	f := newFacts()
	for i := range undo.Goods {
		f.add(&undo.Goods[i])
	}
	return f
}

func newFacts() *facts {
	return &facts{
		seats: map[wire.OutPoint]*state.Seat{}, left: map[wire.OutPoint]*state.Seat{},
		receipts: map[uint64]*state.Receipt{}, opened: map[state.ObjectID]*state.Receipt{},
		claims: map[uint64]*state.Claim{}, claimed: map[state.ObjectID]*state.Claim{}, announced: map[chainhash.Hash]*state.Pending{},
	}
}

// First bytes of the keys that facts reads.
var (
	receiptKind = firstByte(state.ReceiptKeys())
	claimKind   = firstByte(state.ClaimKeys())
	seatKind    = firstByte(state.SeatKeys())
	pendingKind = state.KeyPending(0)[0]
)

func firstByte(from, _ []byte) byte { return from[0] }

// add takes up one change; what is of no use here, or damaged, is passed over.
func (f *facts) add(c *state.GoodsChange) {
	value := c.New
	if value == nil {
		value = c.Old
	}
	switch c.Key[0] {
	case seatKind:
		if seat, err := state.DecodeSeat(c.Key, c.New); err == nil {
			f.seats[seat.Out] = seat
		}
		if c.Old == nil {
			return
		}
		if seat, err := state.DecodeSeat(c.Key, c.Old); err == nil {
			f.left[seat.Out] = seat
		}
	case receiptKind:
		if r, err := state.DecodeReceipt(c.Key, value); err == nil {
			f.receipts[r.Number] = r
			if c.Old == nil {
				f.opened[r.ID] = r
			}
		}
	case claimKind:
		if claim, err := state.DecodeClaim(c.Key, value); err == nil {
			f.claims[claim.Number] = claim
			if c.Old == nil {
				f.claimed[claim.ID] = claim
			}
		}
	case pendingKind:
		if p, err := state.DecodePending(c.New); err == nil {
			f.announced[p.Txid] = p
		}
	}
}

// actor gives the seat that a transaction moved to its output 0.
func (f *facts) actor(txid chainhash.Hash) *state.Seat {
	if f == nil {
		return nil
	}
	return f.seats[wire.OutPoint{Hash: txid}]
}

func (f *facts) receipt(number uint64) *state.Receipt {
	if f == nil {
		return nil
	}
	return f.receipts[number]
}

func (f *facts) claim(number uint64) *state.Claim {
	if f == nil {
		return nil
	}
	return f.claims[number]
}

// openedBy gives the receipt that opening i of a transaction became.
func (f *facts) openedBy(txid chainhash.Hash, i int) *state.Receipt {
	if f == nil {
		return nil
	}
	return f.opened[goods.ReceiptID(txid, uint32(i))]
}

// claimedBy gives the claim that a transaction opened.
func (f *facts) claimedBy(txid chainhash.Hash) *state.Claim {
	if f == nil {
		return nil
	}
	return f.claimed[goods.ClaimID(txid)]
}

// factsOfWaiting reads what the record of a transaction that waits is about
// from the state as it stands.
func (s *Server) factsOfWaiting(record goods.Record) (*facts, error) {
	f := newFacts()
	err := s.options.Chain.View(func(_ *state.Header, view state.View) error {
		receipts, claims := named(record)
		for _, number := range claims {
			claim, err := goods.ReadClaim(view, number)
			if err != nil {
				return err
			}
			if claim != nil {
				f.claims[number] = claim
				receipts = append(receipts, claim.Receipt)
			}
		}
		for _, number := range receipts {
			r, err := goods.ReadReceipt(view, number)
			if err != nil {
				return err
			}
			if r != nil {
				f.receipts[number] = r
			}
		}
		return nil
	})
	return f, err
}

// named gives the receipts and claims that a record names.
func named(record goods.Record) (receipts, claims []uint64) {
	switch r := record.(type) {
	case goods.Draw:
		return []uint64{r.Receipt}, nil
	case goods.Reclaim:
		return []uint64{r.Receipt}, nil
	case goods.Redeem:
		return []uint64{r.Receipt}, nil
	case goods.Audit:
		for i := range r.Audited {
			receipts = append(receipts, r.Audited[i].Receipt)
		}
	case goods.Tender:
		for _, c := range r.Claims {
			claims = append(claims, c.Number)
		}
	case goods.Deliver:
		return nil, []uint64{r.Number}
	case goods.DeliverAttested:
		for i := range r.Deliveries {
			claims = append(claims, r.Deliveries[i].Number)
		}
	case goods.Lapse:
		return nil, []uint64{r.Number}
	case goods.Settle:
		return nil, []uint64{r.Number}
	case goods.Assign:
		return nil, []uint64{r.Number}
	}
	return receipts, claims
}

// waitingWords says the record of a transaction that waits.
func (s *Server) waitingWords(tx *state.Tx) (*wordsView, error) {
	if s.options.Charter == nil || len(tx.Msg.TxOut) == 0 {
		return nil, nil
	}
	record, ok, err := goods.DecodeRecord(tx.Msg.TxOut[len(tx.Msg.TxOut)-1].PkScript)
	if err != nil || !ok {
		return nil, nil //nolint:nilerr // a record that nobody can read is none
	}
	f, err := s.factsOfWaiting(record)
	if err != nil {
		return nil, err
	}
	return s.recordWords(tx.Txid, tx.Msg, f), nil
}

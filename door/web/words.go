package web

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
	"granary/state"
)

// wordsView is a goods record in words.
type wordsView struct {
	Title string   // "Rotation"
	Short string   // for lists
	Lines []string // whole sentences
	// Attested marks what auditors say, and the chain only that they say it.
	Attested bool
}

// recordWords says what the record of a transaction does, nil where it has
// none. undo is of the block that holds the transaction, nil for one that
// waits: the goods changes in it tell which seat moved.
func (s *Server) recordWords(txid chainhash.Hash, tx *wire.MsgTx, undo *state.Undo) *wordsView {
	if s.options.Charter == nil || len(tx.TxOut) == 0 {
		return nil
	}
	record, ok, err := goods.DecodeRecord(tx.TxOut[len(tx.TxOut)-1].PkScript)
	if err != nil || !ok {
		return nil
	}
	who := "a seat"
	if seat := seatMovedBy(txid, undo); seat != nil {
		who = seatName(seat)
	}
	switch r := record.(type) {
	case goods.Rotate:
		return &wordsView{Title: "Rotation", Short: "rotation of " + who, Lines: []string{
			fmt.Sprintf("The seat of %s moves from input 0 to output 0: whoever can spend that output holds the office now.", who),
			"Nothing else changes: this is how a key is replaced while the office lies idle.",
		}}
	case goods.Attest:
		return &wordsView{Title: "Attestation", Short: "attestation by " + who, Attested: true, Lines: []string{
			fmt.Sprintf("%s vouches for %s. The chain proves who said so and when; that it is true is the auditor's word.", who, proposals(len(r.Proposals))),
		}}
	case goods.Receive:
		words := &wordsView{Title: "Goods received", Short: "goods received by " + who, Attested: true}
		for i := range r.Openings {
			words.Lines = append(words.Lines, s.openingWords(who, &r.Openings[i]))
		}
		words.Lines = append(words.Lines, "A quorum of auditors attested this before. No coin has moved yet: a draw carries them out.")
		return words
	case goods.Draw:
		return &wordsView{Title: "Draw", Short: fmt.Sprintf("draw on receipt %d", r.Receipt), Lines: []string{
			fmt.Sprintf("Coins leave the pool for the script of receipt %d, the credit of %d measures of its goods that back them from now on.", r.Receipt, r.Quantity),
			"Nobody signs a draw: the rules alone open the pool, and the miner's share is the fee.",
		}}
	}
	name := record.Type().String()
	return &wordsView{Title: name, Short: name + " of " + who}
}

func proposals(n int) string {
	if n == 1 {
		return "one proposal"
	}
	return fmt.Sprintf("%d proposals", n)
}

// openingWords tells one receipt that a custodian opens.
func (s *Server) openingWords(who string, o *goods.Opening) string {
	good, measure := fmt.Sprintf("good %d", o.Good), "measures"
	if all := s.options.Charter.Goods; int(o.Good) < len(all) {
		good, measure = all[o.Good].Name, all[o.Good].Measure
	}
	return fmt.Sprintf("%s opens a receipt for %d %s of %s, lot %s of registry %d.", who, o.Quantity, measure, good, o.Serial, o.Registry)
}

func seatName(seat *state.Seat) string {
	if seat.Name == "" {
		return seat.ID()
	}
	return fmt.Sprintf("%s (%s)", seat.Name, seat.ID())
}

// seatMovedBy finds, in a block's goods changes, the seat that went to output
// 0 of txid.
func seatMovedBy(txid chainhash.Hash, undo *state.Undo) *state.Seat {
	if undo == nil {
		return nil
	}
	for i := range undo.Goods {
		change := &undo.Goods[i]
		if change.New == nil || len(change.Key) != 4 {
			continue
		}
		seat, err := state.DecodeSeat(change.Key, change.New)
		if err == nil && seat.Out == (wire.OutPoint{Hash: txid}) {
			return seat
		}
	}
	return nil
}

// nameSeats marks the ends of a transaction that carry a seat.
func (s *Server) nameSeats(view *txView, undo *state.Undo) {
	for i := range undo.Goods {
		change := &undo.Goods[i]
		if len(change.Key) != 4 {
			continue
		}
		if seat, err := state.DecodeSeat(change.Key, change.New); change.New != nil && err == nil && seat.Out.Hash.String() == view.Txid {
			if at := int(seat.Out.Index); at < len(view.Outputs) {
				view.Outputs[at].Seat = "Seat of " + seatName(seat)
			}
		}
		if change.Old == nil {
			continue
		}
		if seat, err := state.DecodeSeat(change.Key, change.Old); err == nil {
			for j := range view.Inputs {
				if in := &view.Inputs[j]; in.Txid == seat.Out.Hash.String() && in.Index == seat.Out.Index {
					in.Seat = "Seat of " + seatName(seat)
				}
			}
		}
	}
}

// dataRole says what an unspendable output carries.
func (s *Server) dataRole(script []byte) (role, note string) {
	if s.options.Charter != nil {
		if record, ok, err := goods.DecodeRecord(script); err == nil && ok {
			return "Goods record", "It says: " + record.Type().String() + "."
		}
	}
	if len(script) == 38 && string(script[:6]) == "\x6a\x24GrCo" {
		return "Goods commitment", "The root of the whole goods state after the block before."
	}
	return "Data", "Carries bytes, never coins."
}

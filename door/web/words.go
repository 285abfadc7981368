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
	Links []link   // to what it is about
	// Attested marks what auditors say, and the chain only that they say it.
	Attested bool
}

// say adds a sentence.
func (w *wordsView) say(format string, args ...any) {
	w.Lines = append(w.Lines, fmt.Sprintf(format, args...))
}

// lead adds a link, each once.
func (w *wordsView) lead(text, url string) {
	for _, l := range w.Links {
		if l.URL == url {
			return
		}
	}
	w.Links = append(w.Links, link{text, url})
}

func (w *wordsView) leadReceipt(n uint64) {
	w.lead(fmt.Sprintf("Receipt %d", n), fmt.Sprintf("/receipt/%d", n))
}

func (w *wordsView) leadClaim(n uint64) {
	w.lead(fmt.Sprintf("Claim %d", n), fmt.Sprintf("/claim/%d", n))
}

func (w *wordsView) leadCustodian(l *ledger, i uint16) {
	w.lead(l.custodian(i), fmt.Sprintf("/custodian/%d", i))
}

func (w *wordsView) leadAuditor(l *ledger, i uint16) {
	w.lead(l.auditor(i), fmt.Sprintf("/auditor/%d", i))
}

// speech is what it takes to say what one record does.
type speech struct {
	s    *Server
	l    *ledger
	f    *facts
	txid chainhash.Hash
	tx   *wire.MsgTx
	who  string // the seat that acts
	w    *wordsView
}

// recordWords says what the record of a transaction does, nil where it has
// none. f is of the block that holds the transaction; nil where that is not
// known.
func (s *Server) recordWords(txid chainhash.Hash, tx *wire.MsgTx, f *facts) *wordsView {
	if s.options.Charter == nil || len(tx.TxOut) == 0 {
		return nil
	}
	record, ok, err := goods.DecodeRecord(tx.TxOut[len(tx.TxOut)-1].PkScript)
	if err != nil || !ok {
		return nil
	}
	l, err := s.ledger()
	if err != nil {
		s.options.Log.Warn("names are left out of a record", "err", err)
		l = &ledger{}
	}
	sp := &speech{s: s, l: l, f: f, txid: txid, tx: tx}
	return sp.say(record)
}

// say gives a record's words.
func (sp *speech) say(record goods.Record) *wordsView {
	sp.who, sp.w = "a seat", &wordsView{}
	if seat := sp.f.actor(sp.txid); seat != nil {
		sp.who = seatName(seat)
	}
	sp.tell(record)
	return sp.w
}

// tell says one record; goods first, then claims, custody and changes.
func (sp *speech) tell(record goods.Record) {
	switch r := record.(type) {
	case goods.Rotate:
		sp.w.Title, sp.w.Short = "Rotation", "rotation of "+sp.who
		sp.w.say("The seat of %s moves from input 0 to output 0: whoever can spend that output holds the office now.", sp.who)
		sp.w.say("Nothing else changes: this is how a key is replaced while the office lies idle.")
	case goods.Attest:
		sp.attest(r)
	case goods.Receive:
		sp.receive(r)
	case goods.Draw:
		sp.draw(r)
	case goods.Reclaim:
		sp.reclaim(r)
	case goods.Redeem:
		sp.redeem(r)
	case goods.Tender, goods.Deliver, goods.DeliverAttested, goods.Lapse, goods.Settle, goods.Assign:
		sp.tellClaim(record)
	case goods.Audit, goods.Suspend, goods.Lift, goods.Bond, goods.Unbond, goods.Slash:
		sp.tellCustody(record)
	case goods.Amend:
		sp.amend(r)
	case goods.Reseat:
		sp.reseat(r)
	}
}

// maxNamed bounds what one record names one by one.
const maxNamed = 12

func (sp *speech) attest(r goods.Attest) {
	w := sp.w
	w.Title, w.Short, w.Attested = "Attestation", "attestation by "+sp.who, true
	w.say("%s vouches for %s. The chain proves who said so and when; that it is true is the auditor's word.", sp.who, proposals(len(r.Proposals)))
	for i := range r.Proposals[:min(len(r.Proposals), maxNamed)] {
		w.say("Proposal %s.", hashText(r.Proposals[i]))
	}
	if seat := sp.f.actor(sp.txid); seat != nil {
		w.leadAuditor(sp.l, seat.Index)
	}
}

func proposals(n int) string {
	if n == 1 {
		return "one proposal"
	}
	return fmt.Sprintf("%d proposals", n)
}

func (sp *speech) receive(r goods.Receive) {
	w, who := sp.w, sp.l.custodian(r.Custodian)
	w.Title, w.Attested = "Goods received", true
	w.Short = fmt.Sprintf("%s received %s", who, plural(len(r.Openings), "lot"))
	if len(r.Openings) == 1 {
		w.Short = fmt.Sprintf("%s received %s", who, sp.l.of(r.Openings[0].Good, r.Openings[0].Quantity))
	}
	for i := range r.Openings {
		o := &r.Openings[i]
		if i < maxNamed {
			w.say("%s opens a receipt for %s, lot %s of %s.", who, sp.l.of(o.Good, o.Quantity), o.Serial, sp.s.registry(o.Registry))
		}
		if opened := sp.f.openedBy(sp.txid, i); opened != nil {
			w.leadReceipt(opened.Number)
		}
	}
	if more := len(r.Openings) - maxNamed; more > 0 {
		w.say("And %s.", plural(more, "more receipt"))
	}
	w.say("A quorum of auditors attested this before, as they saw it at block %s. No coin has moved yet: a draw carries them out.", count(r.Observed.Height))
	w.leadCustodian(sp.l, r.Custodian)
}

func (s *Server) registry(i uint16) string {
	if all := s.options.Charter.Registries; int(i) < len(all) {
		return all[i]
	}
	return fmt.Sprintf("registry %d", i)
}

// goodsOf says a quantity of a receipt's good.
func (sp *speech) goodsOf(receipt uint64, quantity int64) string {
	if r := sp.f.receipt(receipt); r != nil {
		return sp.l.of(r.Good, quantity)
	}
	return plural(quantity, "measure")
}

func (sp *speech) draw(r goods.Draw) {
	w, what := sp.w, sp.goodsOf(r.Receipt, r.Quantity)
	w.Title, w.Short = "Release", fmt.Sprintf("release on receipt %d: %s", r.Receipt, what)
	if len(sp.tx.TxOut) > 1 {
		w.say("%s leave the pool for the script of receipt %d: the credit of %s, which back them from now on.", sp.s.money.text(sp.tx.TxOut[0].Value), r.Receipt, what)
	}
	w.say("Nobody signs a draw: the rules alone open the pool, and the miner's share is the fee.")
	w.leadReceipt(r.Receipt)
}

func (sp *speech) reclaim(r goods.Reclaim) {
	w, what := sp.w, sp.goodsOf(r.Receipt, r.Quantity)
	w.Title, w.Short = "Reclaim", fmt.Sprintf("reclaim of %s from receipt %d", what, r.Receipt)
	w.say("The depositor of receipt %d asks for %s back whose coins never left the pool. There is nothing to pay.", r.Receipt, what)
	sp.newClaim()
	w.leadReceipt(r.Receipt)
}

func (sp *speech) redeem(r goods.Redeem) {
	w, what := sp.w, sp.goodsOf(r.Receipt, r.Quantity)
	w.Title, w.Short = "Redemption", "redemption of "+what
	if len(sp.tx.TxOut) > 2 {
		w.say("%s go into escrow for %s of receipt %d. They come back if the goods are not delivered.", sp.s.money.text(sp.tx.TxOut[1].Value), what, r.Receipt)
	}
	sp.newClaim()
	w.leadReceipt(r.Receipt)
}

// newClaim tells of the claim that the transaction opens.
func (sp *speech) newClaim() {
	sp.w.say("Output 0 is the token: whoever holds it holds the claim.")
	if c := sp.f.claimedBy(sp.txid); c != nil {
		sp.w.say("%s has up to block %s to have the goods ready, and %s of grace.", sp.l.custodian(c.Custodian), count(c.Deadline), plural(int64(c.GraceBlocks), "block"))
		sp.w.leadClaim(c.Number)
		sp.w.leadCustodian(sp.l, c.Custodian)
	}
}

func seatName(seat *state.Seat) string {
	if seat.Name == "" {
		return seat.ID()
	}
	return fmt.Sprintf("%s (%s)", seat.Name, seat.ID())
}

// nameSeats marks the ends of a transaction that carry a seat or a claim.
func (s *Server) nameSeats(view *txView, txid chainhash.Hash, tx *wire.MsgTx, f *facts) {
	for i := range view.Outputs {
		if seat := f.seats[wire.OutPoint{Hash: txid, Index: uint32(i)}]; seat != nil {
			view.Outputs[i].Seat = "Seat of " + seatName(seat)
		}
	}
	for i := range view.Inputs {
		if seat := f.left[tx.TxIn[i].PreviousOutPoint]; seat != nil {
			view.Inputs[i].Seat = "Seat of " + seatName(seat)
		}
	}
	for _, c := range f.claims {
		for i := range view.Outputs {
			switch (wire.OutPoint{Hash: txid, Index: uint32(i)}) {
			case c.Token:
				view.Outputs[i].Seat = fmt.Sprintf("Token of claim %d", c.Number)
			case c.Escrow:
				view.Outputs[i].Role = fmt.Sprintf("Escrow of claim %d", c.Number)
				view.Outputs[i].Note = "It comes back to the holder if the goods are not delivered."
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

package goods

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"

	rules "granary/rules/goods"
	"granary/state"
)

// act is one transaction with a record that the rules have accepted.
type act struct {
	d     *derivation
	tx    *state.Tx
	spent []*state.Coin
	role  state.Role // of the seat that acts, 0 where none does
	seat  uint16
	// proposal and backers are of an attested record.
	proposal chainhash.Hash
	backers  []Backer
}

// event begins a line of this transaction.
func (a *act) event(kind Kind) Event {
	e := newEvent(kind)
	e.Txid, e.Proposal, e.Backers, e.Role = a.tx.Txid, a.proposal, a.backers, a.role
	if a.role != 0 {
		e.Seat = a.seat
	}
	if a.role == state.RoleAuditor {
		e.Auditor = a.seat
	}
	return e
}

func (a *act) custodian(kind Kind, custodian uint16) Event {
	e := a.event(kind)
	e.Custodian = custodian
	return e
}

// attested notes who acts and who stands behind the record.
func (a *act) attested(record rules.Record, role state.Role, seat uint16) (err error) {
	a.role, a.seat = role, seat
	a.proposal = rules.ProposalHash(a.d.charter, record)
	acting := uint16(None)
	if role == state.RoleAuditor {
		acting = seat
	}
	a.backers, err = a.d.backers(a.proposal, acting)
	return err
}

// record adds the lines of one record.
func (d *derivation) record(a *act, record rules.Record) error {
	switch r := record.(type) {
	case rules.Rotate:
		return a.rotate()
	case rules.Attest:
		return a.attest(r)
	case rules.Receive:
		return a.receive(r)
	case rules.Draw:
		return a.draw(r)
	case rules.Reclaim:
		return a.open(KindReclaimed, r.Receipt, r.Quantity)
	case rules.Redeem:
		return a.open(KindRedeemed, r.Receipt, r.Quantity)
	case rules.Tender:
		return a.tender(r)
	case rules.Deliver:
		return a.deliver(r.Number, chainhash.Hash{})
	case rules.DeliverAttested:
		if err := a.attested(r, state.RoleCustodian, r.Custodian); err != nil {
			return err
		}
		for i := range r.Deliveries {
			if !d.isOpen(r.Deliveries[i].ClaimRef) {
				continue
			}
			if err := a.deliver(r.Deliveries[i].Number, r.Deliveries[i].Document); err != nil {
				return err
			}
		}
		return nil
	case rules.Lapse:
		return a.lapse(r)
	case rules.Settle:
		return a.settle(r)
	case rules.Assign:
		return a.assign(r)
	}
	return a.standing(record)
}

// standing adds the lines of records about custodians and changes.
func (a *act) standing(record rules.Record) error {
	switch r := record.(type) {
	case rules.Slash:
		e := a.custodian(KindSlashed, r.Custodian)
		e.Units = a.tx.Msg.TxOut[0].Value
		a.d.add(e)
	case rules.Audit:
		return a.audit(r)
	case rules.Suspend:
		if err := a.attested(r, r.Role, r.Index); err != nil {
			return err
		}
		return a.suspend(r.Custodian)
	case rules.Lift:
		if err := a.attested(r, state.RoleAuditor, r.Auditor); err != nil {
			return err
		}
		return a.lift(r.Custodian)
	case rules.Bond:
		a.role, a.seat = state.RoleCustodian, r.Custodian
		e := a.custodian(KindBonded, r.Custodian)
		e.Units = a.tx.Msg.TxOut[1].Value
		a.d.add(e)
	case rules.Unbond:
		a.unbond(r)
	case rules.Amend:
		a.role, a.seat = state.RoleCouncil, 0
		return a.change(state.SlotAmend, !r.Withdraw)
	case rules.Reseat:
		return a.reseat(r)
	}
	return nil
}

// rotate tells of a seat that moved; which one only the outpoint says.
func (a *act) rotate() error {
	c := a.d.changed[string(state.KeyOutpoint(a.tx.Msg.TxIn[0].PreviousOutPoint))]
	meaning, err := state.DecodeMeaning(c.Old)
	if err != nil || meaning.Kind != state.MeansSeat {
		return err
	}
	a.role, a.seat = meaning.Role, meaning.Index
	e := a.event(KindRotated)
	if a.role == state.RoleCustodian {
		e.Custodian = a.seat
	}
	a.d.add(e)
	return nil
}

func (a *act) attest(r rules.Attest) error {
	for _, proposal := range r.Proposals {
		// The mark says who attested: the acting seat has no name in the record.
		auditor, given, err := a.wordOf(proposal)
		if err != nil {
			return err
		}
		a.role, a.seat = state.RoleAuditor, auditor
		e := a.event(KindAttested)
		e.Proposal, e.Until = proposal, given.Until
		a.d.add(e)
		a.d.words[word{proposal, auditor}] = given
		if err := put(a.d.rows, &wordTable, word{proposal, auditor}, given); err != nil {
			return err
		}
	}
	return nil
}

// wordOf finds whose seat the transaction spends, by its outpoint, and the
// attestation that it made.
func (a *act) wordOf(proposal chainhash.Hash) (uint16, state.Attestation, error) {
	c := a.d.changed[string(state.KeyOutpoint(a.tx.Msg.TxIn[0].PreviousOutPoint))]
	meaning, err := state.DecodeMeaning(c.Old)
	if err != nil {
		return 0, state.Attestation{}, err
	}
	given, err := state.DecodeAttestation(a.d.changed[string(state.KeyAttestation(proposal, meaning.Index))].New)
	return meaning.Index, given, err
}

func (a *act) receive(r rules.Receive) error {
	if err := a.attested(r, state.RoleCustodian, r.Custodian); err != nil {
		return err
	}
	for i := range r.Openings {
		e := a.custodian(KindOpened, r.Custodian)
		e.Receipt, e.Good, e.Quantity, e.Document = a.d.newLot, r.Openings[i].Good, r.Openings[i].Quantity, r.Openings[i].Document
		a.d.newLot++
		if err := put(a.d.rows, &whereTable, e.Receipt, place{e.Custodian, e.Good}); err != nil {
			return err
		}
		a.d.add(e)
	}
	return nil
}

// ofReceipt begins a line about a receipt.
func (a *act) ofReceipt(kind Kind, number uint64) (Event, error) {
	e := a.event(kind)
	at, _, err := get(a.d.rows, &whereTable, number)
	e.Receipt, e.Custodian, e.Good = number, at.custodian, at.good
	return e, err
}

func (a *act) draw(r rules.Draw) error {
	e, err := a.ofReceipt(KindDrawn, r.Receipt)
	if err != nil {
		return err
	}
	e.Quantity = r.Quantity
	for _, coin := range a.spent {
		e.Units += coin.ValueUnits
		e.FeeUnits += coin.ValueUnits
	}
	for _, out := range a.tx.Msg.TxOut {
		e.FeeUnits -= out.Value
		if bytes.Equal(out.PkScript, a.d.treasury) {
			e.Units -= out.Value
		}
	}
	a.d.add(e)
	return a.d.move(r.Receipt, func(at *state.Receipt) { at.Undrawn, at.Free = at.Undrawn-r.Quantity, at.Free+r.Quantity })
}

// open tells of a new claim.
func (a *act) open(kind Kind, receipt uint64, quantity int64) error {
	e, err := a.ofReceipt(kind, receipt)
	if err != nil {
		return err
	}
	e.Claim, e.Quantity = a.d.newClaim, quantity
	a.d.newClaim++
	if kind == KindRedeemed {
		e.Units = a.tx.Msg.TxOut[1].Value
	}
	a.d.add(e)
	return a.d.move(receipt, func(at *state.Receipt) {
		at.Owed += quantity
		if kind == KindRedeemed {
			at.Free -= quantity
		} else {
			at.Undrawn -= quantity
		}
	})
}

// ofClaim begins a line about a claim.
func (a *act) ofClaim(kind Kind, number uint64) (Event, *state.Claim, error) {
	c, err := a.d.claim(number)
	if err != nil {
		return Event{}, nil, err
	}
	e, err := a.ofReceipt(kind, c.Receipt)
	e.Claim, e.Quantity = number, c.Quantity
	return e, c, err
}

func (a *act) tender(r rules.Tender) error {
	if err := a.attested(r, state.RoleCustodian, r.Custodian); err != nil {
		return err
	}
	for i := range r.Claims {
		if !a.d.isOpen(r.Claims[i]) {
			continue
		}
		e, c, err := a.ofClaim(KindTendered, r.Claims[i].Number)
		if err != nil {
			return err
		}
		e.Until, e.Stated = c.Deadline, int64(c.Opened)
		c.Tendered = a.d.height
		a.d.add(e)
	}
	return nil
}

// isOpen reports whether a claim of a list is there: the rules pass over one
// that is gone. One that a list does something to is among the changed keys.
func (d *derivation) isOpen(ref rules.ClaimRef) bool {
	key := state.KeyClaim(ref.Number)
	was, err := state.DecodeClaim(key, d.changed[string(key)].Old)
	_, gone := d.ends[ref.Number]
	return err == nil && was.ID == ref.ID && !gone
}

func (a *act) deliver(claim uint64, document chainhash.Hash) error {
	e, c, err := a.ofClaim(KindDelivered, claim)
	if err != nil {
		return err
	}
	e.Units, e.Document, e.Stated = c.EscrowUnits, document, int64(c.Opened)
	a.end(e)
	return a.d.move(c.Receipt, func(at *state.Receipt) { at.Owed, at.Delivered = at.Owed-c.Quantity, at.Delivered+c.Quantity })
}

func (a *act) lapse(r rules.Lapse) error {
	e, c, err := a.ofClaim(KindLapsed, r.Number)
	if err != nil {
		return err
	}
	e.Units, e.FeeUnits = rules.LapseUnits(c)
	a.end(e)
	return a.d.move(c.Receipt, func(at *state.Receipt) {
		at.Owed -= c.Quantity
		if c.Kind == state.ClaimReclaim {
			at.Undrawn += c.Quantity
		} else {
			at.Free += c.Quantity
		}
	})
}

func (a *act) settle(r rules.Settle) error {
	e, c, err := a.ofClaim(KindSettled, r.Number)
	if err != nil {
		return err
	}
	e.Units = c.EscrowUnits
	a.end(e)
	err = a.d.move(c.Receipt, func(at *state.Receipt) {
		at.Owed -= c.Quantity
		if c.Kind == state.ClaimReclaim {
			at.Undrawn += c.Quantity
		} else {
			at.Lost += c.Quantity
		}
	})
	if err != nil {
		return err
	}
	return a.suspend(c.Custodian)
}

// end adds the last line of a claim.
func (a *act) end(e Event) {
	a.d.add(e)
	a.d.ends[e.Claim] = a.d.events[len(a.d.events)-1]
}

func (a *act) assign(r rules.Assign) error {
	e, c, err := a.ofClaim(KindAssigned, r.Number)
	if err != nil {
		return err
	}
	out := a.tx.Msg.TxOut[0]
	c.Token.Hash, c.Token.Index, c.TokenHeight, c.TokenScript = a.tx.Txid, 0, a.d.height, bytes.Clone(out.PkScript)
	a.d.add(e)
	return nil
}

func (a *act) audit(r rules.Audit) error {
	if err := a.attested(r, state.RoleAuditor, r.Auditor); err != nil {
		return err
	}
	for i := range r.Audited {
		seen := &r.Audited[i]
		at, err := a.d.seenAs(r.Observed.Height, seen)
		if err != nil {
			return err
		}
		if at == nil {
			continue
		}
		e, err := a.ofReceipt(KindAudited, seen.Receipt)
		if err != nil {
			return err
		}
		e.Stated, e.Quantity, e.Until = seen.Loss, min(seen.Loss, at.Undrawn+at.Free), r.Observed.Height
		if e.ValueUnits, err = a.d.valueUnits(e.Good, e.Quantity); err != nil {
			return err
		}
		short := seen.Loss > at.Undrawn+at.Free
		a.d.add(e)
		undrawn := min(e.Quantity, at.Undrawn)
		at.Undrawn, at.Free, at.Lost = at.Undrawn-undrawn, at.Free-(e.Quantity-undrawn), at.Lost+e.Quantity
		at.Observed = r.Observed.Height
		if !short {
			continue
		}
		if err := a.suspend(e.Custodian); err != nil {
			return err
		}
	}
	return nil
}

// seenAs gives a receipt as it runs through the block, nil where an audit that
// saw it at a height passes over it: closed, seen as late by another, or with
// more lost since.
func (d *derivation) seenAs(observed int32, seen *rules.AuditedReceipt) (*state.Receipt, error) {
	if d.changed[string(state.KeyReceipt(seen.Receipt))].Old == nil {
		return nil, nil
	}
	at, err := d.receipt(seen.Receipt)
	if err != nil || at.ID != seen.ID || at.Observed >= observed || at.Lost != seen.Lost || at.Quantity() == 0 {
		return nil, err
	}
	return at, nil
}

// suspend tells of a suspension unless the custodian was suspended already.
func (a *act) suspend(custodian uint16) error {
	s, err := a.d.stands(custodian)
	if err != nil || s.Suspended {
		return err
	}
	s.Suspended = true
	a.d.add(a.custodian(KindSuspended, custodian))
	return nil
}

func (a *act) lift(custodian uint16) error {
	s, err := a.d.stands(custodian)
	if err != nil {
		return err
	}
	s.Suspended = false
	a.d.add(a.custodian(KindLifted, custodian))
	return nil
}

func (a *act) unbond(r rules.Unbond) {
	a.role, a.seat = state.RoleCustodian, r.Custodian
	kind := map[rules.UnbondStep]Kind{
		rules.UnbondAnnounce: KindUnbondAnnounced, rules.UnbondWithdraw: KindUnbondWithdrawn, rules.UnbondCancel: KindUnbondCancelled,
	}[r.Step]
	e := a.custodian(kind, r.Custodian)
	e.Units = r.Units
	if r.Step == rules.UnbondWithdraw {
		e.Units = a.tx.Msg.TxOut[1].Value
	}
	a.d.add(e)
}

// change tells of a change that was announced or withdrawn.
func (a *act) change(slot state.Slot, announced bool) error {
	if !announced {
		e := a.event(KindChangeWithdrawn)
		e.Slot = uint16(slot)
		a.d.add(e)
		return nil
	}
	e := a.event(KindChangeAnnounced)
	e.Slot = uint16(slot)
	if now := a.d.changed[string(state.KeyPending(slot))].New; now != nil {
		pending, err := state.DecodePending(now)
		if err != nil {
			return err
		}
		if pending.Txid == a.tx.Txid {
			e.Until = pending.Effective
		}
	}
	a.d.add(e)
	return nil
}

func (a *act) reseat(r rules.Reseat) error {
	a.role, a.seat = state.RoleCouncil, 0
	if r.OfCouncil() {
		if err := a.attested(r, state.RoleAuditor, r.Auditor); err != nil {
			return err
		}
	}
	return a.change(r.Slot(), r.Announces())
}

// move changes a receipt as it runs through the block; one that the block
// leaves as it was has nothing to say.
func (d *derivation) move(number uint64, change func(r *state.Receipt)) error {
	if d.changed[string(state.KeyReceipt(number))].Key == nil {
		return nil
	}
	r, err := d.receipt(number)
	if err == nil {
		change(r)
	}
	return err
}

// stands gives a custodian's standing as it runs through the block.
func (d *derivation) stands(custodian uint16) (*state.Standing, error) {
	if s := d.standing[custodian]; s != nil {
		return s, nil
	}
	c := d.changed[string(state.KeyStanding(custodian))]
	s := &state.Standing{Suspended: true} // as it stays where the block changes nothing
	if c.Old != nil {
		var err error
		if s, err = state.DecodeStanding(c.Old); err != nil {
			return nil, err
		}
	}
	d.standing[custodian] = s
	return s, nil
}

package goods

import (
	"granary/state"
)

// chunkBits is how many receipt numbers, as a power of two, one sum covers.
const chunkBits = 10

// apply writes what a derived block means to lists and records.
func (d *derivation) apply() error {
	from, to := state.ReceiptKeys()
	if err := d.each(from, to, d.applyReceipt); err != nil {
		return err
	}
	from, to = state.ClaimKeys()
	if err := d.each(from, to, d.applyClaim); err != nil {
		return err
	}
	for i := range d.events {
		if err := d.applySeen(&d.events[i]); err != nil {
			return err
		}
		if err := d.applyCustodian(&d.events[i]); err != nil {
			return err
		}
		if err := d.applyAuditor(&d.events[i]); err != nil {
			return err
		}
	}
	return nil
}

// applyReceipt keeps the lists of receipts and their sums.
func (d *derivation) applyReceipt(c state.GoodsChange) error {
	r, err := state.DecodeReceipt(c.Key, either(c))
	if err != nil {
		return err
	}
	at := place{r.Custodian, r.Good}
	was, now := int64(0), int64(0)
	if c.Old != nil {
		was = r.Quantity()
	}
	if c.New != nil {
		after, err := state.DecodeReceipt(c.Key, c.New)
		if err != nil {
			return err
		}
		now = after.Quantity()
	}
	if was == now {
		return nil
	}
	sum, _, err := get(d.rows, &stratumTable, at)
	if err != nil {
		return err
	}
	sum.quantity += now - was
	switch {
	case c.Old == nil:
		sum.open++
	case c.New == nil:
		sum.open--
		sum.closed++
		if err := d.close(r, at); err != nil {
			return err
		}
	}
	if err := put(d.rows, &stratumTable, at, sum); err != nil {
		return err
	}
	if now > 0 {
		err = put(d.rows, &openTable, placed{at, r.Number}, now)
	} else {
		err = drop(d.rows, &openTable, placed{at, r.Number})
	}
	if err != nil {
		return err
	}
	chunk := placed{at, r.Number >> chunkBits}
	measures, _, err := get(d.rows, &chunkTable, chunk)
	if err != nil {
		return err
	}
	if measures += now - was; measures == 0 {
		return drop(d.rows, &chunkTable, chunk)
	}
	return put(d.rows, &chunkTable, chunk, measures)
}

// close keeps a receipt's last form.
func (d *derivation) close(r *state.Receipt, at place) error {
	if ran := d.receipts[r.Number]; ran != nil {
		r = ran
	}
	e := ended{kind: KindClosed, height: d.height, value: r.Encode()}
	for i := range d.events {
		if d.events[i].Kind == KindClosed && d.events[i].Receipt == r.Number {
			e.txid = d.events[i].Txid
		}
	}
	if err := put(d.rows, &closedTable, r.Number, e); err != nil {
		return err
	}
	return put(d.rows, &closedPlaceTable, placed{at, r.Number}, struct{}{})
}

// applyClaim keeps the lists of claims.
func (d *derivation) applyClaim(c state.GoodsChange) error {
	claim, err := state.DecodeClaim(c.Key, either(c))
	if err != nil {
		return err
	}
	key := owned{claim.Custodian, claim.Number}
	if c.Old == nil {
		return put(d.rows, &openClaimTable, key, struct{}{})
	}
	if c.New != nil {
		return nil
	}
	if ran := d.claims[claim.Number]; ran != nil {
		claim = ran
	}
	last := d.ends[claim.Number]
	if err := put(d.rows, &claimTable, claim.Number, ended{last.Kind, d.height, last.Txid, claim.Encode()}); err != nil {
		return err
	}
	if err := drop(d.rows, &openClaimTable, key); err != nil {
		return err
	}
	return put(d.rows, &endedClaimTable, key, struct{}{})
}

// applySeen notes where auditors spoke of a receipt.
func (d *derivation) applySeen(e *Event) error {
	if e.Kind != KindOpened && e.Kind != KindAudited {
		return nil
	}
	s, _, err := get(d.rows, &seenTable, e.Receipt)
	if err != nil {
		return err
	}
	if at := (logKey{e.Height, e.Seq}); e.Kind == KindOpened {
		s.opened = at
	} else {
		s.audited = at
	}
	return put(d.rows, &seenTable, e.Receipt, s)
}

// applyCustodian counts a line in a custodian's record.
func (d *derivation) applyCustodian(e *Event) error {
	if e.Custodian == None {
		return nil
	}
	r, _, err := get(d.rows, &custodianTable, e.Custodian)
	if err != nil {
		return err
	}
	r.count(e)
	return put(d.rows, &custodianTable, e.Custodian, r)
}

func (r *CustodianRecord) count(e *Event) {
	r.LastHeight = uint64(e.Height)
	switch e.Kind {
	case KindOpened:
		r.ReceiptsOpened++
	case KindClosed:
		r.ReceiptsClosed++
	case KindDrawn:
		r.ReleasedUnits += uint64(e.Units)
	case KindAudited:
		if e.Quantity > 0 {
			r.LossReceipts++
			r.LossUnits = addUnits(r.LossUnits, e.ValueUnits)
		}
	case KindSlashed:
		r.DebtPaidUnits = addUnits(r.DebtPaidUnits, e.Units)
	case KindDebt:
		r.DebtPeakUnits = max(r.DebtPeakUnits, uint64(e.Units))
	case KindDefaulted:
		r.Defaults++
	case KindSuspended:
		r.Suspensions++
		r.SuspendedSince = uint64(e.Height)
	case KindLifted:
		r.Lifts++
		r.SuspendedBlocksBefore += uint64(e.Height) - r.SuspendedSince
		r.SuspendedSince = 0
	default:
		r.countClaim(e)
	}
}

// countClaim counts what became of claims.
func (r *CustodianRecord) countClaim(e *Event) {
	switch e.Kind {
	case KindRedeemed:
		r.Redemptions++
		r.OpenClaims++
	case KindReclaimed:
		r.Reclaims++
		r.OpenClaims++
	case KindTendered:
		if e.Height <= e.Until {
			r.TenderedInTime++
		} else {
			r.TenderedLate++
		}
		r.Tender.add(e.Height - int32(e.Stated))
	case KindDelivered:
		if e.Role == state.RoleCustodian {
			r.Delivered++
		} else {
			r.DeliveredByToken++
		}
		r.OpenClaims--
		r.Delivery.add(e.Height - int32(e.Stated))
	case KindLapsed:
		r.Lapsed++
		r.OpenClaims--
	case KindSettled:
		r.Settled++
		r.OpenClaims--
		r.SettledUnits = addUnits(r.SettledUnits, e.Units)
	}
}

// addUnits adds up, held at 2^63-1.
func addUnits(sum uint64, units int64) uint64 { return min(sum+uint64(units), 1<<63-1) }

// applyAuditor counts a line in an auditor's record. An audit of many receipts
// is one record: it is counted with its first line.
func (d *derivation) applyAuditor(e *Event) error {
	if e.Auditor == None {
		return nil
	}
	r, _, err := get(d.rows, &auditorTable, e.Auditor)
	if err != nil {
		return err
	}
	r.LastHeight = uint64(e.Height)
	switch e.Kind {
	case KindAttested:
		r.Attestations++
	case KindAudited:
		if r.LastAudit != uint64(e.Height) { // a seat acts once in a block
			r.Audits++
			r.LastAudit = uint64(e.Height)
			if r.FirstAudit == 0 {
				r.FirstAudit = r.LastAudit
			}
		}
		r.Receipts++
		if e.Quantity > 0 {
			r.LossReceipts++
			r.LossUnits = addUnits(r.LossUnits, e.ValueUnits)
		}
	}
	return put(d.rows, &auditorTable, e.Auditor, r)
}

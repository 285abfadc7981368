package goods

import (
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/kv"
	"granary/state"
)

// Attested gives the lines in which auditors spoke of a receipt: the one that
// opened it and the last audit; nil where the index has none.
func (x *Index) Attested(receipt uint64) (opened, audited *Event, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s, _, err := get(x.rows, &seenTable, receipt)
	if err != nil {
		return nil, nil, err
	}
	if opened, err = x.line(s.opened); err != nil {
		return nil, nil, err
	}
	audited, err = x.line(s.audited)
	return opened, audited, err
}

// line reads one line of the log, nil for the zero key.
func (x *Index) line(at logKey) (*Event, error) {
	if at == (logKey{}) {
		return nil, nil
	}
	raw, err := x.rows.raw(logTable.Key(at))
	if err != nil {
		return nil, err
	}
	e, err := decodeEvent(at.height, at.seq, raw)
	return &e, err
}

// Which narrows a list. None leaves custodian or good open.
type Which struct {
	Custodian, Good uint16
	Open, Closed    bool
}

// ReceiptRef is a receipt in a list.
type ReceiptRef struct {
	Number uint64
	Open   bool
}

// Receipts gives up to count receipts with number from or above, by number, and
// whether there are more.
func (x *Index) Receipts(which Which, from uint64, count int) (refs []ReceiptRef, more bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	places, _, err := x.places(which)
	if err != nil {
		return nil, false, err
	}
	for _, at := range places {
		if which.Open {
			if err := list(x.rows, openTable.Prefix, at, from, count+1, func(n uint64) { refs = append(refs, ReceiptRef{n, true}) }); err != nil {
				return nil, false, err
			}
		}
		if which.Closed {
			if err := list(x.rows, closedPlaceTable.Prefix, at, from, count+1, func(n uint64) { refs = append(refs, ReceiptRef{n, false}) }); err != nil {
				return nil, false, err
			}
		}
	}
	slices.SortFunc(refs, func(a, b ReceiptRef) int { return cmp.Compare(a.Number, b.Number) })
	if more = len(refs) > count; more {
		refs = refs[:count]
	}
	return refs, more, nil
}

// list calls f for up to count numbers of a place, from one on.
func list(r *rows, prefix byte, at place, from uint64, count int, f func(number uint64)) error {
	start := appendPlaced([]byte{prefix}, placed{at, from})
	return r.scan(start, kv.Upper(appendPlace([]byte{prefix}, at)), func(key, _ []byte) (bool, error) {
		if count == 0 {
			return false, nil
		}
		count--
		p, err := parsePlaced(key[1:])
		f(p.number)
		return true, err
	})
}

// ReceiptCounts gives how many receipts of a list are open and closed.
func (x *Index) ReceiptCounts(which Which) (open, closed uint64, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	_, sum, err := x.places(which)
	return sum.open, sum.closed, err
}

// places gives where the receipts of a list are, with their counts.
func (x *Index) places(which Which) (places []place, sum stratum, err error) {
	err = scanTable(x.rows, &stratumTable, nil, func(at place, s stratum) (bool, error) {
		if (which.Custodian == None || which.Custodian == at.custodian) && (which.Good == None || which.Good == at.good) {
			places = append(places, at)
			sum.open += s.open
			sum.closed += s.closed
		}
		return true, nil
	})
	return places, sum, err
}

// Ended says how and where a receipt or claim came to its end.
type Ended struct {
	Kind   Kind // KindClosed of a receipt
	Height int32
	Txid   chainhash.Hash // zero where a height did it
}

// ClosedReceipt gives the last form of a closed receipt, nil where the index
// knows none of that number.
func (x *Index) ClosedReceipt(number uint64) (*state.Receipt, Ended, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	e, found, err := get(x.rows, &closedTable, number)
	if err != nil || !found {
		return nil, Ended{}, err
	}
	r, err := state.DecodeReceipt(state.KeyReceipt(number), e.value)
	return r, Ended{e.kind, e.height, e.txid}, err
}

// EndedClaim gives the last form of a claim that is gone, nil where the index
// knows none of that number.
func (x *Index) EndedClaim(number uint64) (*state.Claim, Ended, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	e, found, err := get(x.rows, &claimTable, number)
	if err != nil || !found {
		return nil, Ended{}, err
	}
	c, err := state.DecodeClaim(state.KeyClaim(number), e.value)
	return c, Ended{e.kind, e.height, e.txid}, err
}

// ClaimRef is a claim in a list.
type ClaimRef struct {
	Number uint64
	Open   bool
}

// Claims gives up to count claims of a custodian, or of custodians 0 to last
// with None, with number from or above, by number, and whether there are more.
// Which.Good does not matter.
func (x *Index) Claims(which Which, from uint64, count int) (refs []ClaimRef, more bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	first, last := which.Custodian, which.Custodian
	if which.Custodian == None {
		f, _, err := get(x.rows, &forceTable, struct{}{})
		if err != nil || f.counts.Custodians == 0 {
			return nil, false, err
		}
		first, last = 0, f.counts.Custodians-1
	}
	for custodian := first; ; custodian++ {
		for _, prefix := range prefixes(which) {
			left := count + 1
			start := appendOwned([]byte{prefix}, owned{custodian, from})
			err := x.rows.scan(start, kv.Upper(appendIndex([]byte{prefix}, custodian)), func(key, _ []byte) (bool, error) {
				if left == 0 {
					return false, nil
				}
				left--
				o, err := parseOwned(key[1:])
				refs = append(refs, ClaimRef{o.claim, prefix == openClaimTable.Prefix})
				return true, err
			})
			if err != nil {
				return nil, false, err
			}
		}
		if custodian == last {
			break
		}
	}
	slices.SortFunc(refs, func(a, b ClaimRef) int { return cmp.Compare(a.Number, b.Number) })
	if more = len(refs) > count; more {
		refs = refs[:count]
	}
	return refs, more, nil
}

// prefixes are the tables of claims that a list looks at.
func prefixes(which Which) (tables []byte) {
	if which.Open {
		tables = append(tables, openClaimTable.Prefix)
	}
	if which.Closed {
		tables = append(tables, endedClaimTable.Prefix)
	}
	return tables
}

// Custodian gives a custodian's record; all zero where nothing happened.
func (x *Index) Custodian(index uint16) (CustodianRecord, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	r, _, err := get(x.rows, &custodianTable, index)
	return r, err
}

// Auditor gives an auditor's record; all zero where nothing happened.
func (x *Index) Auditor(index uint16) (AuditorRecord, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	r, _, err := get(x.rows, &auditorTable, index)
	return r, err
}

// Coverage gives the figures after the blocks from, from + step ... up to to,
// at most count of them, as far as the history goes.
func (x *Index) Coverage(from, to, step int32, count int) ([]Coverage, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	from = max(from, x.since, 1)
	var out []Coverage
	for at := int64(from); at <= int64(min(to, x.keep.Tip.Height)) && len(out) < count; at += int64(max(step, 1)) {
		c, found, err := get(x.rows, &coverageTable, int32(at))
		if err != nil {
			return nil, err
		}
		if found {
			out = append(out, c)
		}
	}
	return out, nil
}

// Inspections gives up to count receipts that auditors were asked to recount,
// the newest draw first, older than before, and whether there are more.
func (x *Index) Inspections(before Cursor, count int) (all []Inspection, more bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	from, to := inspectionTable.Bounds()
	if before != (Cursor{}) {
		from = append(inspectionTable.Key(logKey{before.Height, before.Seq}), 0)
	}
	err = x.rows.scan(from, to, func(key, value []byte) (bool, error) {
		if len(all) == count {
			more = true
			return false, nil
		}
		at, err := parseLogKey(key[1:])
		if err != nil {
			return false, err
		}
		i, err := decodeInspection(value)
		i.Height, i.Place = at.height, at.seq
		all = append(all, i)
		return true, err
	})
	return all, more, err
}

// Answered gives the first audit of an inspected receipt that saw its goods at
// or after the draw; found is false where none came yet.
func (x *Index) Answered(i *Inspection) (audit Event, found bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	subject := OfReceipt(i.Receipt)
	prefix := subject.prefix()
	// Newest first: the last hit above the draw is the first audit after it.
	err = x.rows.scan(prefix, subject.key(logKey{i.Height, 1<<32 - 1}), func(key, _ []byte) (bool, error) {
		at, err := parseLogKey(key[len(prefix):])
		if err != nil {
			return false, err
		}
		raw, err := x.rows.raw(logTable.Key(at))
		if err != nil {
			return false, err
		}
		e, err := decodeEvent(at.height, at.seq, raw)
		if err == nil && e.Kind == KindAudited && e.Until >= i.Height {
			audit, found = e, true
		}
		return true, err
	})
	return audit, found, err
}

// GoodOf gives the good of a receipt, open or closed; None where the index
// does not know it.
func (x *Index) GoodOf(receipt uint64) (uint16, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	at, found, err := get(x.rows, &whereTable, receipt)
	if !found {
		return None, err
	}
	return at.good, err
}

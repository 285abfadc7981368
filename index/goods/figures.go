package goods

import (
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/kv"
	"granary/index"
	"granary/state"
)

// cover writes the coverage after a block.
func (x *Index) cover(h *state.Header, d *derivation) error {
	c := x.coverage
	c.Height, c.Time, c.Events = h.Height, h.Raw.Timestamp.Unix(), uint32(len(d.events))
	c.MinCoverageBP = d.force.params.MinCoverageBP
	if change, ok := d.changed[string(state.KeyTotals())]; ok {
		totals, err := state.DecodeTotals(change.New)
		if err != nil {
			return err
		}
		c.takeTotals(totals)
	}
	if change, ok := d.changed[string(state.KeyReserve())]; ok {
		reserve, err := state.DecodeReserve(change.New)
		if err != nil {
			return err
		}
		c.takeReserve(reserve)
	}
	from, to := state.StandingKeys()
	err := d.each(from, to, func(change state.GoodsChange) error {
		was, now, err := standings(change)
		if was != nil {
			c.BondUnits -= was.BondUnits()
		}
		if now != nil {
			c.BondUnits += now.BondUnits()
		}
		return err
	})
	if err != nil {
		return err
	}
	x.coverage = c
	putPlain(x.rows, &coverageTable, h.Height, c)
	return nil
}

// inspect makes the inspection draw of a block, where one is due.
func (x *Index) inspect(h *state.Header, auditors uint16) error {
	if h.Height%InspectEveryBlocks != 0 {
		return nil
	}
	strata, err := x.strata()
	if err != nil {
		return err
	}
	picks, err := Draw(h.Hash, InspectReceipts, auditors, strata, x.find)
	if err != nil {
		return err
	}
	for i, pick := range picks {
		quantity, _, err := get(x.rows, &openTable, placed{place{pick.Custodian, pick.Good}, pick.Receipt})
		if err != nil {
			return err
		}
		at := logKey{h.Height, uint32(i)}
		if err := put(x.rows, &inspectionTable, at, Inspection{Pick: pick, Quantity: quantity}); err != nil {
			return err
		}
		r, _, err := get(x.rows, &auditorTable, pick.Auditor)
		if err != nil {
			return err
		}
		r.Asked++
		if err := put(x.rows, &auditorTable, pick.Auditor, r); err != nil {
			return err
		}
	}
	return nil
}

// strata lists what custodians hold, with its value at the par in force.
func (x *Index) strata() (all []Stratum, err error) {
	err = scanTable(x.rows, &stratumTable, nil, func(at place, s stratum) (bool, error) {
		if s.quantity == 0 {
			return true, nil
		}
		good, _, err := get(x.rows, &goodTable, at.good)
		if err == nil && good == nil {
			err = errRow("good")
		}
		if err != nil {
			return false, err
		}
		all = append(all, Stratum{at.custodian, at.good, s.quantity, good.ValueUnits(s.quantity)})
		return true, nil
	})
	return all, err
}

// find gives the receipt of a stratum that holds a measure: first the chunk,
// then the receipt.
func (x *Index) find(s Stratum, measure int64) (uint64, error) {
	at := place{s.Custodian, s.Good}
	chunk, found := uint64(0), false
	err := scanTable(x.rows, &chunkTable, appendPlace(nil, at), func(key placed, measures int64) (bool, error) {
		if chunk, found = key.number, measure < measures; !found {
			measure -= measures
		}
		return !found, nil
	})
	if err != nil {
		return 0, err
	}
	receipt, held := uint64(0), false
	from := openTable.Key(placed{at, chunk << chunkBits})
	to := kv.Upper(appendPlace([]byte{openTable.Prefix}, at))
	err = x.rows.scan(from, to, func(key, value []byte) (bool, error) {
		at, err := parsePlaced(key[1:])
		if err != nil {
			return false, err
		}
		measures, err := parseMeasures(value)
		if receipt, held = at.number, measure < measures; !held {
			measure -= measures
		}
		return !held, err
	})
	if err == nil && (!found || !held) {
		err = errors.New("the goods history's sums do not fit its receipts: delete the index to build it anew")
	}
	return receipt, err
}

// scanTable calls f for the rows of a table whose keys begin with prefix.
func scanTable[K, V any](r *rows, t *kv.Table[K, V], prefix []byte, f func(key K, value V) (bool, error)) error {
	from := append([]byte{t.Prefix}, prefix...)
	return r.scan(from, kv.Upper(from), func(rawKey, rawValue []byte) (bool, error) {
		key, err := t.ParseKey(rawKey[1:])
		if err != nil {
			return false, err
		}
		value, err := t.ParseValue(rawValue)
		if err != nil {
			return false, err
		}
		return f(key, value)
	})
}

// beginAtTip fills an empty index with what the state holds now: the history
// begins with the next block.
func (x *Index) beginAtTip(c Chain) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return c.View(func(tip *state.Header, v state.View) error {
		undo := &state.Undo{}
		err := v.GoodsRange(state.FirstStateKey(), nil, func(key, value []byte) bool {
			undo.Goods = append(undo.Goods, state.GoodsChange{Key: append([]byte{}, key...), New: append([]byte{}, value...)})
			return true
		})
		if err != nil {
			return err
		}
		// Everything there is, as if this block had made it, without a line.
		d, err := newDerivation(x.rows, x.charterID, tip.Height, &state.Block{}, undo)
		if err != nil {
			return err
		}
		if err := d.seed(); err != nil {
			return err
		}
		if err := x.cover(tip, d); err != nil {
			return err
		}
		x.rows.takeJournal()
		x.keep.Tip, x.since = index.Tip{Hash: tip.Hash, Height: tip.Height}, tip.Height+1
		return x.keep.Write()
	})
}

// seed notes what is there without telling of it.
func (d *derivation) seed() error {
	if err := d.holders(); err != nil {
		return err
	}
	from, to := state.ReceiptKeys()
	err := d.each(from, to, func(c state.GoodsChange) error {
		r, err := state.DecodeReceipt(c.Key, c.New)
		if err != nil {
			return err
		}
		return put(d.rows, &whereTable, r.Number, place{r.Custodian, r.Good})
	})
	if err != nil {
		return err
	}
	from, to = state.AttestationKeys()
	err = d.each(from, to, func(c state.GoodsChange) error {
		given, err := state.DecodeAttestation(c.New)
		if err != nil {
			return err
		}
		w := word{auditor: uint16(c.Key[33])<<8 | uint16(c.Key[34])}
		copy(w.proposal[:], c.Key[1:chainhash.HashSize+1])
		return put(d.rows, &wordTable, w, given)
	})
	if err != nil {
		return err
	}
	if err := d.seedCustodians(); err != nil {
		return err
	}
	return d.apply()
}

// seedCustodians notes what is open or under way at custodians.
func (d *derivation) seedCustodians() error {
	records := map[uint16]*CustodianRecord{}
	from, to := state.StandingKeys()
	err := d.each(from, to, func(c state.GoodsChange) error {
		custodian, err := state.StandingOfKey(c.Key)
		if err != nil {
			return err
		}
		_, now, err := standings(c)
		if err != nil {
			return err
		}
		r := &CustodianRecord{DebtPeakUnits: uint64(now.DebtUnits)}
		if now.Suspended {
			r.SuspendedSince = uint64(d.height)
		}
		records[custodian] = r
		return nil
	})
	if err != nil {
		return err
	}
	from, to = state.ClaimKeys()
	err = d.each(from, to, func(c state.GoodsChange) error {
		claim, err := state.DecodeClaim(c.Key, c.New)
		if err == nil && records[claim.Custodian] != nil {
			records[claim.Custodian].OpenClaims++
		}
		return err
	})
	if err != nil {
		return err
	}
	for custodian, r := range records {
		if err := put(d.rows, &custodianTable, custodian, *r); err != nil {
			return err
		}
	}
	return nil
}

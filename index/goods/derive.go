package goods

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/params"
	rules "granary/rules/goods"
	"granary/state"
)

// derivation turns one connected block into lines of the log. It reads the
// block, its undo and what the index knows of the blocks below.
type derivation struct {
	rows     *rows
	charter  params.CharterID
	treasury []byte
	height   int32
	block    *state.Block
	spent    [][]*state.Coin // by transaction after the coinbase
	changed  map[string]state.GoodsChange
	changes  []state.GoodsChange // ascending by key

	events   []Event
	receipts map[uint64]*state.Receipt // as they run through the block
	claims   map[uint64]*state.Claim
	ends     map[uint64]Event // of claims: the line that ended it
	standing map[uint16]*state.Standing
	words    map[word]state.Attestation // given in this block
	newClaim uint64                     // the number that the next claim gets
	newLot   uint64                     // the number that the next receipt gets
	force    force
}

func newDerivation(r *rows, id params.CharterID, height int32, b *state.Block, undo *state.Undo) (*derivation, error) {
	d := &derivation{
		rows: r, charter: id, treasury: rules.TreasuryScript(id), height: height, block: b, spent: undo.Spent, changes: undo.Goods,
		changed:  make(map[string]state.GoodsChange, len(undo.Goods)),
		receipts: map[uint64]*state.Receipt{}, claims: map[uint64]*state.Claim{}, ends: map[uint64]Event{},
		standing: map[uint16]*state.Standing{}, words: map[word]state.Attestation{},
	}
	for _, c := range undo.Goods {
		d.changed[string(c.Key)] = c
	}
	var err error
	if d.newClaim, err = d.numberBefore(state.KeyNextClaim()); err != nil {
		return nil, err
	}
	if d.newLot, err = d.numberBefore(state.KeyNextReceipt()); err != nil {
		return nil, err
	}
	return d, d.readForce()
}

// numberBefore is what a counter was before the block; it matters only where
// it changed.
func (d *derivation) numberBefore(key []byte) (uint64, error) {
	return state.DecodeNumber(d.changed[string(key)].Old)
}

// readForce notes the parameters, counts, goods and holders that the height
// brought into force.
func (d *derivation) readForce() error {
	was, _, err := get(d.rows, &forceTable, struct{}{})
	if err != nil {
		return err
	}
	d.force = was
	if c, ok := d.changed[string(state.KeyParameters())]; ok {
		if d.force.params, err = params.DecodeParameters(c.New); err != nil {
			return err
		}
	}
	if c, ok := d.changed[string(state.KeyCounts())]; ok {
		if d.force.counts, err = state.DecodeCounts(c.New); err != nil {
			return err
		}
	}
	if d.force != was {
		if err := put(d.rows, &forceTable, struct{}{}, d.force); err != nil {
			return err
		}
	}
	for i := range d.force.counts.Goods {
		if c, ok := d.changed[string(state.KeyGood(i))]; ok && c.New != nil {
			good, err := state.DecodeGoodInForce(c.New)
			if err != nil {
				return err
			}
			if err := put(d.rows, &goodTable, i, good); err != nil {
				return err
			}
		}
	}
	return nil
}

// run derives every line of the block.
func (d *derivation) run() error {
	for _, step := range []func() error{d.start, d.holders, d.transactions, d.closings, d.debts} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// add ends a line.
func (d *derivation) add(e Event) {
	e.Height, e.Seq = d.height, uint32(len(d.events))
	d.events = append(d.events, e)
}

// start is what the height did before the first transaction.
func (d *derivation) start() error {
	for slot := state.Slot(0); slot < state.SlotCount; slot++ {
		c := d.changed[string(state.KeyPending(slot))]
		if c.Old == nil {
			continue
		}
		was, err := state.DecodePending(c.Old)
		if err != nil {
			return err
		}
		if was.Effective <= d.height {
			e := newEvent(KindChangeEffective)
			e.Slot, e.Txid = uint16(slot), was.Txid
			d.add(e)
		}
	}
	from, to := state.StandingKeys()
	err := d.each(from, to, func(c state.GoodsChange) error {
		custodian, err := state.StandingOfKey(c.Key)
		if err != nil {
			return err
		}
		was, now, err := standings(c)
		if err == nil && now != nil && now.Defaulted && (was == nil || !was.Defaulted) {
			d.add(custodianEvent(KindDefaulted, custodian))
		}
		return err
	})
	if err != nil {
		return err
	}
	from, to = state.FreshKeys(d.height)
	return d.each(from, to, func(c state.GoodsChange) error {
		_, custodian, good, err := state.FreshOfKey(c.Key)
		if err != nil || c.Old == nil {
			return err
		}
		e := custodianEvent(KindExpired, custodian)
		e.Good = good
		e.Quantity, err = state.DecodeLimit(c.Old)
		d.add(e)
		return err
	})
}

// standings decodes both sides of a change.
func standings(c state.GoodsChange) (was, now *state.Standing, err error) {
	if c.Old != nil {
		if was, err = state.DecodeStanding(c.Old); err != nil {
			return nil, nil, err
		}
	}
	if c.New != nil {
		now, err = state.DecodeStanding(c.New)
	}
	return was, now, err
}

func custodianEvent(kind Kind, custodian uint16) Event {
	e := newEvent(kind)
	e.Custodian = custodian
	return e
}

// each walks the changed keys of a range.
func (d *derivation) each(from, to []byte, f func(c state.GoodsChange) error) error {
	at, _ := slices.BinarySearchFunc(d.changes, from, func(c state.GoodsChange, key []byte) int { return bytes.Compare(c.Key, key) })
	for _, c := range d.changes[at:] {
		if to != nil && bytes.Compare(c.Key, to) >= 0 {
			break
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// holders notes since when each auditor's seat has its holder.
func (d *derivation) holders() error {
	for i := range d.force.counts.Auditors {
		key := state.KeySeat(state.RoleAuditor, i)
		c := d.changed[string(key)]
		if c.New == nil {
			continue
		}
		seat, err := state.DecodeSeat(key, c.New)
		if err != nil {
			return err
		}
		since, found, err := get(d.rows, &sinceTable, i)
		if err != nil {
			return err
		}
		if !found || since != seat.Since {
			if err := put(d.rows, &sinceTable, i, seat.Since); err != nil {
				return err
			}
		}
	}
	return nil
}

// transactions reads the records, in block order.
func (d *derivation) transactions() error {
	if d.height < params.GoodsStartHeight {
		return nil
	}
	for i := 1; i < len(d.block.Txids); i++ {
		outs := d.block.Msg.Transactions[i].TxOut
		record, ok, err := rules.DecodeRecord(outs[len(outs)-1].PkScript)
		if !ok {
			continue
		}
		if err != nil {
			return err
		}
		if err := d.record(&act{d: d, tx: d.block.Tx(i), spent: d.spent[i-1]}, record); err != nil {
			return err
		}
	}
	return nil
}

// closings tells of receipts of which nothing is left.
func (d *derivation) closings() error {
	from, to := state.ReceiptKeys()
	return d.each(from, to, func(c state.GoodsChange) error {
		if c.New != nil {
			return nil
		}
		r, err := state.DecodeReceipt(c.Key, c.Old)
		if err != nil {
			return err
		}
		e := newEvent(KindClosed)
		e.Receipt, e.Custodian, e.Good = r.Number, r.Custodian, r.Good
		for i := len(d.events) - 1; i >= 0; i-- { // what did it
			if d.events[i].Receipt == r.Number {
				e.Txid = d.events[i].Txid
				break
			}
		}
		d.add(e)
		return nil
	})
}

// debts tells what custodians owe after the block, where that is another.
func (d *derivation) debts() error {
	from, to := state.StandingKeys()
	return d.each(from, to, func(c state.GoodsChange) error {
		custodian, err := state.StandingOfKey(c.Key)
		if err != nil {
			return err
		}
		was, now, err := standings(c)
		if err != nil || was == nil || now == nil || was.DebtUnits == now.DebtUnits {
			return err
		}
		e := custodianEvent(KindDebt, custodian)
		e.Stated, e.Units = was.DebtUnits, now.DebtUnits
		d.add(e)
		return nil
	})
}

// receipt gives a receipt as it runs through the block.
func (d *derivation) receipt(number uint64) (*state.Receipt, error) {
	if r := d.receipts[number]; r != nil {
		return r, nil
	}
	key := state.KeyReceipt(number)
	r, err := state.DecodeReceipt(key, either(d.changed[string(key)]))
	if err == nil {
		d.receipts[number] = r
	}
	return r, err
}

// claim gives a claim as it runs through the block.
func (d *derivation) claim(number uint64) (*state.Claim, error) {
	if c := d.claims[number]; c != nil {
		return c, nil
	}
	key := state.KeyClaim(number)
	c, err := state.DecodeClaim(key, either(d.changed[string(key)]))
	if err == nil {
		d.claims[number] = c
	}
	return c, err
}

// either is the value before the block, or after it for what is new in it.
func either(c state.GoodsChange) []byte {
	if c.Old != nil {
		return c.Old
	}
	return c.New
}

// backers gives the auditors that stand behind a proposal in this block;
// acting is one that acts itself, or None.
func (d *derivation) backers(proposal chainhash.Hash, acting uint16) ([]Backer, error) {
	var out []Backer
	for i := range d.force.counts.Auditors {
		if i == acting {
			out = append(out, Backer{i, d.height})
			continue
		}
		given, found := d.words[word{proposal, i}]
		var err error
		if !found {
			if given, found, err = get(d.rows, &wordTable, word{proposal, i}); err != nil {
				return nil, err
			}
		}
		since, _, err := get(d.rows, &sinceTable, i)
		if err != nil {
			return nil, err
		}
		if found && since <= given.Height && given.Height < d.height && d.height <= given.Until {
			out = append(out, Backer{i, given.Height})
		}
	}
	return out, nil
}

// valueUnits is what measures of a good are worth at the par in force.
func (d *derivation) valueUnits(good uint16, measures int64) (int64, error) {
	g, found, err := get(d.rows, &goodTable, good)
	if err != nil || !found {
		return 0, err
	}
	return g.ValueUnits(measures), nil
}

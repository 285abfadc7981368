package goods

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
	"granary/state/tree"
)

// RangeCoins calls f for each coin of the UTXO set until f returns false.
type RangeCoins func(f func(op wire.OutPoint, coin *state.Coin) bool) error

// CheckState counts the whole state after the block at height again: totals
// against every coin, each seat against its one coin, launch values against
// the charter, lots and reserve against every receipt, and the commitment tree
// against all leaves. It is for tests, simulation and `granary check`; its
// cost grows with the whole state.
func CheckState(charter *params.Charter, height int32, view state.GoodsView, rangeCoins RangeCoins) error {
	r := &recount{charter: charter, height: height, view: view, keys: map[byte]int{}, seats: map[wire.OutPoint]*state.Seat{}}
	steps := []func() error{
		r.readKeys, r.readSeats,
		func() error { return r.coins(rangeCoins) },
		r.launchValues, r.receipts, r.proposals,
		func() error { _, err := tree.Check(view); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("goods state: %w", err)
		}
	}
	return nil
}

type recount struct {
	charter *params.Charter
	height  int32
	view    state.GoodsView
	keys    map[byte]int // how many of each kind
	total   int
	seats   map[wire.OutPoint]*state.Seat
}

// readKeys: every key is of a known kind.
func (r *recount) readKeys() error {
	var failed error
	err := r.view.GoodsRange(state.FirstStateKey(), nil, func(key, _ []byte) bool {
		if failed = state.CheckKey(key); failed == nil {
			r.keys[key[0]]++
			r.total++
		}
		return failed == nil
	})
	if err != nil {
		return err
	}
	return failed
}

// readSeats: each seat is found again by its outpoint, and no outpoint leads
// elsewhere.
func (r *recount) readSeats() error {
	seats, err := ReadSeats(r.view)
	if err != nil {
		return err
	}
	for i := range seats {
		found, err := SeatOf(r.view, seats[i].Out)
		if err != nil {
			return err
		}
		if found == nil || found.ID() != seats[i].ID() {
			return fmt.Errorf("%s is not found by its outpoint %v", seats[i].ID(), seats[i].Out)
		}
		r.seats[seats[i].Out] = &seats[i]
	}
	if n := r.keys[state.KeyOutpoint(wire.OutPoint{})[0]]; n != len(seats) {
		return fmt.Errorf("%d outpoints carry %d seats", n, len(seats))
	}
	return nil
}

// coins: the UTXO set adds up to the totals and holds every seat.
func (r *recount) coins(rangeCoins RangeCoins) error {
	treasury := TreasuryScript(r.charter.ID())
	var counted state.Totals
	var failed error
	held := 0
	err := rangeCoins(func(op wire.OutPoint, coin *state.Coin) bool {
		counted.UTXOUnits += coin.ValueUnits
		if bytes.Equal(coin.Script, treasury) {
			counted.PoolUnits += coin.ValueUnits
		}
		if seat := r.seats[op]; seat != nil {
			held++
			if coin.ValueUnits != 0 || coin.Height != seat.Height || !bytes.Equal(coin.Script, seat.Script) {
				failed = fmt.Errorf("the coin of %s at %v is not as the seat says", seat.ID(), op)
			}
		}
		return failed == nil
	})
	if err != nil || failed != nil {
		return firstError(err, failed)
	}
	if held != len(r.seats) {
		return fmt.Errorf("%d of %d seats have their coin", held, len(r.seats))
	}
	counted.CirculatingUnits = counted.UTXOUnits - counted.PoolUnits - counted.EscrowUnits
	stored, err := ReadTotals(r.view)
	if err != nil {
		return err
	}
	if stored != counted {
		return fmt.Errorf("totals are stored as %+v, counted as %+v", stored, counted)
	}
	return nil
}

// launchValues: before block 1 there is nothing; after it the charter's
// values are in force, as no record amends them.
func (r *recount) launchValues() error {
	if r.total == 0 {
		return nil
	}
	type entry struct{ key, value []byte }
	expect := []entry{{state.KeyParameters(), r.charter.Parameters.Encode()}}
	for i := range r.charter.Goods {
		expect = append(expect, entry{state.KeyGood(uint16(i)), r.charter.Goods[i].Encode()})
	}
	for i := range r.charter.Custodians {
		for _, a := range r.charter.Custodians[i].Allowances {
			expect = append(expect, entry{state.KeyAllowance(uint16(i), a.Good), state.EncodeLimit(a.Limit)})
		}
	}
	for _, want := range expect {
		got, err := r.view.Goods(want.key)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want.value) {
			return fmt.Errorf("key %x is %x, the charter says %x", want.key, got, want.value)
		}
	}
	for _, want := range expect {
		r.keys[want.key[0]]--
	}
	for _, want := range expect {
		if n := r.keys[want.key[0]]; n != 0 {
			return fmt.Errorf("%d keys of kind %c are not the charter's", n, want.key[0])
		}
	}
	return r.checkNames()
}

// checkNames: the seats are the charter's, in number, role and name.
func (r *recount) checkNames() error {
	seats, err := ReadSeats(r.view)
	if err != nil {
		return err
	}
	launched := launchSeats(r.charter)
	if len(seats) != len(launched) {
		return fmt.Errorf("%d seats, the charter has %d", len(seats), len(launched))
	}
	for i := range seats {
		if seats[i].ID() != launched[i].ID() || seats[i].Name != launched[i].Name {
			return fmt.Errorf("seat %d is %s (%s), the charter says %s (%s)", i, seats[i].ID(), seats[i].Name, launched[i].ID(), launched[i].Name)
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

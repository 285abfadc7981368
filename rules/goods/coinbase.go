package goods

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Coinbase judges and applies the coinbase, after every Tx. feesUnits is what
// the other transactions leave. An error is a RuleError or the world's.
func (g *Block) Coinbase(tx *state.Tx, subsidyUnits, feesUnits int64) error {
	check.Must(!g.coinbaseDone, "goods rules: a second coinbase")
	f, err := g.flowOf(tx.Msg, nil, nil)
	if err != nil {
		return err
	}
	for _, rule := range []func(*wire.MsgTx) error{
		checkCoinbaseRecords,
		checkCoinbaseBurns,
		func(msg *wire.MsgTx) error { return checkCoinbaseSum(&f, subsidyUnits, feesUnits) },
		func(msg *wire.MsgTx) error { return g.checkCoinbaseTreasury(msg, subsidyUnits) },
		g.checkCoinbaseSeats,
		g.checkCommitment,
	} {
		if err := rule(tx.Msg); err != nil {
			return err
		}
	}
	g.coinbaseDone = true
	g.addCoinbase(&f, subsidyUnits)
	g.notePaid(tx, nil, true)
	if g.height == 1 {
		return g.launch(tx)
	}
	return nil
}

func checkCoinbaseRecords(msg *wire.MsgTx) error {
	for i, out := range msg.TxOut {
		if _, ok := recordPayload(out.PkScript); ok {
			return check.Rule(CodeCoinbaseRecord, "output %d of the coinbase is a record", i)
		}
	}
	return nil
}

func checkCoinbaseBurns(msg *wire.MsgTx) error {
	for i, out := range msg.TxOut {
		if out.Value != 0 && state.Unspendable(out.PkScript) {
			return check.Rule(CodeCoinbaseBurn, "output %d of the coinbase burns %d units", i, out.Value)
		}
	}
	return nil
}

func checkCoinbaseSum(f *flow, subsidyUnits, feesUnits int64) error {
	if f.out != subsidyUnits+feesUnits {
		return check.Rule(CodeCoinbaseSum, "the coinbase pays %d units, it must pay subsidy %d + fees %d exactly", f.out, subsidyUnits, feesUnits)
	}
	return nil
}

// checkCoinbaseTreasury: one treasury output, at 0, with the subsidy at least;
// none where there is no subsidy.
func (g *Block) checkCoinbaseTreasury(msg *wire.MsgTx, subsidyUnits int64) error {
	for i, out := range msg.TxOut {
		if g.isTreasury(out.PkScript) && (i > 0 || subsidyUnits == 0) {
			return check.Rule(CodeCoinbaseTreasury, "output %d of the coinbase is the treasury's, only output 0 of a block with a subsidy is", i)
		}
	}
	if subsidyUnits == 0 {
		return nil
	}
	if len(msg.TxOut) == 0 || !g.isTreasury(msg.TxOut[0].PkScript) || msg.TxOut[0].Value < subsidyUnits {
		return check.Rule(CodeCoinbaseTreasury, "output 0 of the coinbase must pay the subsidy, %d units, to the treasury", subsidyUnits)
	}
	return nil
}

// checkCoinbaseSeats: block 1 creates the charter's seats behind the treasury
// output, value 0, in charter order.
func (g *Block) checkCoinbaseSeats(msg *wire.MsgTx) error {
	if g.height != 1 {
		return nil
	}
	for i, member := range g.charter.Members() {
		at := 1 + i
		if at >= len(msg.TxOut) || msg.TxOut[at].Value != 0 || !bytes.Equal(msg.TxOut[at].PkScript, member.Script) {
			return check.Rule(CodeCoinbaseSeats, "output %d of block 1's coinbase must create the seat of %s with value 0", at, member.Name)
		}
	}
	return nil
}

// launch writes what the charter starts with: parameters, goods, what each
// custodian may hold, and the seats.
func (g *Block) launch(tx *state.Tx) error {
	c := g.charter
	if err := g.set(state.KeyParameters(), c.Parameters.Encode()); err != nil {
		return err
	}
	for i := range c.Goods {
		good := state.GoodInForce{Good: c.Goods[i], Since: g.height}
		if err := g.set(state.KeyGood(uint16(i)), good.Encode()); err != nil {
			return err
		}
	}
	counts := state.Counts{Goods: uint16(len(c.Goods)), Custodians: uint16(len(c.Custodians)), Auditors: uint16(len(c.Auditors))}
	if err := g.set(state.KeyCounts(), counts.Encode()); err != nil {
		return err
	}
	for i := range c.Custodians {
		if err := g.set(state.KeyStanding(uint16(i)), (&state.Standing{}).Encode()); err != nil {
			return err
		}
		for _, a := range c.Custodians[i].Allowances {
			if err := g.set(state.KeyAllowance(uint16(i), a.Good), state.EncodeLimit(a.Limit)); err != nil {
				return err
			}
		}
	}
	for i, seat := range launchSeats(c) {
		seat.Out, seat.Height, seat.Since = outpoint(tx, 1+i), g.height, g.height
		if err := g.putSeat(&seat); err != nil {
			return err
		}
		g.events = append(g.events, SeatCreated{seat})
	}
	return nil
}

// launchSeats lists the seats of a charter in charter order, without place.
func launchSeats(c *params.Charter) []state.Seat {
	seats := make([]state.Seat, 0, c.SeatCount())
	add := func(role state.Role, index int, m *params.Member) {
		seats = append(seats, state.Seat{Role: role, Index: uint16(index), Name: m.Name, Script: bytes.Clone(m.Script)})
	}
	for i := range c.Custodians {
		add(state.RoleCustodian, i, &c.Custodians[i].Member)
	}
	for i := range c.Auditors {
		add(state.RoleAuditor, i, &c.Auditors[i])
	}
	add(state.RoleCouncil, 0, &c.Council)
	return seats
}

// CoinbaseOutputs gives all outputs of a coinbase at height on top of view,
// in order, but the witness commitment, which the caller appends: the subsidy
// to the treasury, block 1's seats, the fees to minerScript (no output where
// there are none), the goods commitment.
func CoinbaseOutputs(charter *params.Charter, height int32, view state.GoodsView, subsidyUnits, feesUnits int64, minerScript []byte) ([]*wire.TxOut, error) {
	treasury := TreasuryScript(charter.ID())
	var outs []*wire.TxOut
	if subsidyUnits > 0 {
		outs = append(outs, wire.NewTxOut(subsidyUnits, treasury))
	}
	if height == 1 {
		for _, member := range charter.Members() {
			outs = append(outs, wire.NewTxOut(0, bytes.Clone(member.Script)))
		}
	}
	if feesUnits > 0 {
		if state.Unspendable(minerScript) {
			return nil, errors.New("the miner's script can never be spent, which would burn the fees: give another address")
		}
		if bytes.Equal(minerScript, treasury) {
			return nil, errors.New("the miner's script is the treasury's, which a coinbase pays the subsidy only: give another address")
		}
		outs = append(outs, wire.NewTxOut(feesUnits, bytes.Clone(minerScript)))
	}
	root, err := Root(view)
	if err != nil {
		return nil, fmt.Errorf("read goods root: %w", err)
	}
	return append(outs, wire.NewTxOut(0, CommitmentScript(charter.ID(), root))), nil
}

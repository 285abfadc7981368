package policy

import (
	"bytes"

	"granary/base/check"
	"granary/rules/goods"
	"granary/state"

	"github.com/btcsuite/btcd/wire/v2"
)

// Goods is what policy sees of the goods record of a transaction. A nil Goods
// is a transaction without one, or a chain without a charter, where no record
// means anything; every method may be called on it.
type Goods struct {
	treasury []byte
	record   goods.Record // nil where it does not parse: the goods rules say why
	last     int          // the record's place among the outputs
}

// ReadGoods reads the record of msg; treasury is the chain's treasury script,
// nil without a charter. The result may alias both.
func ReadGoods(treasury []byte, msg *wire.MsgTx) *Goods {
	last := len(msg.TxOut) - 1
	if treasury == nil || last < 0 {
		return nil
	}
	record, found, err := goods.DecodeRecord(msg.TxOut[last].PkScript)
	if !found {
		return nil
	}
	if err != nil {
		record = nil
	}
	return &Goods{treasury, record, last}
}

// what is the record, nil where there is none that parses.
func (g *Goods) what() goods.Record {
	if g == nil {
		return nil
	}
	return g.record
}

// isTreasury reports an output script of the treasury.
func (g *Goods) isTreasury(script []byte) bool {
	return g != nil && bytes.Equal(script, g.treasury)
}

// spendsTreasury reports whether the record can open treasury outputs.
func (g *Goods) spendsTreasury() bool {
	switch g.what().(type) {
	case goods.Draw, goods.Lapse, goods.Settle, goods.Slash, goods.Unbond:
		return true
	}
	return false
}

// SpendsTreasury reports whether the transaction opens a treasury output
// (spent[i] is the coin of input i), and every one as the rules want it: by
// its record, with nothing in the input.
func (g *Goods) SpendsTreasury(msg *wire.MsgTx, spent []*state.Coin) bool {
	found := false
	for i, coin := range spent {
		if g.isTreasury(coin.Script) {
			if !g.opens(msg.TxIn[i], coin.Script) {
				return false
			}
			found = true
		}
	}
	return found
}

// opens reports whether an input spends the treasury in the one way that is
// standard.
func (g *Goods) opens(in *wire.TxIn, script []byte) bool {
	return g.isTreasury(script) && g.spendsTreasury() && len(in.SignatureScript) == 0 && len(in.Witness) == 0
}

// first gives the code with which the rules refuse, in the same block, whoever
// spends output 0: it carries a seat or a token on. "" where it is free.
func (g *Goods) first() check.Code {
	switch g.what().(type) {
	case nil, goods.Draw, goods.Deliver, goods.Lapse, goods.Settle, goods.Slash:
		return ""
	case goods.Redeem, goods.Reclaim, goods.Assign:
		return goods.CodeTokenTwice
	}
	return goods.CodeSeatTwice
}

// waits reports whether output i waits to be a seat from the record on.
func (g *Goods) waits(i int) bool {
	switch r := g.what().(type) {
	case goods.Amend:
		return i >= 1 && i <= len(r.Custodians)+len(r.Auditors)
	case goods.Reseat:
		return i == 1 && r.Announces()
	}
	return false
}

// mayBeEmpty reports whether output i may hold nothing, because the rules want
// it so: a seat that goes on, a token, an output that waits to be a seat. Of a
// record that does not parse the goods rules tell what is wrong.
func (g *Goods) mayBeEmpty(i int) bool {
	return g != nil && g.record == nil || i == 0 && g.first() != "" || g.waits(i)
}

// change is the output with what is left of treasury inputs, which the rules
// fix to the unit; -1 where there is none.
func (g *Goods) change() int {
	switch r := g.what().(type) {
	case goods.Draw, goods.Lapse, goods.Slash:
		return 1
	case goods.Unbond:
		if r.Step == goods.UnbondWithdraw {
			return 2
		}
	}
	return -1
}

// isChange reports whether output i is that change. It takes the place of the
// outputs that are spent for it, so that it may be as small as it is.
func (g *Goods) isChange(i int, out *wire.TxOut) bool {
	return i == g.change() && out.Value > 0 && g.isTreasury(out.PkScript)
}

// Bound gives the code with which the goods rules refuse, in the same block,
// a transaction that spends output i, out, of this one: a seat, a token, an
// escrow, a bond or an output that waits, which the rules know by their state
// only. "" where the output is free.
func (g *Goods) Bound(i int, out *wire.TxOut) check.Code {
	switch {
	case i == 0:
		return g.first()
	case g.waits(i):
		return goods.CodePendingSpend
	case g.isTreasury(out.PkScript) && i == g.held():
		return goods.CodeTreasurySpend
	}
	return ""
}

// held is the treasury output that becomes an escrow or a bond, -1 where none
// does.
func (g *Goods) held() int {
	switch g.what().(type) {
	case goods.Redeem, goods.Bond:
		return 1
	case goods.Slash, goods.Unbond:
		return g.change()
	}
	return -1
}

// Object is what a record that anyone may make moves: at most one of them
// waits for each.
type Object struct {
	Kind   ObjectKind
	Number uint64
}

// ObjectKind says what the number of an Object counts.
type ObjectKind uint8

// The kinds of objects. NoObject is that of every other transaction.
const (
	NoObject  ObjectKind = iota
	OfReceipt            // draw
	OfClaim              // lapse, settle
	OfDebt               // slash, by custodian
)

// Object gives what the record moves, NoObject's for records that somebody
// must sign and for none.
func (g *Goods) Object() Object {
	switch r := g.what().(type) {
	case goods.Draw:
		return Object{OfReceipt, r.Receipt}
	case goods.Lapse:
		return Object{OfClaim, r.Number}
	case goods.Settle:
		return Object{OfClaim, r.Number}
	case goods.Slash:
		return Object{OfDebt, uint64(r.Custodian)}
	}
	return Object{}
}

// Due reports whether the record does what is due in any case: return an
// escrow, settle a claim, pay a debt. Such a transaction may travel free.
func (g *Goods) Due() bool {
	switch g.what().(type) {
	case goods.Lapse, goods.Settle, goods.Slash:
		return true
	}
	return false
}

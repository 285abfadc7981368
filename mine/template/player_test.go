package template

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// player makes goods transactions as the tip's state wants them. Scripts are
// not looked at.
type player struct {
	t       testing.TB
	charter *params.Charter
	chain   Chain
	lots    int
}

// read runs f on the tip's state.
func (p *player) read(f func(tip *state.Header, v state.View) error) {
	p.t.Helper()
	if err := p.chain.View(f); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) seat(role state.Role, index uint16) (found state.Seat) {
	p.t.Helper()
	p.read(func(_ *state.Header, v state.View) error {
		seats, err := goods.ReadSeats(v)
		for _, s := range seats {
			if s.Role == role && s.Index == index {
				found = s
			}
		}
		return err
	})
	return found
}

// act is a transaction of a seat, which stays where it is, with further
// outputs.
func (p *player) act(role state.Role, index uint16, r goods.Record, outs ...*wire.TxOut) *wire.MsgTx {
	p.t.Helper()
	seat := p.seat(role, index)
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, seat.Script))
	for _, out := range outs {
		msg.AddTxOut(out)
	}
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(r)))
	return msg
}

// attest is an auditor's word for records.
func (p *player) attest(auditor uint16, records ...goods.Record) *wire.MsgTx {
	p.t.Helper()
	hashes := make([]chainhash.Hash, len(records))
	for i, r := range records {
		hashes[i] = goods.ProposalHash(p.charter.ID(), r)
	}
	slices.SortFunc(hashes, func(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) })
	return p.act(state.RoleAuditor, auditor, goods.Attest{Proposals: hashes})
}

// observed names the tip, and the last height at which a proposal of now may
// be used.
func (p *player) observed() (o goods.Observed, expiry int32) {
	p.t.Helper()
	p.read(func(tip *state.Header, v state.View) error {
		in, err := goods.ReadParameters(v)
		o = goods.Observed{Height: tip.Height, Hash: tip.Hash}
		expiry = tip.Height + int32(min(in.AttestationLifeBlocks, 40))
		return err
	})
	return o, expiry
}

// receive is a record that opens a receipt for each quantity of a good.
func (p *player) receive(custodian, good uint16, quantities ...int64) goods.Receive {
	p.t.Helper()
	observed, expiry := p.observed()
	r := goods.Receive{Custodian: custodian, Expiry: expiry, Observed: observed}
	for _, quantity := range quantities {
		p.lots++
		r.Openings = append(r.Openings, goods.Opening{
			Good: good, Serial: fmt.Sprintf("LOT-%d", p.lots), Quantity: quantity, Script: holderScript(byte(p.lots)),
		})
	}
	return r
}

// holderScript is where the coins of receipts go.
func holderScript(n byte) []byte { return append([]byte{0, 20, 0x70, n}, make([]byte, 18)...) }

func (p *player) receipts() (list []state.Receipt) {
	p.t.Helper()
	p.read(func(_ *state.Header, v state.View) error {
		return goods.RangeReceipts(v, func(r *state.Receipt) bool {
			list = append(list, *r)
			return true
		})
	})
	return list
}

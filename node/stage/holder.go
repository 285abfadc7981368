package stage

import (
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
	"granary/state"
)

// Receipt gives open receipt number, nil if there is none.
func (c *Cast) Receipt(number uint64) (r *state.Receipt, err error) {
	err = c.chain.View(func(_ *state.Header, v state.View) error {
		r, err = goods.ReadReceipt(v, number)
		return err
	})
	return r, err
}

// Claim gives open claim number, nil if there is none.
func (c *Cast) Claim(number uint64) (claim *state.Claim, err error) {
	err = c.chain.View(func(_ *state.Header, v state.View) error {
		claim, err = goods.ReadClaim(v, number)
		return err
	})
	return claim, err
}

// Claims gives the open claims for which is holds, by number.
func (c *Cast) Claims(is func(*state.Claim) bool) (claims []*state.Claim, err error) {
	err = c.chain.View(func(_ *state.Header, v state.View) error {
		return goods.RangeClaims(v, func(claim *state.Claim) bool {
			if is(claim) {
				claims = append(claims, claim)
			}
			return true
		})
	})
	return claims, err
}

// Standing gives how a custodian stands.
func (c *Cast) Standing(custodian uint16) (s *state.Standing, err error) {
	err = c.chain.View(func(_ *state.Header, v state.View) error {
		s, err = goods.ReadStanding(v, custodian)
		if err == nil && s == nil {
			err = fmt.Errorf("there is no custodian %d", custodian)
		}
		return err
	})
	return s, err
}

// Price is what p must pay into escrow for goods of a receipt now.
func (c *Cast) Price(r *state.Receipt, quantity int64) (units int64, err error) {
	err = c.chain.View(func(_ *state.Header, v state.View) error {
		units, err = goods.ReadPrice(v, r, quantity)
		return err
	})
	return units, err
}

// From takes up a transaction that the rules' builders made: its inputs are
// found, and more may be added.
func (c *Cast) From(msg *wire.MsgTx) (*Draft, error) {
	d := &Draft{cast: c, msg: msg}
	for _, in := range msg.TxIn {
		coin, err := c.Coin(in.PreviousOutPoint)
		if err != nil {
			return nil, err
		}
		d.spent = append(d.spent, coin.Coin)
	}
	return d, nil
}

// Funded finishes a built transaction with coins of p.
func (c *Cast) Funded(msg *wire.MsgTx, p Person) (*state.Tx, error) {
	d, err := c.From(msg)
	if err != nil {
		return nil, err
	}
	if err := d.Fund(p, 0); err != nil {
		return nil, err
	}
	return d.Sign()
}

// Redeem lets p pay the price into escrow for free goods of a receipt.
func (c *Cast) Redeem(p Person, r *state.Receipt, quantity int64) (*state.Tx, error) {
	price, err := c.Price(r, quantity)
	if err != nil {
		return nil, err
	}
	return c.Funded(goods.RedeemTx(c.charter.ID(), r, quantity, price, p.Script), p)
}

// Reclaim lets p, to whose script the receipt pays, take undrawn goods back.
func (c *Cast) Reclaim(p Person, r *state.Receipt, quantity int64) (*state.Tx, error) {
	coins, err := c.Coins(p)
	if err != nil {
		return nil, err
	}
	if len(coins) == 0 {
		return nil, fmt.Errorf("%s has no coin to show that the receipt is its own", p.Name)
	}
	return c.Funded(goods.ReclaimTx(r, quantity, coins[0].Out, p.Script), p)
}

// Deliver lets p, who holds the claim's token, say that the goods are there.
func (c *Cast) Deliver(p Person, claim *state.Claim) (*state.Tx, error) {
	return c.Funded(goods.DeliverTx(claim), p)
}

// Lapse lets p give up a tendered claim and have the escrow back.
func (c *Cast) Lapse(p Person, claim *state.Claim) (*state.Tx, error) {
	return c.Funded(goods.LapseTx(c.charter.ID(), claim, true), p)
}

// Assign lets p hand its claim on.
func (c *Cast) Assign(p Person, claim *state.Claim, to Person) (*state.Tx, error) {
	return c.Funded(goods.AssignTx(claim, to.Script), p)
}

// LapseForAnyone returns the escrow of a claim that nobody collected.
func (c *Cast) LapseForAnyone(claim *state.Claim) (*state.Tx, error) {
	return c.unsigned(goods.LapseTx(c.charter.ID(), claim, false))
}

// Settle returns the escrow of a claim that was not tendered in time.
func (c *Cast) Settle(claim *state.Claim) (*state.Tx, error) {
	return c.unsigned(goods.SettleTx(claim))
}

// Slash pays what a custodian owes from its bonds.
func (c *Cast) Slash(custodian uint16) (*state.Tx, error) {
	var msg *wire.MsgTx
	err := c.chain.View(func(_ *state.Header, v state.View) error {
		s, err := goods.ReadStanding(v, custodian)
		if err != nil || s == nil {
			return err
		}
		p, err := goods.ReadParameters(v)
		msg = goods.SlashTx(c.charter.ID(), custodian, s, p.MinerShareBP)
		return err
	})
	if err == nil && msg == nil {
		err = fmt.Errorf("custodian %d has no debt, or no bond to pay it from", custodian)
	}
	if err != nil {
		return nil, err
	}
	return c.unsigned(msg)
}

func (c *Cast) unsigned(msg *wire.MsgTx) (*state.Tx, error) {
	d, err := c.From(msg)
	if err != nil {
		return nil, err
	}
	return d.Sign()
}

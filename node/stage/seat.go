package stage

import (
	"fmt"

	"granary/rules/goods"
	"granary/state"
)

// Seat gives a seat as it is now.
func (c *Cast) Seat(role state.Role, index uint16) (seat *state.Seat, err error) {
	err = c.chain.View(func(_ *state.Header, v state.View) error {
		seats, err := goods.ReadSeats(v)
		for i := range seats {
			if seats[i].Role == role && seats[i].Index == index {
				seat = &seats[i]
			}
		}
		if err == nil && seat == nil {
			err = fmt.Errorf("there is no %s %d", role, index)
		}
		return err
	})
	return seat, err
}

// Seated begins a transaction that acts for a seat: the seat is input 0 and
// goes on at output 0 under the same script. Outputs that the record wants
// follow, then funds, then the record.
func (c *Cast) Seated(role state.Role, index uint16) (*Draft, error) {
	seat, err := c.Seat(role, index)
	if err != nil {
		return nil, err
	}
	coin := &state.Coin{Script: seat.Script, Height: seat.Height}
	return c.Draft().Spend(Coin{seat.Out, coin}).Pay(0, seat.Script), nil
}

// Act is a transaction of a seat with nothing but its record.
func (c *Cast) Act(role state.Role, index uint16, r goods.Record) (*state.Tx, error) {
	d, err := c.Seated(role, index)
	if err != nil {
		return nil, err
	}
	return d.Record(r).Sign()
}

// Attest lets an auditor stand behind records.
func (c *Cast) Attest(auditor uint16, records ...goods.Record) (*state.Tx, error) {
	return c.Act(state.RoleAuditor, auditor, goods.NewAttest(c.charter.ID(), records...))
}

// Observed names the block below which goods are seen: the tip.
func (c *Cast) Observed() (o goods.Observed, err error) {
	err = c.chain.View(func(tip *state.Header, _ state.View) error {
		o = goods.Observed{Height: tip.Height, Hash: tip.Hash}
		return nil
	})
	return o, err
}

// Expiry is the last height at which a proposal made now may be used.
func (c *Cast) Expiry() (height int32, err error) {
	err = c.chain.View(func(tip *state.Header, v state.View) error {
		p, err := goods.ReadParameters(v)
		height = state.LaterHeight(tip.Height+1, p.AttestationLifeBlocks)
		return err
	})
	return height, err
}

// Bond lets a custodian stand good with coins of p; unbonds pay to p.
func (c *Cast) Bond(p Person, custodian uint16, units int64) (*state.Tx, error) {
	d, err := c.Seated(state.RoleCustodian, custodian)
	if err != nil {
		return nil, err
	}
	bond, _ := goods.BondOutputs(c.charter.ID(), custodian, units, p.Script)
	if err := d.Pay(bond.Value, bond.PkScript).Fund(p, 0); err != nil {
		return nil, err
	}
	return d.Record(goods.Bond{Custodian: custodian, ReturnScript: p.Script}).Sign()
}

// PayDebt lets p pay of what a custodian owes.
func (c *Cast) PayDebt(p Person, custodian uint16, units int64) (*state.Tx, error) {
	payment, _ := goods.DebtOutputs(c.charter.ID(), custodian, units)
	d := c.Draft().Pay(payment.Value, payment.PkScript)
	if err := d.Fund(p, 0); err != nil {
		return nil, err
	}
	return d.Record(goods.Slash{Custodian: custodian}).Sign()
}

// WithdrawBonds takes back what a custodian announced.
func (c *Cast) WithdrawBonds(custodian uint16) (*state.Tx, error) {
	standing, err := c.Standing(custodian)
	if err != nil {
		return nil, err
	}
	bonds, outs, _ := goods.WithdrawParts(c.charter.ID(), custodian, standing)
	d, err := c.Seated(state.RoleCustodian, custodian)
	if err != nil {
		return nil, err
	}
	for _, op := range bonds {
		coin, err := c.Coin(op)
		if err != nil {
			return nil, err
		}
		d.Spend(coin)
	}
	for _, out := range outs {
		d.Pay(out.Value, out.PkScript)
	}
	return d.Record(goods.Unbond{Step: goods.UnbondWithdraw, Custodian: custodian}).Sign()
}

package tour

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/rules/goods"
	"granary/state"
)

func (t *tour) charterAct() error {
	t.say("GRANARY: money with goods behind it. A whole life of it, on a throw-away chain on this")
	t.say("machine. Every transaction below is signed, mined and checked; nothing is painted.")
	t.say("Labels: [proved] by the chain itself, [attested] by inspectors, [claimed] by one party.")
	t.act("A charter says what the coin is")
	c := t.charter
	t.say("   %q, coin %s, on Bitcoin's own rules (regtest); charter id %.16s...", c.Name, c.Ticker, c.ID())
	for i := range c.Goods {
		g := &c.Goods[i]
		t.say("   %-7s %-22s 1 %-2s is worth %s, of which %d %% at most becomes coins", g.Code, g.Name, g.Measure, t.coins(g.ValueUnits(1)), (10_000-g.HaircutBP)/100)
	}
	p := &c.Parameters
	t.say("   Two warehouses, three auditors of whom %d must agree, a council that can change little and late.", p.QuorumAuditors)
	t.say("   For every 100 coins in circulation goods for %d must stand in a warehouse, or no coin comes out.", p.MinCoverageBP/100)
	return nil
}

func (t *tour) miningAct() error {
	t.act("Mining alone makes no money")
	if err := t.house.Mine(t.ctx, 101); err != nil {
		return err
	}
	totals, _, err := t.figures()
	if err != nil {
		return err
	}
	t.say("   %d blocks are mined. Bitcoin would have paid the miners %s; here all of it lies in a", t.house.Height(), t.coins(totals.PoolUnits))
	t.say("   treasury that no key opens. Circulating: %s.", t.coins(totals.CirculatingUnits))
	return nil
}

func (t *tour) goodsInAct() error {
	t.act("Goods come in")
	receive, err := t.receive(silo, "WHEAT-2026-17", 40_000, t.farm.Script)
	if err != nil {
		return err
	}
	t.say("   The farm brings %s of wheat, lot WHEAT-2026-17, to the North silo. Two auditors weigh it", t.kg(40_000))
	t.say("   and attest exactly this record; then the silo opens a receipt.")
	if err := t.attested(receive); err != nil {
		return err
	}
	tx, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Act(state.RoleCustodian, silo, receive) })
	if err != nil {
		return err
	}
	receipt, err := t.house.Cast.Receipt(0)
	if err != nil {
		return err
	}
	t.say("   Receipt %d: %s, transaction %.16s...", receipt.Number, t.kg(receipt.Quantity()), tx.Txid)
	t.say("   [attested] by First and Second auditor at block %d: the wheat is there", receipt.Observed)
	t.say("   [claimed]  by the North silo: it lies in %s", receipt.Location)
	t.say("   [proved]   this lot backs no other receipt, and the receipt counts to block %d, not longer", receipt.ValidUntil)
	return nil
}

// receive makes the record that opens one receipt of wheat seen now.
func (t *tour) receive(custodian uint16, serial string, quantity int64, script []byte) (r goods.Receive, err error) {
	r = goods.Receive{Custodian: custodian}
	if r.Expiry, err = t.house.Cast.Expiry(); err != nil {
		return r, err
	}
	if r.Observed, err = t.house.Cast.Observed(); err != nil {
		return r, err
	}
	r.Openings = []goods.Opening{{
		Good: wheat, Serial: serial, Quantity: quantity, Location: "Hall 3", Script: script,
		Document: chainhash.HashH([]byte("weighbridge ticket of " + serial)),
	}}
	return r, nil
}

func (t *tour) coinsOutAct() error {
	t.act("Coins come out")
	if err := t.house.Mine(t.ctx, 1); err != nil {
		return err
	}
	if len(t.released) == 0 {
		return fmt.Errorf("the miner drew nothing at block %d", t.house.Height())
	}
	r := t.released[len(t.released)-1]
	t.say("   The next miner carries the receipt's coins out of the treasury by itself: it is paid for it.")
	t.say("   Released %s: %s to the farm and %s to the miner, who earns by goods arriving,", t.coins(r.Units), t.coins(r.Units-r.FeeUnits), t.coins(r.FeeUnits))
	t.say("   never by diluting anybody.")
	return t.balance()
}

func (t *tour) paymentAct() error {
	t.act("Coins are ordinary coins")
	bakery, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Pay(t.farm, t.bakery, 9*coin) })
	if err != nil {
		return err
	}
	silo, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Pay(t.farm, t.siloInc, 2*coin) })
	if err != nil {
		return err
	}
	t.say("   The farm pays the bakery %s (%.16s...) and the silo %s of rent (%.16s...).", t.coins(9*coin), bakery.Txid, t.coins(2*coin), silo.Txid)
	t.say("   Any Bitcoin wallet can do that; any Bitcoin node follows this chain and checks it.")
	return nil
}

const coin = 100_000_000

func (t *tour) redemptionAct() error {
	t.act("Coins become goods again")
	claim, err := t.redeem(4_000)
	if err != nil {
		return err
	}
	t.say("   The bakery wants %s. It puts %s into escrow, half a percent of it the fee, and holds claim %d.", t.kg(claim.Quantity), t.coins(claim.EscrowUnits), claim.Number)
	t.say("   The silo must have the wheat ready by block %d, or all of the escrow goes back.", claim.Deadline)
	expiry, err := t.house.Cast.Expiry()
	if err != nil {
		return err
	}
	tender := goods.TenderOf(silo, expiry, []*state.Claim{claim})
	if err := t.attested(tender); err != nil {
		return err
	}
	if _, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Act(state.RoleCustodian, silo, tender) }); err != nil {
		return err
	}
	if claim, err = t.house.Cast.Claim(claim.Number); err != nil {
		return err
	}
	t.say("   [attested] block %d: the silo tenders, %s stand ready", claim.Tendered, t.kg(claim.Quantity))
	if _, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Deliver(t.bakery, claim) }); err != nil {
		return err
	}
	receipt, err := t.house.Cast.Receipt(claim.Receipt)
	if err != nil {
		return err
	}
	t.say("   [proved]   the bakery's own signature: delivered. The escrow went back into the treasury,")
	t.say("              and receipt %d stands at %s.", receipt.Number, t.kg(receipt.Quantity()))
	return t.balance()
}

// redeem lets the bakery claim wheat of receipt 0.
func (t *tour) redeem(quantity int64) (*state.Claim, error) {
	receipt, err := t.house.Cast.Receipt(0)
	if err != nil {
		return nil, err
	}
	if _, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Redeem(t.bakery, receipt, quantity) }); err != nil {
		return nil, err
	}
	claims, err := t.house.Cast.Claims(func(*state.Claim) bool { return true })
	if err != nil || len(claims) != 1 {
		return nil, fmt.Errorf("%d claims are open, %w", len(claims), err)
	}
	return claims[0], nil
}

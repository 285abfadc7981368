package benchgoods

import (
	"fmt"
	"slices"

	"granary/rules/goods"
	"granary/state"
)

// The records of a measured block: 500 in all.
const (
	mixRedeems  = 130
	mixDraws    = 100 // of a part of a receipt, anywhere
	mixDelivers = 100 // by their tokens, mixGone of them of tendered claims
	mixGone     = 30
	mixAssigns  = 80
	mixLapses   = 30 // by their tokens
	mixTenders  = 30 // of 2 claims each
	mixReceives = 15 // of 2 receipts each
	mixAudits   = 2  // of two runs of 64 receipts each, anywhere
	mixAttests  = 2  // of the tenders and receives of the next block
	mixRotates  = 11

	claimsPerTender   = 2
	receiptsOpened    = 2
	receiptsPerAudit  = 128
	receiptsPerRun    = 64
	drawMeasures      = 50
	auditorOfAttests  = 2 // and the next
	auditorOfAudits   = 0
	proposalsAttested = (mixTenders + mixReceives + mixAttests - 1) / mixAttests

	// RecordsPerBlock is how many records a measured block holds.
	RecordsPerBlock = mixRedeems + mixDraws + mixDelivers + mixAssigns + mixLapses +
		mixTenders + mixReceives + mixAudits + mixAttests + mixRotates
	// warmUpBlocks come before the first one that has the whole mix.
	warmUpBlocks = 2
)

// mix makes the blocks that are measured, one on top of the other.
type mix struct {
	*maker
	open     []uint64 // claims that wait for their tender, in no order
	tendered []uint64
	planned  []planned
	opening  int // claims that the block opens
}

// planned is an act of a custodian that was attested in the block before.
type planned struct {
	custodian uint16
	record    goods.Record
	tendered  []uint64
	receipts  uint64
}

func newMix(m *maker, view state.GoodsView) (*mix, error) {
	x := &mix{maker: m}
	err := goods.RangeClaims(view, func(c *state.Claim) bool {
		if c.Tendered == 0 {
			x.open = append(x.open, c.Number)
		} else {
			x.tendered = append(x.tendered, c.Number)
		}
		return true
	})
	return x, err
}

// fill makes block number k of the run.
func (x *mix) fill(d *draft, k int) error {
	reserved, err := x.plan(d)
	if err != nil {
		return err
	}
	if k == 0 {
		x.planned = reserved
		return nil
	}
	var back []uint64 // claims that later blocks may use
	for _, part := range []func(*draft, *[]uint64) error{x.act, x.audit, x.rotate, x.redeem, x.drawParts, x.lapse, x.deliver, x.assign} {
		if err := part(d, &back); err != nil {
			return err
		}
	}
	x.open = append(x.open, back...)
	x.planned = reserved
	return nil
}

// take removes a random claim from a list.
func (x *mix) take(list *[]uint64) (uint64, error) {
	if len(*list) == 0 {
		return 0, fmt.Errorf("the bench has too few claims for its blocks: give it more with --claims")
	}
	i, last := x.random.IntN(len(*list)), len(*list)-1
	chosen := (*list)[i]
	(*list)[i] = (*list)[last]
	*list = (*list)[:last]
	return chosen, nil
}

// plan chooses what custodians do in the next block and attests it. Custodians
// with even numbers act in blocks with even heights.
func (x *mix) plan(d *draft) ([]planned, error) {
	parity := uint16(d.height()+1) % 2
	plans, err := x.planTenders(d, parity)
	if err != nil {
		return nil, err
	}
	busy := map[uint16]bool{}
	for _, p := range plans {
		busy[p.custodian] = true
	}
	for range mixReceives {
		custodian := uint16(x.random.IntN(custodianCount/2))*2 + parity
		for busy[custodian] {
			custodian = (custodian + 2) % custodianCount
		}
		busy[custodian] = true
		plans = append(plans, planned{custodian, x.newReceive(d, custodian, receiptsOpened), nil, receiptsOpened})
	}
	var records []goods.Record
	for _, p := range plans {
		records = append(records, p.record)
	}
	for i := range uint16(mixAttests) {
		part := records[:min(len(records), proposalsAttested)]
		records = records[len(part):]
		if err := attest(d, auditorOfAttests+i, part); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// planTenders takes claims out of the open ones until so many custodians have
// a tender.
func (x *mix) planTenders(d *draft, parity uint16) ([]planned, error) {
	claims := map[uint16][]*state.Claim{}
	var order []uint16
	var rest []uint64
	for full := 0; full < mixTenders; {
		number, err := x.take(&x.open)
		if err != nil {
			return nil, err
		}
		claim, err := d.claim(number)
		if err != nil {
			return nil, err
		}
		mine := claims[claim.Custodian]
		if claim.Custodian%2 != parity || len(mine) == claimsPerTender {
			rest = append(rest, number)
			continue
		}
		if mine == nil {
			order = append(order, claim.Custodian)
		}
		if claims[claim.Custodian] = append(mine, claim); len(mine)+1 == claimsPerTender {
			full++
		}
	}
	x.open = append(x.open, rest...)
	var plans []planned
	for _, custodian := range order {
		var numbers []uint64
		for _, c := range claims[custodian] {
			numbers = append(numbers, c.Number)
		}
		if len(numbers) < claimsPerTender {
			x.open = append(x.open, numbers...)
			continue
		}
		plans = append(plans, planned{custodian, goods.TenderOf(custodian, d.height()+windowBlocks, claims[custodian]), numbers, 0})
	}
	return plans, nil
}

// act lets custodians do what was planned. What they tender waits for the next
// block.
func (x *mix) act(d *draft, _ *[]uint64) error {
	for _, p := range x.planned {
		if err := d.act(state.RoleCustodian, p.custodian, p.record); err != nil {
			return err
		}
	}
	return nil
}

// rotate moves seats of custodians that do nothing else.
func (x *mix) rotate(d *draft, _ *[]uint64) error {
	idle := 1 - uint16(d.height())%2
	for i := range uint16(mixRotates) {
		if err := d.act(state.RoleCustodian, 2*i+idle, goods.Rotate{}); err != nil {
			return err
		}
	}
	return nil
}

// audit recounts runs of receipts that came in together, anywhere.
func (x *mix) audit(d *draft, _ *[]uint64) error {
	seen := map[uint64]bool{}
	for i := range uint16(mixAudits) {
		r := goods.Audit{
			Auditor: auditorOfAudits + i, Expiry: d.height() + windowBlocks,
			Observed: goods.Observed{Height: d.parent.Height, Hash: d.parent.Hash},
		}
		for len(r.Audited) < receiptsPerAudit {
			first := x.random.Uint64N(x.receipts/receiptsPerRun) * receiptsPerRun
			if seen[first] {
				continue
			}
			seen[first] = true
			for number := first; number < first+receiptsPerRun; number++ {
				receipt, err := d.receipt(number)
				if err != nil {
					return err
				}
				r.Audited = append(r.Audited, goods.AuditedReceipt{Receipt: number, ID: receipt.ID, Lost: receipt.Lost})
			}
		}
		slices.SortFunc(r.Audited, func(a, b goods.AuditedReceipt) int { return int(int64(a.Receipt) - int64(b.Receipt)) })
		if err := d.act(state.RoleAuditor, r.Auditor, r); err != nil {
			return err
		}
	}
	return nil
}

func (x *mix) redeem(d *draft, _ *[]uint64) error {
	for range mixRedeems {
		change, err := d.redeem(x.drawn[x.random.IntN(len(x.drawn))], redeemMeasures, x.takeCoin())
		if err != nil {
			return err
		}
		d.change = append(d.change, change)
		x.opening++
	}
	return nil
}

func (x *mix) drawParts(d *draft, _ *[]uint64) error {
	done := map[uint64]bool{}
	var numbers []uint64
	for len(numbers) < mixDraws {
		number := x.random.Uint64N(x.receipts)
		receipt, err := d.receipt(number)
		if err != nil {
			return err
		}
		if receipt.Undrawn < drawMeasures || done[number] {
			continue
		}
		done[number] = true
		if err := d.draw(number, drawMeasures); err != nil {
			return err
		}
		numbers = append(numbers, number)
	}
	return nil
}

func (x *mix) lapse(d *draft, _ *[]uint64) error {
	for range min(mixLapses, len(x.tendered)) {
		claim, err := x.takeClaim(d, &x.tendered)
		if err != nil {
			return err
		}
		x.ended++
		d.txs = append(d.txs, goods.LapseTx(d.charter.ID(), claim, true))
	}
	return nil
}

func (x *mix) deliver(d *draft, _ *[]uint64) error {
	for i := range mixDelivers {
		from := &x.open
		if i < mixGone && len(x.tendered) > 0 {
			from = &x.tendered
		}
		claim, err := x.takeClaim(d, from)
		if err != nil {
			return err
		}
		x.ended++
		d.txs = append(d.txs, goods.DeliverTx(claim))
	}
	return nil
}

func (x *mix) assign(d *draft, back *[]uint64) error {
	for range mixAssigns {
		claim, err := x.takeClaim(d, &x.open)
		if err != nil {
			return err
		}
		*back = append(*back, claim.Number)
		d.txs = append(d.txs, goods.AssignTx(claim, freeScript(kindHolder, claim.Number+uint64(d.height())<<32)))
	}
	return nil
}

func (x *mix) takeClaim(d *draft, from *[]uint64) (*state.Claim, error) {
	number, err := x.take(from)
	if err != nil {
		return nil, err
	}
	return d.claim(number)
}

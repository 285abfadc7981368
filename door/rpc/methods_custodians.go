package rpc

import (
	"math"
	"math/big"

	history "granary/index/goods"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// recordHelp explains a custodian's record.
const recordHelp = "A record counts since the height in since: receipts_opened, receipts_closed, redemptions, reclaims, open_claims, tendered_in_time, tendered_late, delivered (by the custodian), delivered_by_holder, lapsed, settled, tender_blocks and delivery_blocks (blocks from the opening of a claim: count, min, mean, max, and buckets with the highest number of blocks of each), released (coins), losses (receipts of which audits took something) and loss_value (coins, at the par then), settled_escrow (coins), suspensions, lifts, suspended_blocks, defaults, debt_peak and debt_paid (coins), last_height."

func custodianMethods() []Method {
	return []Method{
		{
			Name: "listcustodians", Family: familyGoods,
			Summary: "Lists the custodians: how they stand and how they did.",
			Detail:  recordHelp,
			Result:  "An array of objects: custodian (index), name, suspended, default, counts, debt, bond_total, value and whole_value (coins), untendered_claims, record, label.",
			run:     listCustodians,
		},
		{
			Name: "getcustodian", Family: familyGoods,
			Summary: "Gives a custodian: standing, bonds, debt, allowances, and its record of punctuality.",
			Detail:  recordHelp,
			Params:  []Param{{Name: "custodian", Type: Anything, Help: "Its name or index."}},
			Result:  "An object: height, custodian, name, seat (txid, vout, since), suspended, default, counts, debt, default_at (the height at which default comes unless its bonds cover the debt), bonds (coins, with txid and vout, oldest first), bond_total, bonds_needed (coins, for what it holds), announced and ready_at (of an unbond), return_script (hex), untendered_claims, value and whole_value (coins), allowances (by good: limit, whole, free, counted, redeeming in measures, value in coins), record, label.",
			run:     getCustodian,
		},
		{
			Name: "listauditors", Family: familyGoods,
			Summary: "Lists the auditors and what they did.",
			Result:  "An array of objects: auditor (index), name, since (the height at which its holder came), attestations, audits, receipts (recounted), losses (receipts) and loss_value (coins) found, first_audit and last_audit (heights, 0: none), mean_interval (blocks between audits, 0: fewer than two), asked (inspections in which it was asked first), last_height, label.",
			run:     listAuditors,
		},
	}
}

func listCustodians(c *call) (any, error) {
	x, err := c.history()
	if err != nil {
		return nil, err
	}
	list := []object{}
	err = c.goodsView(func(b *book, v state.View) error {
		for i := range b.custodians {
			s, err := goods.ReadStanding(v, uint16(i))
			if err != nil || s == nil {
				return err
			}
			list = append(list, standingJSON(b, uint16(i), s))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range list {
		record, err := custodianRecord(x, uint16(i))
		if err != nil {
			return nil, err
		}
		list[i] = append(list[i], member{"record", record}, member{"label", proved})
	}
	return list, nil
}

// standingJSON is how a custodian stands.
func standingJSON(b *book, index uint16, s *state.Standing) object {
	return object{
		{"custodian", index},
		{"name", b.custodian(index)},
		{"suspended", s.Suspended},
		{"default", s.Defaulted},
		{"counts", s.Counts()},
		{"debt", amount(s.DebtUnits)},
		{"bond_total", amount(s.BondUnits())},
		{"value", amount(valueIf(s.Counts(), s.Counted))},
		{"whole_value", amount(s.Whole.Units())},
		{"untendered_claims", s.Untendered},
	}
}

func getCustodian(c *call) (any, error) {
	x, err := c.history()
	if err != nil {
		return nil, err
	}
	var out object
	var index uint16
	err = c.goodsView(func(b *book, v state.View) error {
		if index, err = c.custodianArg("custodian", b, history.None); err != nil {
			return err
		}
		s, err := goods.ReadStanding(v, index)
		if err != nil {
			return err
		}
		if s == nil {
			return errorf(CodeInvalidAddress, "there is no custodian %d", index)
		}
		p, err := c.parameters(v)
		if err != nil {
			return err
		}
		out = append(object{{"height", b.tip.Height}}, standingJSON(b, index, s)...)
		out = append(out, member{"seat", b.seatJSON(state.RoleCustodian, index)}, member{"bonds", bondsJSON(s)})
		out = append(out, member{"bonds_needed", amount(bondsNeeded(s, &p))})
		if s.DefaultAt != 0 {
			out = append(out, member{"default_at", s.DefaultAt})
		}
		if s.AnnouncedUnits != 0 {
			out = append(out, member{"announced", amount(s.AnnouncedUnits)}, member{"ready_at", s.ReadyAt})
		}
		if len(s.Bonds) > 0 {
			out = append(out, member{"return_script", hexOf(s.ReturnScript)})
		}
		allowances, err := b.allowancesJSON(v, index, s.Counts())
		out = append(out, member{"allowances", allowances})
		return err
	})
	if err != nil {
		return nil, err
	}
	record, err := custodianRecord(x, index)
	return append(out, member{"record", record}, member{"label", proved}), err
}

// bondsNeeded is what the bonds, less what was announced and what is owed, must
// hold for a custodian to receive and unbond, in units.
func bondsNeeded(s *state.Standing, p *params.Parameters) int64 {
	above := big.NewInt(max(0, s.Whole.Units()-p.UnbondedAllowanceUnits))
	above.Mul(above, big.NewInt(p.BondRatioBP)).Add(above, big.NewInt(9_999)).Quo(above, big.NewInt(10_000))
	if !above.IsInt64() {
		return math.MaxInt64
	}
	return above.Int64()
}

func (b *book) seatJSON(role state.Role, index uint16) object {
	for i := range b.seats {
		if s := &b.seats[i]; s.Role == role && s.Index == index {
			return object{{"txid", s.Out.Hash.String()}, {"vout", s.Out.Index}, {"height", s.Height}, {"since", s.Since}}
		}
	}
	return object{}
}

func bondsJSON(s *state.Standing) []object {
	list := []object{}
	for i := range s.Bonds {
		bond := &s.Bonds[i]
		list = append(list, object{{"txid", bond.Out.Hash.String()}, {"vout", bond.Out.Index}, {"amount", amount(bond.Units)}})
	}
	return list
}

// allowancesJSON is what a custodian may hold, and holds, of each good.
func (b *book) allowancesJSON(v state.View, custodian uint16, counts bool) ([]object, error) {
	list := []object{}
	for i, good := range b.goods {
		limit := int64(0)
		value, err := v.Goods(state.KeyAllowance(custodian, uint16(i)))
		if err == nil && value != nil {
			limit, err = state.DecodeLimit(value)
		}
		if err != nil {
			return nil, err
		}
		h, err := goods.ReadHolding(v, custodian, uint16(i))
		if err != nil {
			return nil, err
		}
		if limit == 0 && h == (state.Holding{}) {
			continue
		}
		list = append(list, append(holdingJSON(good, h, counts), member{"limit", limit}))
	}
	return list, nil
}

func custodianRecord(x *history.Index, index uint16) (object, error) {
	r, err := x.Custodian(index)
	if err != nil {
		return nil, err
	}
	_, height := x.Tip()
	suspended := r.SuspendedBlocksBefore
	if r.SuspendedSince != 0 {
		suspended += uint64(height) - r.SuspendedSince
	}
	return object{
		{"since", x.Since()},
		{"receipts_opened", r.ReceiptsOpened},
		{"receipts_closed", r.ReceiptsClosed},
		{"redemptions", r.Redemptions},
		{"reclaims", r.Reclaims},
		{"open_claims", r.OpenClaims},
		{"tendered_in_time", r.TenderedInTime},
		{"tendered_late", r.TenderedLate},
		{"delivered", r.Delivered},
		{"delivered_by_holder", r.DeliveredByToken},
		{"lapsed", r.Lapsed},
		{"settled", r.Settled},
		{"tender_blocks", distributionJSON(&r.Tender)},
		{"delivery_blocks", distributionJSON(&r.Delivery)},
		{"released", amount(r.ReleasedUnits)},
		{"losses", r.LossReceipts},
		{"loss_value", amount(r.LossUnits)},
		{"settled_escrow", amount(r.SettledUnits)},
		{"suspensions", r.Suspensions},
		{"lifts", r.Lifts},
		{"suspended_blocks", suspended},
		{"defaults", r.Defaults},
		{"debt_peak", amount(r.DebtPeakUnits)},
		{"debt_paid", amount(r.DebtPaidUnits)},
		{"last_height", r.LastHeight},
	}, nil
}

// distributionJSON leaves empty buckets out.
func distributionJSON(d *history.Distribution) object {
	o := object{{"count", d.Count}}
	if d.Count == 0 {
		return o
	}
	buckets := []object{}
	for i, n := range d.Buckets {
		if n > 0 {
			buckets = append(buckets, object{{"to", uint64(1)<<i - 1}, {"count", n}})
		}
	}
	return append(o, member{"min", d.Min}, member{"mean", d.Sum / d.Count}, member{"max", d.Max}, member{"buckets", buckets})
}

func listAuditors(c *call) (any, error) {
	x, err := c.history()
	if err != nil {
		return nil, err
	}
	var b *book
	if err := c.goodsView(func(found *book, _ state.View) error { b = found; return nil }); err != nil {
		return nil, err
	}
	list := []object{}
	for i := range b.auditors {
		r, err := x.Auditor(uint16(i))
		if err != nil {
			return nil, err
		}
		since := int32(0)
		for j := range b.seats {
			if b.seats[j].Role == state.RoleAuditor && int(b.seats[j].Index) == i {
				since = b.seats[j].Since
			}
		}
		list = append(list, object{
			{"auditor", i},
			{"name", b.auditors[i]},
			{"since", since},
			{"attestations", r.Attestations},
			{"audits", r.Audits},
			{"receipts", r.Receipts},
			{"losses", r.LossReceipts},
			{"loss_value", amount(r.LossUnits)},
			{"first_audit", r.FirstAudit},
			{"last_audit", r.LastAudit},
			{"mean_interval", r.MeanIntervalBlocks()},
			{"asked", r.Asked},
			{"last_height", r.LastHeight},
			{"label", proved},
		})
	}
	return list, nil
}

package rpc

import (
	history "granary/index/goods"
	"granary/rules/goods"
	"granary/state"
)

// claimHelp explains the fields of a claim.
const claimHelp = "A claim has number, id (hex), kind (redemption or reclaim), status (untendered, tendered, or how it ended: delivered, lapsed, settled), receipt, custodian, name, good, quantity (in measure), escrow (coins), fee_bp, opened, deadline, grace_end and, once it is tendered, tendered, pickup_end and pickup_grace_end (heights), token (txid, vout, height, scriptPubKey), label."

func claimMethods() []Method {
	return []Method{
		{
			Name: "listclaims", Family: familyGoods,
			Summary: "Lists claims on goods by number.",
			Detail:  claimHelp,
			Params: []Param{
				{Name: "custodian", Type: Anything, Optional: true, Help: `Only those that this custodian owes (name or index); "" for any.`},
				statusParam(),
				{Name: "from", Type: Integer, Optional: true, Default: "0", Help: "The first number."},
				pageParam(),
			},
			Result: "An object: height, claims (an array of objects), next (give it as from to see more; absent on the last page).",
			run:    listClaims,
		},
		{
			Name: "getclaim", Family: familyGoods,
			Summary: "Gives a claim on goods, open or gone, with its history and what may happen to it next.",
			Detail:  claimHelp + " " + eventHelp,
			Params: []Param{
				{Name: "number", Type: Integer, Help: "The claim's number."},
				pageParam(), beforeParam(),
			},
			Result: "The claim, with next_deadline (height, blocks left after the tip, what ends then) and may (what may happen: record, by whom, from and until, heights) while it is open, ended (height, txid, event) where it is gone, history (events, the newest first) and next (give it as before to see more; absent on the last page).",
			run:    getClaim,
		},
	}
}

// listedClaim is a claim for an answer, with its good.
type listedClaim struct {
	*state.Claim
	good  uint16
	ended *history.Ended // nil while it is open
}

func listClaims(c *call) (any, error) {
	x, err := c.history()
	if err != nil {
		return nil, err
	}
	count, err := c.pageArg()
	if err != nil {
		return nil, err
	}
	from, err := c.numberArg("from", 0)
	if err != nil {
		return nil, err
	}
	which := history.Which{Good: history.None}
	if which.Open, which.Closed, err = c.statusArg(); err != nil {
		return nil, err
	}
	err = c.goodsView(func(b *book, _ state.View) error {
		which.Custodian, err = c.custodianArg("custodian", b, history.None)
		return err
	})
	if err != nil {
		return nil, err
	}
	refs, more, err := x.Claims(which, from, count)
	if err != nil {
		return nil, err
	}
	numbers := make([]uint64, len(refs))
	for i := range refs {
		numbers[i] = refs[i].Number
	}
	b, claims, err := c.claims(x, numbers)
	if err != nil {
		return nil, err
	}
	list := []object{}
	for i := range claims {
		list = append(list, append(c.claimJSON(b, &claims[i]), member{"label", proved}))
	}
	out := object{{"height", b.tip.Height}, {"claims", list}}
	if more {
		out = append(out, member{"next", numbers[len(numbers)-1] + 1})
	}
	return out, nil
}

// claims reads claims, open ones from the state and ended ones from the
// history, with the book of one moment. One that neither knows is left out.
func (c *call) claims(x *history.Index, numbers []uint64) (*book, []listedClaim, error) {
	b, found, err := readNumbered(c, numbers, goods.ReadClaim)
	if err != nil {
		return nil, nil, err
	}
	var all []listedClaim
	for i, claim := range found {
		one := listedClaim{Claim: claim}
		if claim == nil {
			last, ended, err := x.EndedClaim(numbers[i])
			if err != nil {
				return nil, nil, err
			}
			if last == nil {
				continue
			}
			one.Claim, one.ended = last, &ended
		}
		if one.good, err = x.GoodOf(one.Receipt); err != nil {
			return nil, nil, err
		}
		all = append(all, one)
	}
	return b, all, nil
}

func (c *call) claimJSON(b *book, claim *listedClaim) object {
	code, measure := b.good(claim.good)
	status := "untendered"
	switch {
	case claim.ended != nil:
		status = claim.ended.Kind.String()
	case claim.Tendered != 0:
		status = "tendered"
	}
	o := object{
		{"number", claim.Number},
		{"id", hexOf(claim.ID[:])},
		{"kind", claim.Kind.String()},
		{"status", status},
		{"receipt", claim.Receipt},
		{"custodian", claim.Custodian},
		{"name", b.custodian(claim.Custodian)},
		{"good", code},
		{"quantity", claim.Quantity},
		{"measure", measure},
		{"escrow", amount(claim.EscrowUnits)},
		{"fee_bp", claim.FeeBP},
		{"opened", claim.Opened},
		{"deadline", claim.Deadline},
		{"grace_end", claim.GraceEnd()},
	}
	if claim.Tendered != 0 {
		o = append(
			o, member{"tendered", claim.Tendered}, member{"pickup_end", claim.PickupEnd()}, member{"pickup_grace_end", claim.PickupGraceEnd()},
		)
	}
	return append(o, member{"token", object{
		{"txid", claim.Token.Hash.String()},
		{"vout", claim.Token.Index},
		{"height", claim.TokenHeight},
		{"scriptPubKey", newScriptJSON(claim.TokenScript, c.server.opts.Net.Chain, true)},
	}})
}

func getClaim(c *call) (any, error) {
	x, count, before, err := c.historyPage()
	if err != nil {
		return nil, err
	}
	number, err := c.numberArg("number", 0)
	if err != nil {
		return nil, err
	}
	b, claims, err := c.claims(x, []uint64{number})
	if err != nil {
		return nil, err
	}
	if len(claims) == 0 {
		return nil, errorf(CodeInvalidAddress, "there is no claim %d", number)
	}
	claim := &claims[0]
	o := c.claimJSON(b, claim)
	if claim.ended != nil {
		o = append(o, member{"ended", endedJSON(claim.ended)})
	} else {
		o = append(o, member{"next_deadline", nextDeadline(claim.Claim, b.tip.Height)}, member{"may", mayHappen(claim.Claim)})
	}
	return c.withHistory(append(o, member{"label", proved}), b, history.OfClaim(number), before, count)
}

// nextDeadline is the next height after which a claim stands otherwise.
func nextDeadline(claim *state.Claim, tip int32) object {
	at, what := claim.Deadline, "the delivery window: the custodian tenders the goods in time"
	switch {
	case claim.Tendered != 0 && tip < claim.PickupEnd():
		at, what = claim.PickupEnd(), "the pickup window: the holder collects, or lapses"
	case claim.Tendered != 0 && tip < claim.PickupGraceEnd():
		at, what = claim.PickupGraceEnd(), "the custodian's time to deliver without the token"
	case claim.Tendered != 0:
		return object{{"what", "nothing: anyone may lapse it"}}
	case tip >= claim.GraceEnd():
		return object{{"what", "nothing: anyone may settle it"}}
	case tip >= claim.Deadline:
		at, what = claim.GraceEnd(), "the grace window: the custodian may still tender"
	}
	return object{{"height", at}, {"blocks", at - tip}, {"what", what}}
}

// mayHappen lists the records that may name a claim, with the first and the
// last height of each; no last where there is none.
func mayHappen(claim *state.Claim) []object {
	may := []object{{{"record", "deliver"}, {"by", "holder of the token"}, {"from", claim.TokenHeight + 1}}}
	may = append(may, object{{"record", "assign"}, {"by", "holder of the token"}, {"from", claim.TokenHeight + 1}})
	if claim.Tendered == 0 {
		return append(
			may,
			object{{"record", "tender"}, {"by", "custodian, attested"}, {"from", claim.Opened + 1}, {"until", claim.GraceEnd()}},
			object{{"record", "settle"}, {"by", "anyone"}, {"from", after(claim.GraceEnd())}},
		)
	}
	return append(
		may,
		object{{"record", "lapse"}, {"by", "holder of the token"}, {"from", max(claim.Tendered, claim.TokenHeight) + 1}},
		object{{"record", "deliver"}, {"by", "custodian, attested"}, {"from", after(claim.PickupEnd())}, {"until", claim.PickupGraceEnd()}},
		object{{"record", "lapse"}, {"by", "anyone"}, {"from", after(claim.PickupGraceEnd())}},
	)
}

// after is the next height.
func after(height int32) int32 { return state.LaterHeight(height, 1) }

package rpc

import (
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// amendJSON is what an amendment announces, or the change that it withdraws.
type amendJSON struct {
	Step       string             `json:"step"` // announce, withdraw
	ID         string             `json:"id,omitempty"`
	Parameters object             `json:"parameters,omitempty"` // in their own units, by name
	Goods      []goodChangeJSON   `json:"goods,omitempty"`
	Allowances []allowanceJSON    `json:"allowances,omitempty"`
	Custodians []newCustodianJSON `json:"custodians,omitempty"`
	Auditors   []string           `json:"auditors,omitempty"`
}

type goodChangeJSON struct {
	Index uint16 `json:"index"`
	goodJSON
}

// allowanceJSON is the limit in measures; 0 takes the allowance away.
type allowanceJSON struct {
	Custodian *uint16 `json:"custodian,omitempty"`
	Good      uint16  `json:"good"`
	Limit     int64   `json:"limit"`
}

type newCustodianJSON struct {
	Name       string          `json:"name"`
	Allowances []allowanceJSON `json:"allowances"`
}

// reseatJSON is who loses a seat, or the change that is withdrawn.
type reseatJSON struct {
	Step   string `json:"step"`             // announce, withdraw
	By     string `json:"by"`               // council, or the auditor that acts for all
	Expiry *int32 `json:"expiry,omitempty"` // where an auditor acts
	Seat   string `json:"seat,omitempty"`
	Script string `json:"script,omitempty"`
	ID     string `json:"id,omitempty"`
}

func newGoodJSON(g *params.Good) goodJSON {
	return goodJSON{
		g.Code, g.Name, g.Measure, g.ParNum, g.ParDen, g.HaircutBP, g.MaxAgeBlocks, g.MinReceipt, g.MinRedemption,
	}
}

func explainAmend(r *goods.Amend) *amendJSON {
	if r.Withdraw {
		return &amendJSON{Step: "withdraw", ID: hexOf(r.ID[:])}
	}
	j := &amendJSON{Step: "announce", Auditors: r.Auditors}
	for _, p := range r.Parameters {
		if int(p.Parameter) < len(params.ParameterRules) {
			j.Parameters = append(j.Parameters, member{params.ParameterRules[p.Parameter].Name, p.Value})
		}
	}
	for i := range r.Goods {
		j.Goods = append(j.Goods, goodChangeJSON{r.Goods[i].Index, newGoodJSON(&r.Goods[i].Good)})
	}
	for _, a := range r.Allowances {
		j.Allowances = append(j.Allowances, allowanceJSON{&a.Custodian, a.Good, a.Limit})
	}
	for i := range r.Custodians {
		joins := newCustodianJSON{Name: r.Custodians[i].Name}
		for _, a := range r.Custodians[i].Allowances {
			joins.Allowances = append(joins.Allowances, allowanceJSON{nil, a.Good, a.Limit})
		}
		j.Custodians = append(j.Custodians, joins)
	}
	return j
}

func explainReseat(r *goods.Reseat) *reseatJSON {
	j := &reseatJSON{Step: "withdraw", By: "council"}
	if r.OfCouncil() {
		j.By, j.Expiry = seatName(state.RoleAuditor, r.Auditor), &r.Expiry
	}
	if !r.Announces() {
		j.ID = hexOf(r.ID[:])
		return j
	}
	role, index := r.Seat()
	j.Step, j.Seat, j.Script = "announce", seatName(role, index), hexOf(r.Script)
	return j
}

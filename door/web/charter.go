package web

import (
	"encoding/hex"
	"net/http"
	"strings"

	"granary/params"
	"granary/rules/goods"
)

// charterView is the charter for a person.
type charterView struct {
	Name, ID, Ticker, Network  string
	Decimals                   uint8
	Rules                      uint32
	TreasuryScript, Treasury   string
	Challenge                  string
	Goods                      []goodView
	Custodians                 []custodianView
	Parameters                 []parameterView
	Registries                 []string
	TermsHash, JurisdictionSum string
}

type goodView struct {
	Code, Name, Measure       string
	ParNum, ParDen            int64
	HaircutBP, MaxAgeBlocks   int64
	MinReceipt, MinRedemption int64
	PerWhole                  bool // one measure is worth whole units
	UnitsPerMeasure           int64
}

type custodianView struct {
	Name       string
	Allowances []allowanceView
}

type allowanceView struct {
	Good, Measure string
	Limit         int64
}

type parameterView struct {
	Name, Unit, Explanation string
	Value, Low, High        int64
	Money, BasisPoints      bool
	Fixed                   bool // an amendment cannot move it
}

// parameterWords say what a parameter does.
var parameterWords = map[string]string{
	"min_coverage_bp":          "Reserve that must stand behind circulating coins after every release",
	"miner_share_bp":           "Share of every release that its miner earns",
	"block_release_cap_units":  "Most that one block may release",
	"quorum_auditors":          "Auditors who must attest together",
	"delivery_window_blocks":   "Time a custodian has to deliver",
	"pickup_window_blocks":     "Time a holder has to collect",
	"grace_window_blocks":      "Slack before a settlement",
	"attestation_life_blocks":  "How long an attestation lives",
	"amendment_delay_blocks":   "Delay before an amendment takes effect",
	"redemption_fee_bp":        "Fee on redemption",
	"min_draw_units":           "Least amount of a draw",
	"unbonded_allowance_units": "Value a custodian may hold without a bond",
	"bond_ratio_bp":            "Bond a custodian must post for the rest",
	"penalty_bp":               "Penalty on goods not delivered",
}

func (s *Server) charter(*http.Request) (*page, error) {
	charter := s.options.Charter
	if charter == nil {
		return nil, notFound("This chain has no charter: it runs on Bitcoin's rules alone.")
	}
	script := goods.TreasuryScript(charter.ID())
	view := &charterView{
		Name: charter.Name, ID: charter.ID().String(), Ticker: charter.Ticker, Decimals: charter.Decimals,
		Rules: charter.Rules, Network: s.options.Net.Name, TreasuryScript: hex.EncodeToString(script),
		Treasury: s.script(script).Address, Challenge: hex.EncodeToString(s.options.Net.SignetChallenge),
		Registries: charter.Registries, TermsHash: hashOrNone(charter.TermsHash), JurisdictionSum: hashOrNone(charter.JurisdictionHash),
	}
	for i := range charter.Goods {
		view.Goods = append(view.Goods, viewGood(&charter.Goods[i]))
	}
	for i := range charter.Custodians {
		custodian := custodianView{Name: charter.Custodians[i].Name}
		for _, allowance := range charter.Custodians[i].Allowances {
			good := &charter.Goods[allowance.Good]
			custodian.Allowances = append(custodian.Allowances, allowanceView{good.Name, good.Measure, allowance.Limit})
		}
		view.Custodians = append(view.Custodians, custodian)
	}
	values, low, high := charter.Parameters.Values(), charter.Low.Values(), charter.High.Values()
	for i, rule := range params.ParameterRules {
		view.Parameters = append(view.Parameters, parameterView{
			Name: rule.Name, Unit: rule.Unit, Value: *values[i], Low: *low[i], High: *high[i],
			Money: strings.HasSuffix(rule.Name, "_units"), BasisPoints: strings.HasSuffix(rule.Name, "_bp"),
			Fixed: *low[i] == *high[i], Explanation: parameterWords[rule.Name],
		})
	}
	return &page{Title: "Charter", Template: "charter", Section: "charter", Body: view}, nil
}

func hashOrNone(hash [32]byte) string {
	if hash == [32]byte{} {
		return ""
	}
	return hex.EncodeToString(hash[:])
}

// viewGood shows the par as "1 measure = N units" where it comes out whole and
// as a fraction otherwise.
func viewGood(g *params.Good) goodView {
	view := goodView{
		Code: g.Code, Name: g.Name, Measure: g.Measure, ParNum: g.ParNum, ParDen: g.ParDen,
		HaircutBP: g.HaircutBP, MaxAgeBlocks: g.MaxAgeBlocks, MinReceipt: g.MinReceipt, MinRedemption: g.MinRedemption,
	}
	view.PerWhole = g.ParDen > 0 && g.ParNum%g.ParDen == 0
	if view.PerWhole {
		view.UnitsPerMeasure = g.ParNum / g.ParDen
	}
	return view
}

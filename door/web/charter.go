package web

import (
	"encoding/hex"
	"net/http"
	"strings"

	"granary/params"
	"granary/rules/goods"
)

// charterView is the charter for a person: what it said at launch, and what of
// it is in force.
type charterView struct {
	Name, ID, Ticker, Network  string
	Decimals                   uint8
	Rules                      uint32
	TreasuryScript, Treasury   string
	Challenge                  string
	Height                     int32
	Goods                      []goodView
	Custodians                 []limitsView
	Parameters                 []parameterView
	Amended                    int // parameters and goods that are not as at launch
	Pending                    int // changes that were announced
	Registries                 []string
	TermsHash, JurisdictionSum string
}

// goodView is a good in force, beside the launch.
type goodView struct {
	Code, Name string
	Since      int32  // the height from which it is as it is; 1: launch
	Joined     bool   // it is not of the charter
	Pending    string // the par to come, "" where none
	Facts      []factView
}

// factView is something in force, and what it was at launch where that differs.
type factView struct{ Name, Now, Launch string }

type limitsView struct {
	Name       string
	Index      int
	Joined     bool
	Allowances []factView // by good
}

type parameterView struct {
	Name, Unit, Explanation  string
	Value, Launch, Low, High int64
	Money, BasisPoints       bool
	Fixed                    bool // an amendment cannot move it
	Changed                  bool
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
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	script := goods.TreasuryScript(charter.ID())
	view := &charterView{
		Name: charter.Name, ID: charter.ID().String(), Ticker: charter.Ticker, Decimals: charter.Decimals, Height: l.tip.Height,
		Rules: charter.Rules, Network: s.options.Net.Name, TreasuryScript: hex.EncodeToString(script),
		Treasury: s.script(script).Address, Challenge: hex.EncodeToString(s.options.Net.SignetChallenge),
		Registries: charter.Registries, TermsHash: hashOrNone(charter.TermsHash), JurisdictionSum: hashOrNone(charter.JurisdictionHash),
	}
	for i := range l.goods {
		good := s.viewGood(i, l.goods[i])
		if good.Joined || good.Since > 1 {
			view.Amended++
		}
		view.Goods = append(view.Goods, good)
	}
	for i := range l.custodians {
		view.Custodians = append(view.Custodians, s.viewLimits(l, i))
	}
	view.Parameters = s.viewParameters(l)
	for i := range view.Parameters {
		if view.Parameters[i].Changed {
			view.Amended++
		}
	}
	for _, change := range l.pending {
		if change != nil {
			view.Pending++
		}
	}
	return &page{Title: "Charter", Template: "charter", Section: "charter", Body: view}, nil
}

func (s *Server) viewParameters(l *ledger) (views []parameterView) {
	charter, now := s.options.Charter, l.params
	if l.tip.Height == 0 {
		now = charter.Parameters
	}
	values, launch, low, high := now.Values(), charter.Parameters.Values(), charter.Low.Values(), charter.High.Values()
	for i, rule := range params.ParameterRules {
		views = append(views, parameterView{
			Name: rule.Name, Unit: rule.Unit, Value: *values[i], Launch: *launch[i], Low: *low[i], High: *high[i],
			Money: isMoney(rule.Name), BasisPoints: isBasisPoints(rule.Name),
			Fixed: *low[i] == *high[i], Changed: *values[i] != *launch[i], Explanation: parameterWords[rule.Name],
		})
	}
	return views
}

func isMoney(parameter string) bool       { return strings.HasSuffix(parameter, "_units") }
func isBasisPoints(parameter string) bool { return strings.HasSuffix(parameter, "_bp") }

func hashOrNone(hash [32]byte) string {
	if hash == [32]byte{} {
		return ""
	}
	return hex.EncodeToString(hash[:])
}

// viewGood shows a good in force beside the charter's.
func (s *Server) viewGood(i int, g *goods.Good) goodView {
	view := goodView{Code: g.Code, Name: g.Name, Since: g.Since, Joined: i >= len(s.options.Charter.Goods)}
	if g.Pending != nil {
		view.Pending = s.par(g.Pending)
	}
	launch := &g.Good
	if !view.Joined {
		launch = &s.options.Charter.Goods[i]
	}
	fact := func(name string, say func(*params.Good) string) {
		view.Facts = append(view.Facts, newFact(name, say(&g.Good), say(launch)))
	}
	fact("Par", s.par)
	fact("Haircut", func(g *params.Good) string { return percentBP(g.HaircutBP) })
	fact("An attestation counts for", func(g *params.Good) string { return plural(g.MaxAgeBlocks, "block") })
	fact("Smallest receipt", func(g *params.Good) string { return measures(g.MinReceipt, g.Measure) })
	fact("Smallest redemption", func(g *params.Good) string { return measures(g.MinRedemption, g.Measure) })
	return view
}

// newFact keeps what was at launch only where it differs.
func newFact(name, now, launch string) factView {
	if now == launch {
		launch = ""
	}
	return factView{name, now, launch}
}

// viewLimits shows what a custodian may hold beside the charter.
func (s *Server) viewLimits(l *ledger, i int) limitsView {
	view := limitsView{Name: l.custodian(uint16(i)), Index: i, Joined: i >= len(s.options.Charter.Custodians)}
	launch := map[uint16]int64{}
	if !view.Joined {
		for _, a := range s.options.Charter.Custodians[i].Allowances {
			launch[a.Good] = a.Limit
		}
	}
	for good := range l.counts.Goods {
		now, was := l.limits[place{uint16(i), good}], launch[good]
		if view.Joined {
			was = now
		}
		if now == 0 && was == 0 {
			continue
		}
		say := func(limit int64) string {
			if limit == 0 {
				return "none"
			}
			return "up to " + l.quantity(good, limit)
		}
		view.Allowances = append(view.Allowances, newFact(l.good(good).Name, say(now), say(was)))
	}
	return view
}

package formal

import (
	"strings"
	"testing"
)

// world is one run: who takes part in it, and how large it is.
type world struct {
	name    string
	defines string // separated by blanks
	formula string // a temporal property; without one, the properties of every state
	large   bool   // visited by "make formal" only
	all     bool   // every step of it must be taken in some history
}

var worlds = []world{
	{name: "claims", defines: "MEASURES=3 POOL=6 RECLAIMS", all: true},
	{name: "watchful holder", defines: "HONEST MEASURES=3 POOL=6", all: true},
	{name: "every claim ends", defines: "FAIR MEASURES=3 POOL=6 UNBONDS", formula: "claims_end"},
	{name: "default is for good", defines: "FAIR MEASURES=3 POOL=6 UNBONDS", formula: "default_is_for_good", large: true},
	{name: "bonds and gifts", defines: "MEASURES=3 POOL=6 RECLAIMS UNBONDS OVERPAY GIFTS", large: true, all: true},
	{name: "windows of two blocks", defines: "MEASURES=3 POOL=6 RECLAIMS UNBONDS WINDOW=2 GRACE=2 PICKUP=2", large: true, all: true},
	{name: "four measures, haircut, high fees", defines: "MEASURES=4 POOL=8 PARNUM=2 PARDEN=1 HAIRCUT=3 FEE=3 SHARE=2 UNBONDS RECLAIMS ONE_CLAIM", large: true},
	{name: "par changes", defines: "MEASURES=3 POOL=6 UNBONDS PAR_CHANGES", large: true, all: true},
	{name: "two receipts", defines: "RECEIPTS=2 POOL=6 RECEIVES UNBONDS", large: true, all: true},
	{name: "two custodians", defines: "RECEIPTS=2 CUSTODIANS=2 POOL=6 NO_BONDS", large: true},
	{name: "two custodians with bonds", defines: "MEASURES=1 PARNUM=3 PARDEN=1 RECEIPTS=2 CUSTODIANS=2 POOL=6 SUBSIDIES=0 ONE_CLAIM", large: true},
	{name: "watchful holder, two blocks, minimum", defines: "HONEST MINIMUM=2 MEASURES=3 POOL=6 RECLAIMS WINDOW=2 PICKUP=2 UNBONDS", large: true},
	{name: "watchful holder, two custodians", defines: "HONEST RECEIPTS=2 CUSTODIANS=2 POOL=6 NO_BONDS ONE_CLAIM", large: true},
	{name: "watchful holder, par changes", defines: "HONEST PAR_CHANGES POOL=6", large: true},
}

// TestEveryState visits all states of each world: no property is violated.
func TestEveryState(t *testing.T) {
	to := findTools(t)
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			if w.large && !whole() {
				t.Skip("a large world: make formal visits it")
			}
			level := compileFast
			if w.large {
				level = searchFast
			}
			f := to.explore(t, strings.Fields(w.defines), w.formula, level)
			t.Logf("%s states, %s transitions", f.states, f.transitions)
			if f.violated != "" {
				t.Errorf("%s is violated:\n%s", f.violated, f.trace)
			}
			if w.all && len(f.unreached) > 0 {
				t.Errorf("steps that no history takes:\n%s", strings.Join(f.unreached, "\n"))
			}
		})
	}
}

// TestBrokenRulesAreCaught breaks one rule at a time: the search must find the
// history that shows it, and the property that it violates.
func TestBrokenRulesAreCaught(t *testing.T) {
	to := findTools(t)
	for _, b := range []struct {
		rule, defines string
		violates      string
		formula       bool // the property is one
		large         bool
	}{
		{rule: "SETTLE_LEAVES_CLAIM", violates: "one_outcome_per_claim"},
		{rule: "JUDGED_ON_BLOCK_START", violates: "one_outcome_per_claim", large: true},
		{rule: "RELEASE_ROUNDED_UP", violates: "release_within_credit", large: true},
		{rule: "WITHDRAW_WITH_DEBT", defines: "UNBONDS", violates: "no_withdrawal_with_debt", large: true},
		{rule: "SLASH_LEAVES_ANNOUNCED", defines: "UNBONDS", violates: "announced_within_bonds", large: true},
		{rule: "DEFAULT_NOT_CALLED_OFF", violates: "default_only_after_grace_in_deficit", large: true},
		{rule: "DEFAULT_CLOSES_REDEMPTION", violates: "free_goods_can_be_redeemed", large: true},
		{rule: "DELIVER_WITHOUT_PICKUP", defines: "HONEST", violates: "watchful_holder_not_overruled"},
		{rule: "SETTLE_SPARES_SUSPENDED", defines: "FAIR", violates: "claims_end", formula: true},
		{rule: "SETTLE_SPARES_SUSPENDED", defines: "HONEST", violates: "holder_is_free_in_time", large: true},
	} {
		t.Run(b.rule+" "+b.violates, func(t *testing.T) {
			if b.large && !whole() {
				t.Skip("make formal runs it")
			}
			formula := ""
			if b.formula {
				formula = b.violates
			}
			f := to.explore(t, append(strings.Fields(b.defines), "MEASURES=3", "POOL=6", "BROKEN_"+b.rule), formula, compileFast)
			if f.violated != b.violates {
				t.Errorf("%q is violated, %s should be (%s states)\n%s", f.violated, b.violates, f.states, f.trace)
			}
		})
	}
}

// TestWhatMattersHappens finds a history to each state in which rules meet.
func TestWhatMattersHappens(t *testing.T) {
	to := findTools(t)
	if !whole() {
		t.Skip("make formal runs it")
	}
	for name, state := range map[string]string{
		"a default with an escrow open":      "cu[0].defaulted && escrow > 0",
		"goods free at one in default":       "cu[0].defaulted && rc[0].free > 0 && purse > 3",
		"a withdrawal under way, then debt":  "cu[0].announced > 0 && cu[0].debt > 0",
		"two bonds below the debt":           "cu[0].newer > 0 && cu[0].debt > BONDS(0)",
		"less goods than coins":              "circulating > D && rc[0].free > 0",
		"one claim tendered, the other late": "cl[0].tendered && LATE(1, 0)",
		"all delivered":                      "rc[0].delivered == rc[0].opened",
		"all lost, and paid for":             "rc[0].lost == rc[0].opened && cu[0].debt == 0",
	} {
		t.Run(name, func(t *testing.T) {
			f := to.explore(t, []string{"MEASURES=3", "POOL=6", "RECLAIMS", "UNBONDS", "WITNESS=(" + state + ")"}, "", compileFast)
			if f.violated != "witness" {
				t.Errorf("no history leads there (%s states; %q)", f.states, f.violated)
			}
		})
	}
}

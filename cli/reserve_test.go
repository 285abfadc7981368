package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestReserveOfANode asks a node whose chain has nothing yet.
func TestReserveOfANode(t *testing.T) {
	inProofWorld(t, func(w *proofWorld) {
		w.mine(3)
		out := w.online("reserve")
		for _, want := range []string{"after block 3, ", "proved by the chain", "circulating", "WHEAT kg", "North silo", "in good standing", "attested"} {
			if !strings.Contains(out, want) {
				t.Errorf("reserve lacks %q:\n%s", want, out)
			}
		}
		var figures reserveFigures
		if err := json.Unmarshal([]byte(w.online("reserve", "--json")), &figures); err != nil || figures.Height != 3 || len(figures.Goods) != 3 {
			t.Errorf("%+v, %v", figures, err)
		}
	})
}

// TestReserveTable: large figures, long names and trouble stay within 80
// columns, aligned.
func TestReserveTable(t *testing.T) {
	bp := int64(11_980)
	figures := reserveFigures{
		Height: 9, Circulating: "20999999.97690000", Reserve: "20999999.97690000", RedemptionBase: "20999999.97690000", Redeeming: "0.90000000", Pool: "0.00000000",
		Escrow: "0.90450000", Bonds: "12.00000000", CoverageBP: &bp, MinCoverageBP: 11_000, Label: "proved by the chain",
		Goods: []reserveGood{
			{"ABCDEFGHIJKL", "measures", 9_000_000_000_000, 8_000_000_000_000, 8_000_000_000_000, "20999999.97690000", "1.0"},
			{"WHEAT", "kg", 20_000, 18_200, 18_200, "9.10000000", "10.00000000"},
		},
		Custodians: []reserveCustodian{
			{Name: strings.Repeat("Ware", 16), Suspended: true, Debt: "0.43500000", Bonds: "12.00000000", Value: "0.00000000", Goods: []reserveGood{
				{"ABCDEFGHIJKL", "measures", 9_000_000_000_000, 8_000_000_000_000, 8_000_000_000_000, "0.00000000", "1.0"},
			}},
			{Name: "Harbour vault", Default: true, Debt: "0.00000000", Bonds: "0.00000000", Value: "0.00000000"},
		},
	}
	var out bytes.Buffer
	if err := figures.print(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{
		"  circulating      20999999.9769\n",
		"  coverage              119.80 %  at least 110.00 % after every release\n",
		" WHEAT kg                      20000         18200         18200          9.10\n",
		"   SUSPENDED, owes 0.435, bonds 12.00, value 0.00\n",
		"   IN DEFAULT, value 0.00\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	figures.CoverageBP = nil
	out.Reset()
	if err := figures.print(&out); err != nil || !strings.Contains(out.String(), " -  at least") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

package rpc

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"granary/params"
)

func TestAmountsAreExact(t *testing.T) {
	for units, want := range map[amount]string{
		0: "0.00000000", 1: "0.00000001", -1: "-0.00000001", 5_000_000_000: "50.00000000",
		params.MaxMoneyUnits: "21000000.00000000", math.MaxInt64: "92233720368.54775807", math.MinInt64: "-92233720368.54775808",
		123456789: "1.23456789",
	} {
		if got := units.String(); got != want {
			t.Errorf("%d prints as %s, want %s", int64(units), got, want)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "1": 1e8, "0.00000001": 1, "1e-8": 1, "0.1e1": 1e8, "1E+2": 1e10, "0.10": 1e7,
		"20999999.9999999": 2099999999999990, "-1.5": -15e7, "0.000000010": 1, "100000000e-8": 1e8, "1.000000000000": 1e8,
		"0e5": 0, "0.0000000000": 0,
	} {
		if got, ok := parseAmount(text); !ok || got != want {
			t.Errorf("%s gives %d %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "a", "1.", ".1", "01", "1 ", " 1", "+1", "0x1", "1e", "1e99", "1e-99", "0.000000001", "1e-9", "1.000000001",
		"99999999999999999999", `"1"`, "1,5", "--1", "1e1e1", "92233720369", "\u0661",
	} {
		if got, ok := parseAmount(text); ok {
			t.Errorf("took %q as %d", text, got)
		}
	}
}

func TestAmountRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.Int64Range(-params.MaxMoneyUnits, params.MaxMoneyUnits).Draw(t, "units")
		if got, ok := parseAmount(amount(units).String()); !ok || got != units {
			t.Fatalf("%d came back as %d", units, got)
		}
	})
}

func TestDifficultyPrintsAsCore(t *testing.T) {
	for bits, want := range map[uint32]string{
		0x207fffff: "4.656542373906925e-10", // regtest
		0x1d00ffff: "1",                     // the first block of the main network
		0x1b0404cb: "16307.42093852398",
		0x170331db: "88104191118793.16",
		0x1e0377ae: "0.001126515290698186", // the public signet
		0x1d00d86a: "1.182899534312841",
		0x1a05db8b: "2864140.507810974", 0x1c05a3f4: "45.38582234101263",
	} {
		raw, err := difficulty(bits).MarshalJSON()
		if err != nil || string(raw) != want {
			t.Errorf("bits %08x: %s, want %s", bits, raw, want)
		}
	}
	for value, want := range map[float]string{1: "1", 0.5: "0.5", 1e6: "1000000", 1e15: "1000000000000000", 1e16: "1e+16", 0: "0", 0.0001: "0.0001", 0.00001: "1e-05"} {
		if raw, _ := value.MarshalJSON(); string(raw) != want {
			t.Errorf("%v prints as %s, want %s", float64(value), raw, want)
		}
	}
}

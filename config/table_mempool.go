package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"granary/mempool/policy"
	"granary/params"
)

// mempoolRows are Bitcoin Core's options of what waits for a block.
func mempoolRows() []Option {
	d := policy.Defaults()
	return append([]Option{
		{
			Name: "maxmempool", Group: "Mempool", Arg: "MB", Default: "300", kind: kindInt,
			Help: "Memory of the mempool in megabytes", set: setInt(5, 1<<20, func(s *Settings) *int { return &s.MaxMempoolMB }),
		},
		{
			Name: "mempoolexpiry", Group: "Mempool", Arg: "HOURS", Default: "336", kind: kindInt,
			Help: "How long a transaction waits for a block", set: setInt(1, 1<<20, func(s *Settings) *int { return &s.MempoolExpiryHours }),
		},
		{
			Name: "mempoolfullrbf", Group: "Mempool", Default: "1", kind: kindBool,
			Help: "Let every transaction be replaced by one that pays more; 0: those that signal it", set: setBool(func(s *Settings) *bool { return &s.FullReplacement }),
		},
		{
			Name: "persistmempool", Group: "Mempool", Default: "1", kind: kindBool,
			Help: "Keep the mempool in a file from one run to the next", set: setBool(func(s *Settings) *bool { return &s.PersistMempool }),
		},
		{
			Name: "acceptstalefeeestimates", Group: "Mempool", Default: "0", kind: kindBool,
			Help: "Use fee estimates of an earlier run however old; regtest only", set: setBool(func(s *Settings) *bool { return &s.AcceptStaleFeeEstimates }),
		},
		{
			Name: "acceptnonstdtxn", Group: "Mempool", Default: "0", kind: kindBool,
			Help: "Let valid but unusual transactions into the mempool; regtest and signet only", set: setBool(func(s *Settings) *bool { return &s.AcceptNonStd }),
		},
		{
			Name: "datacarrier", Group: "Mempool", Default: "1", kind: kindBool,
			Help: "Take transactions that carry data", set: setBool(func(s *Settings) *bool { return &s.DataCarrier }),
		},
		{
			Name: "datacarriersize", Group: "Mempool", Arg: "BYTES", Default: strconv.Itoa(d.DataCarrierBytes), kind: kindInt,
			Help: "Size of an output script that carries data at most", set: setInt(0, 1<<20, func(s *Settings) *int { return &s.Policy.DataCarrierBytes }),
		},
		{
			Name: "permitbaremultisig", Group: "Mempool", Default: "1", kind: kindBool,
			Help: "Take outputs that are a multisig script", set: setBool(func(s *Settings) *bool { return &s.Policy.BareMultisig }),
		},
	}, feeRows(&d)...)
}

// feeRows are those with an amount, and the bounds of chains of transactions.
func feeRows(d *policy.Settings) []Option {
	fee := func(name, help string, units int64, field func(*Settings) *int64) Option {
		return Option{
			Name: name, Group: "Mempool", Arg: "COINS", Default: formatCoins(units), kind: kindText,
			Help: help + ", in coins per 1,000 virtual bytes", set: setCoins(name, field),
		}
	}
	count := func(name, help string, n int, field func(*Settings) *int) Option {
		return Option{Name: name, Group: "Mempool", Arg: "N", Default: strconv.Itoa(n), kind: kindInt, Help: help, set: setInt(1, 1<<20, field)}
	}
	size := func(name, help string, vbytes int64, field func(*Settings) *int64) Option {
		return Option{
			Name: name, Group: "Mempool", Arg: "KVB", Default: strconv.FormatInt(vbytes/1000, 10), kind: kindInt,
			Help: help + ", in thousands of virtual bytes", set: setScaled(1, 1<<20, 1000, field),
		}
	}
	return []Option{
		fee("minrelaytxfee", "Least fee of a transaction that is taken and told on", d.MinRelayUnitsPerKVB, func(s *Settings) *int64 { return &s.Policy.MinRelayUnitsPerKVB }),
		fee("incrementalrelayfee", "Fee that a replacement adds", d.IncrementalUnitsPerKVB, func(s *Settings) *int64 { return &s.Policy.IncrementalUnitsPerKVB }),
		fee("dustrelayfee", "Fee by which an output counts as dust", d.DustUnitsPerKVB, func(s *Settings) *int64 { return &s.Policy.DustUnitsPerKVB }),
		{
			Name: "bytespersigop", Group: "Mempool", Arg: "N", Default: strconv.FormatInt(d.BytesPerSigOp, 10), kind: kindInt,
			Help: "Virtual bytes that a signature operation counts as", set: setScaled(1, 1<<20, 1, func(s *Settings) *int64 { return &s.Policy.BytesPerSigOp }),
		},
		count("limitancestorcount", "Unconfirmed ancestors at most, itself counted", d.MaxAncestors, func(s *Settings) *int { return &s.Policy.MaxAncestors }),
		size("limitancestorsize", "Size of a transaction with its unconfirmed ancestors", d.MaxAncestorVBytes, func(s *Settings) *int64 { return &s.Policy.MaxAncestorVBytes }),
		count("limitdescendantcount", "Unconfirmed descendants at most, itself counted", d.MaxDescendants, func(s *Settings) *int { return &s.Policy.MaxDescendants }),
		size("limitdescendantsize", "Size of a transaction with its unconfirmed descendants", d.MaxDescendantVBytes, func(s *Settings) *int64 { return &s.Policy.MaxDescendantVBytes }),
	}
}

func setScaled(least, most, scale int64, field func(*Settings) *int64) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		var n int
		if err := setInt(int(least), int(most), func(*Settings) *int { return &n })(s, value); err != nil {
			return err
		}
		*field(s) = int64(n) * scale
		return nil
	}
}

// setCoins reads an amount of coins such as 0.00001.
func setCoins(name string, field func(*Settings) *int64) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		units, ok := parseCoins(value)
		if !ok {
			return inCore("Invalid amount for -%s=<amount>: '%s'", name, value)
		}
		*field(s) = units
		return nil
	}
}

func parseCoins(text string) (units int64, ok bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > 8 || whole+fraction == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", 8-len(fraction)), 10, 64)
	return int64(n), err == nil && n <= math.MaxInt64 && int64(n) <= params.MaxMoneyUnits
}

func formatCoins(units int64) string {
	text := fmt.Sprintf("%d.%08d", units/params.UnitsPerCoin, units%params.UnitsPerCoin)
	return strings.TrimRight(text, "0")
}

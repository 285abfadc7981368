package mempool

import (
	"fmt"
	"strconv"

	"granary/params"
)

func itoa(n int) string { return strconv.Itoa(n) }

// coinText is an amount in coins without needless zeros behind the second
// place, as Core's refusals show it.
func coinText(units int64) string {
	sign := ""
	if units < 0 {
		sign, units = "-", -units
	}
	text := fmt.Sprintf("%s%d.%08d", sign, units/params.UnitsPerCoin, units%params.UnitsPerCoin)
	for i := 0; i < 6 && text[len(text)-1] == '0'; i++ {
		text = text[:len(text)-1]
	}
	return text
}

// rateText is a fee rate in coins for 1,000 virtual bytes.
func rateText(feeUnits, vbytes int64) string {
	perKVB := feeUnits / vbytes * 1000
	perKVB += feeUnits % vbytes * 1000 / vbytes
	sign := ""
	if perKVB < 0 {
		sign, perKVB = "-", -perKVB
	}
	return fmt.Sprintf("%s%d.%08d BTC/kvB", sign, perKVB/params.UnitsPerCoin, perKVB%params.UnitsPerCoin)
}

package goods_test

import (
	"encoding/hex"
	"math/big"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// coinbaseCode is the code of the first rule that a coinbase breaks.
func (m *model) coinbaseCode(msg *wire.MsgTx, subsidy, fees int64, root chainhash.Hash) string {
	sum := new(big.Int)
	var scripts []string
	marks, witness := []int{}, -1
	burn, record := false, false
	for i, out := range msg.TxOut {
		script := hex.EncodeToString(out.PkScript)
		scripts = append(scripts, script)
		sum.Add(sum, big.NewInt(out.Value))
		if out.Value < 0 || sum.Cmp(big.NewInt(21e14)) > 0 {
			return "goods-amount"
		}
		burn = burn || dead(script) && out.Value > 0
		if _, ok := recordOf(script); ok {
			record = true
		}
		if strings.HasPrefix(script, "6a244772436f") {
			marks = append(marks, i)
		}
		if strings.HasPrefix(script, "6a24aa21a9ed") && len(script) >= 76 {
			witness = i
		}
	}
	switch {
	case record:
		return "goods-coinbase-record"
	case burn:
		return "goods-coinbase-burn"
	case sum.Cmp(plus(big.NewInt(subsidy), big.NewInt(fees))) != 0:
		return "goods-coinbase-sum"
	}
	paid := slices.Index(scripts, m.treasury())
	twice := paid >= 0 && slices.Contains(scripts[paid+1:], m.treasury())
	if subsidy > 0 && (paid != 0 || msg.TxOut[0].Value < subsidy) || subsidy == 0 && paid >= 0 || twice {
		return "goods-coinbase-treasury"
	}
	if m.height == 1 {
		for i, seat := range m.seats {
			if len(scripts) <= 1+i || scripts[1+i] != seat.script || msg.TxOut[1+i].Value != 0 {
				return "goods-coinbase-seats"
			}
		}
	}
	want := tagged("granary/commitment", m.idHex()+hex.EncodeToString(root[:]))
	last := len(scripts) - 1
	if witness == last {
		last--
	}
	switch {
	case len(marks) == 0:
		return "goods-commitment-missing"
	case len(marks) > 1:
		return "goods-commitment-duplicate"
	case witness >= 0 && witness != len(scripts)-1 || marks[0] != last:
		return "goods-commitment-position"
	case scripts[marks[0]] != "6a244772436f"+want:
		return "goods-commitment-wrong"
	}
	return ""
}

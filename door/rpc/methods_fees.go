package rpc

import (
	"math"
	"strconv"
	"strings"

	"granary/mempool/fees"
)

func feeMethods() []Method {
	target := Param{Name: "conf_target", Type: Integer, Help: "Within how many blocks, 1 to 1008."}
	return []Method{
		{
			Name: "estimatesmartfee", Family: familyUtil,
			Summary: "Estimates the fee rate for which a transaction is mined in time.",
			Params: []Param{
				target,
				{Name: "estimate_mode", Type: Text, Optional: true, Default: `"economical"`, Help: "unset, economical or conservative, which looks further back and falls more slowly."},
			},
			Result: "An object with feerate (coins per 1,000 vbytes) or errors, and blocks for which the answer holds.",
			run:    estimateSmartFee,
		},
		{
			Name: "estimaterawfee", Family: familyUtil,
			Summary: "Shows what the estimates of fees are made of.",
			Params: []Param{
				target,
				{Name: "threshold", Type: JSON, Optional: true, Default: "0.95", Help: "The share that must be mined in time, above 0 and at most 1."},
			},
			Result: "An object by horizon (short, medium, long): feerate (coins per 1,000 vbytes), decay, scale, pass and fail (startrange, endrange, withintarget, totalconfirmed, inmempool, leftmempool), errors.",
			run:    estimateRawFee,
		},
	}
}

// confTarget reads a target that the estimates reach.
func (c *call) confTarget() (int, error) {
	if c.Fees == nil {
		return 0, errorf(CodeMisc, "Fee estimation disabled")
	}
	target, err := c.int32("conf_target", 0)
	if err != nil {
		return 0, err
	}
	if most := fees.Long.MaxTarget(); target < 1 || int(target) > most {
		return 0, errorf(CodeInvalidParameter, "Invalid conf_target, must be between 1 and %d", most)
	}
	return int(target), nil
}

func estimateSmartFee(c *call) (any, error) {
	target, err := c.confTarget()
	if err != nil {
		return nil, err
	}
	conservative := false
	switch strings.ToLower(c.text("estimate_mode", "economical")) {
	case "unset", "economical":
	case "conservative":
		conservative = true
	default:
		return nil, errorf(CodeInvalidParameter, `Invalid estimate_mode parameter, must be one of: "unset", "economical", "conservative"`)
	}
	unitsPerKVB, used := c.Fees.Smart(target, conservative)
	if unitsPerKVB <= 0 {
		return object{{"errors", []string{"Insufficient data or no feerate found"}}, {"blocks", used}}, nil
	}
	info := c.Pool.Info()
	unitsPerKVB = max(unitsPerKVB, info.MinUnitsPerKVB, info.RelayUnitsPerKVB)
	return object{{"feerate", amount(unitsPerKVB)}, {"blocks", used}}, nil
}

func estimateRawFee(c *call) (any, error) {
	target, err := c.confTarget()
	if err != nil {
		return nil, err
	}
	wanted := 0.95
	if v := c.arg("threshold"); !v.IsNull() {
		if v.kind != Number {
			return nil, errorf(CodeType, "%s", mismatch(v.kind, "number"))
		}
		if wanted, err = strconv.ParseFloat(v.text, 64); err != nil || wanted <= 0 || wanted > 1 {
			return nil, errorf(CodeInvalidParameter, "Invalid threshold")
		}
	}
	out := object{}
	for _, horizon := range []struct {
		name string
		h    fees.Horizon
	}{{"short", fees.Short}, {"medium", fees.Medium}, {"long", fees.Long}} {
		if raw, ok := c.Fees.Raw(target, wanted, horizon.h); ok {
			out = append(out, member{horizon.name, rawFeeJSON(&raw)})
		}
	}
	return out, nil
}

func rawFeeJSON(raw *fees.Raw) object {
	out := object{}
	if raw.UnitsPerKVB > 0 {
		out = append(out, member{"feerate", amount(raw.UnitsPerKVB)})
	}
	out = append(out, member{"decay", float(raw.Decay)}, member{"scale", raw.ScaleBlocks})
	if raw.Pass != nil && raw.UnitsPerKVB > 0 {
		out = append(out, member{"pass", rangeJSON(raw.Pass)})
	}
	if raw.Fail != nil {
		out = append(out, member{"fail", rangeJSON(raw.Fail)})
	}
	if raw.UnitsPerKVB <= 0 {
		out = append(out, member{"errors", []string{"Insufficient data or no feerate found which meets threshold"}})
	}
	return out
}

func rangeJSON(r *fees.Range) object {
	cents := func(n float64) float { return float(math.Round(n*100) / 100) }
	return object{
		{"startrange", float(math.Round(r.FromUnitsPerKVB))},
		{"endrange", float(math.Round(r.ToUnitsPerKVB))},
		{"withintarget", cents(r.WithinTarget)},
		{"totalconfirmed", cents(r.TotalConfirmed)},
		{"inmempool", cents(r.InMempool)},
		{"leftmempool", cents(r.LeftMempool)},
	}
}

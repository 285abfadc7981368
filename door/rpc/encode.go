package rpc

import (
	"encoding/hex"
	"strconv"
	"strings"

	"granary/params"
)

// amount is an amount of units that prints as a JSON number of coins with
// exactly eight decimals.
type amount int64

// MarshalJSON implements json.Marshaler.
func (a amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

func (a amount) String() string {
	units, sign := uint64(a), ""
	if a < 0 {
		units, sign = -units, "-"
	}
	fraction := strconv.FormatUint(units%params.UnitsPerCoin, 10)
	return sign + strconv.FormatUint(units/params.UnitsPerCoin, 10) + "." +
		strings.Repeat("0", 8-len(fraction)) + fraction
}

// float prints with sixteen significant digits, as Core's JSON does. It is
// for shown quantities (difficulty, progress), never for amounts.
type float float64

// MarshalJSON implements json.Marshaler.
func (f float) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(f), 'g', 16, 64), nil
}

// difficulty is how many times harder than difficulty 1 the compact bits are.
func difficulty(bits uint32) float {
	mantissa := bits & 0x00ffffff
	if mantissa == 0 {
		return 0
	}
	d := float64(0xffff) / float64(mantissa)
	shift := int(bits >> 24)
	for ; shift < 29; shift++ {
		d *= 256
	}
	for ; shift > 29; shift-- {
		d /= 256
	}
	return float(d)
}

// member is one field of an object whose names are data.
type member struct {
	key   string
	value any
}

// object is a JSON object that keeps its order.
type object []member

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	dst := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.key), ':')
		raw, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		dst = append(dst, raw...)
	}
	return append(dst, '}'), nil
}

// parseAmount reads a decimal number of coins into units: the text of a JSON
// number or string, exponents included, at most eight decimals of which count.
// ok is false where it is malformed or would not be exact.
func parseAmount(text string) (units int64, ok bool) {
	v, err := ParseJSON([]byte(text))
	if err != nil || v.kind != Number || text != v.text {
		return 0, false
	}
	negative := strings.HasPrefix(text, "-")
	text = strings.TrimPrefix(text, "-")
	exponent := 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exponent, err = strconv.Atoi(text[i+1:])
		if err != nil || exponent > 30 || exponent < -30 {
			return 0, false
		}
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := strings.TrimLeft(whole+strings.TrimRight(fraction, "0"), "0")
	point := 8 + exponent - len(strings.TrimRight(fraction, "0"))
	if digits == "" {
		return 0, true
	}
	if point < 0 {
		trimmed := strings.TrimRight(digits, "0")
		if len(digits)-len(trimmed) < -point {
			return 0, false
		}
		digits, point = digits[:len(digits)+point], 0
	}
	if len(digits)+point > 18 {
		return 0, false
	}
	units, err = strconv.ParseInt(digits+strings.Repeat("0", point), 10, 64)
	if err != nil {
		return 0, false
	}
	if negative {
		units = -units
	}
	return units, true
}

// hexOf is the lower-case hex of bytes.
func hexOf(b []byte) string { return hex.EncodeToString(b) }

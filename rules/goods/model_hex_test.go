package goods_test

import (
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Numbers and bytes of the model.

var largest = big.NewInt(1<<63 - 1)

func plus(a, b *big.Int) *big.Int  { return new(big.Int).Add(a, b) }
func minus(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }
func times(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }

// floorOf is a/b rounded down, ceilOf rounded up; neither is negative.
func floorOf(a, b *big.Int) *big.Int { return new(big.Int).Div(a, b) }

func ceilOf(a, b *big.Int) *big.Int {
	return floorOf(plus(a, minus(b, big.NewInt(1))), b)
}

func lesser(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func greater(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// held is v, at most 2^63-1.
func held(v *big.Int) *big.Int { return lesser(v, largest) }

// basis is floor(v * bp / 10,000), basisUp rounds up.
func basis(v *big.Int, bp int64) *big.Int {
	return floorOf(times(v, big.NewInt(bp)), big.NewInt(10_000))
}

func basisUp(v *big.Int, bp int64) *big.Int {
	return ceilOf(times(v, big.NewInt(bp)), big.NewInt(10_000))
}

// littleEndian and bigEndian write v in that many bytes, as hex.
func littleEndian(bytes int, v uint64) string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return shortText(b[:bytes])
}

func bigEndian(bytes int, v uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return shortText(b[8-bytes:])
}

// shortText is up to 16 bytes in hex.
func shortText(b []byte) string {
	var text [32]byte
	return string(text[:hex.Encode(text[:], b)])
}

func le(bytes int, v int64) string { return littleEndian(bytes, uint64(v)) }
func be(bytes int, v int64) string { return bigEndian(bytes, uint64(v)) }

// leBig writes a number that fits, in up to 16 bytes.
func leBig(bytes int, v *big.Int) string {
	var b [16]byte
	v.FillBytes(b[:bytes])
	slices.Reverse(b[:bytes])
	return shortText(b[:bytes])
}

// shortHex and textHex put the length in front of a string of hex.
func shortHex(s string) string { return le(1, int64(len(s)/2)) + s }
func textHex(s string) string  { return le(2, int64(len(s)/2)) + s }

// tagged is H(tag, bytes) in hex.
func tagged(tag, text string) string {
	raw, _ := hex.DecodeString(text)
	hash := chainhash.TaggedHash([]byte(tag), raw)
	return hex.EncodeToString(hash[:])
}

func (m *model) treasury() string { return m.script }

func dead(script string) bool { return strings.HasPrefix(script, "6a") || len(script) > 20_000 }

// mayName: a script that a record or a seat may name.
func (m *model) mayName(script string) bool {
	return len(script) >= 2 && len(script) <= 84 && !strings.HasPrefix(script, "6a") && script != m.treasury()
}

// recordOf gives type and body in hex of a script in a record's form.
func recordOf(script string) (string, bool) {
	for _, form := range []struct {
		opcode      string
		digits      int
		least, most int
	}{{"", 2, 0, 75}, {"4c", 2, 76, 255}, {"4d", 4, 256, 65_535}, {"4e", 8, 65_536, 1 << 30}} {
		rest, ok := strings.CutPrefix(script, "6a"+form.opcode)
		if !ok || len(rest) < form.digits {
			continue
		}
		length, _ := hex.DecodeString(rest[:form.digits])
		n := 0
		for i := len(length) - 1; i >= 0; i-- {
			n = n<<8 | int(length[i])
		}
		payload := rest[form.digits:]
		if len(payload) == 2*n && n >= form.least && n <= form.most {
			if body, ok := strings.CutPrefix(payload, "47725265"); ok {
				return body, true
			}
		}
	}
	return "", false
}

// recordForm is the other way: the script of a record with type and body.
func recordForm(body string) string {
	body = "47725265" + body
	n := int64(len(body) / 2)
	switch {
	case n <= 75:
		return "6a" + le(1, n) + body
	case n <= 255:
		return "6a4c" + le(1, n) + body
	case n <= 65_535:
		return "6a4d" + le(2, n) + body
	}
	return "6a4e" + le(4, n) + body
}

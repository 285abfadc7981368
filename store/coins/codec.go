package coins

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// KeyBytes is the length of a coin's key.
const KeyBytes = 36

// Key is a coin's key: the txid's bytes, then the output number with the
// greatest byte first, so that keys ascend by (txid, output).
type Key [KeyBytes]byte

// KeyOf is the key of op.
func KeyOf(op *wire.OutPoint) (key Key) {
	copy(key[:], op.Hash[:])
	binary.BigEndian.PutUint32(key[32:], op.Index)
	return key
}

// OutPoint is the inverse of KeyOf.
func (key *Key) OutPoint() (op wire.OutPoint) {
	copy(op.Hash[:], key[:32])
	op.Index = binary.BigEndian.Uint32(key[32:])
	return op
}

// Errors of the decoders. They mean damaged data.
var (
	errShort  = errors.New("record ends early")
	errNumber = errors.New("number out of range")
	errKey    = errors.New("public key is not on the curve")
	errScript = errors.New("script is too long")
	errAmount = errors.New("amount out of range")
	errRest   = errors.New("bytes behind the record")
)

// Special scripts: the number stands where the length plus specialScripts
// would, and says what the following bytes mean.
const (
	scriptPubKeyHash = 0 // 20 bytes
	scriptScriptHash = 1 // 20 bytes
	// 2 and 3: a compressed public key, 4 and 5: an uncompressed one; the x
	// coordinate follows, the number's last bit is y's.
	specialScripts = 6
)

// AppendCoin appends the coin as it lies on the disk: the height with the
// coinbase bit, the compressed amount, the compressed script.
func AppendCoin(dst []byte, c *state.Coin) []byte {
	dst = appendVarint(dst, heightCode(c))
	return appendOutput(dst, c)
}

// DecodeCoin is the inverse of AppendCoin. The coin owns its memory.
func DecodeCoin(raw []byte) (*state.Coin, error) {
	r := reader{raw: raw}
	c := r.coin(false)
	if r.err == nil && len(r.raw) != 0 {
		r.err = errRest
	}
	if r.err != nil {
		return nil, r.err
	}
	return c, nil
}

func heightCode(c *state.Coin) uint64 {
	code := uint64(uint32(c.Height)) << 1
	if c.Coinbase {
		code |= 1
	}
	return code
}

func appendOutput(dst []byte, c *state.Coin) []byte {
	check.Must(c.ValueUnits >= 0, "coin of %d units", c.ValueUnits)
	dst = appendVarint(dst, compressAmount(uint64(c.ValueUnits)))
	return appendScript(dst, c.Script)
}

// appendVarint appends Core's VARINT: base 128, greatest digit first, every
// digit but the last one less than it says.
func appendVarint(dst []byte, n uint64) []byte {
	var digits [10]byte
	at := len(digits) - 1
	digits[at] = byte(n & 0x7f)
	for n > 0x7f {
		n = n>>7 - 1
		at--
		digits[at] = byte(n&0x7f) | 0x80
	}
	return append(dst, digits[at:]...)
}

// compressAmount moves trailing decimal zeros into the last digit.
func compressAmount(units uint64) uint64 {
	if units == 0 {
		return 0
	}
	zeros := uint64(0)
	for units%10 == 0 && zeros < 9 {
		units /= 10
		zeros++
	}
	if zeros < 9 {
		digit := units % 10
		units /= 10
		return 1 + (units*9+digit-1)*10 + zeros
	}
	return 1 + (units-1)*10 + 9
}

// expandAmount is the inverse of compressAmount; ok is false beyond 64 bits.
func expandAmount(code uint64) (units uint64, ok bool) {
	if code == 0 {
		return 0, true
	}
	code--
	zeros := code % 10
	code /= 10
	if zeros < 9 {
		digit := code%9 + 1
		units = code/9*10 + digit
	} else {
		units = code + 1
	}
	for ; zeros > 0; zeros-- {
		hi, lo := bits.Mul64(units, 10)
		if hi != 0 {
			return 0, false
		}
		units = lo
	}
	return units, true
}

func appendScript(dst, s []byte) []byte {
	switch {
	case len(s) == 25 && s[0] == 0x76 && s[1] == 0xa9 && s[2] == 20 && s[23] == 0x88 && s[24] == 0xac:
		return append(append(dst, scriptPubKeyHash), s[3:23]...)
	case len(s) == 23 && s[0] == 0xa9 && s[1] == 20 && s[22] == 0x87:
		return append(append(dst, scriptScriptHash), s[2:22]...)
	case len(s) == 35 && s[0] == 33 && s[34] == 0xac && (s[1] == 2 || s[1] == 3):
		return append(append(dst, s[1]), s[2:34]...)
	case len(s) == 67 && s[0] == 65 && s[66] == 0xac && s[1] == 4 && onCurve(s[1:66]):
		return append(append(dst, 4|s[65]&1), s[2:34]...)
	}
	return append(appendVarint(dst, uint64(len(s))+specialScripts), s...)
}

// onCurve reports whether the full public key can be computed back from its x
// coordinate.
func onCurve(key []byte) bool {
	_, err := btcec.ParsePubKey(key)
	return err == nil
}

// reader takes a record apart; after an error every read gives zero.
type reader struct {
	raw []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.raw = nil
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.raw) {
		r.fail(errShort)
		return nil
	}
	b := r.raw[:n]
	r.raw = r.raw[n:]
	return b
}

func (r *reader) varint() (n uint64) {
	for {
		b := r.bytes(1)
		if b == nil {
			return 0
		}
		if n > (1<<64-1)>>7 {
			r.fail(errNumber)
			return 0
		}
		n = n<<7 | uint64(b[0]&0x7f)
		if b[0]&0x80 == 0 {
			return n
		}
		if n == 1<<64-1 {
			r.fail(errNumber)
			return 0
		}
		n++
	}
}

// coin reads a coin, in undo records with the byte that once was a version.
func (r *reader) coin(undo bool) *state.Coin {
	code := r.varint()
	if code > 1<<32-1 {
		r.fail(errNumber)
	}
	if undo && code>>1 != 0 {
		r.varint()
	}
	units, ok := expandAmount(r.varint())
	if !ok || units > params.MaxMoneyUnits {
		r.fail(errAmount)
	}
	c := newCoin(int64(units), int32(code>>1), code&1 != 0)
	c.Script = r.script(c.Script)
	return c
}

// script reads a script behind dst, which is empty but may have room.
func (r *reader) script(dst []byte) []byte {
	kind := r.varint()
	switch {
	case r.err != nil:
	case kind == scriptPubKeyHash:
		dst = append(append(append(dst, 0x76, 0xa9, 20), r.bytes(20)...), 0x88, 0xac)
	case kind == scriptScriptHash:
		dst = append(append(append(dst, 0xa9, 20), r.bytes(20)...), 0x87)
	case kind < 4:
		dst = append(append(append(dst, 33, byte(kind)), r.bytes(32)...), 0xac)
	case kind < specialScripts:
		dst = r.fullKeyScript(dst, byte(kind-2))
	case kind-specialScripts > params.MaxScriptBytes:
		r.fail(errScript)
	default:
		dst = append(dst, r.bytes(int(kind-specialScripts))...)
	}
	return dst
}

func (r *reader) fullKeyScript(dst []byte, prefix byte) []byte {
	x := r.bytes(32)
	if x == nil {
		return dst
	}
	key, err := btcec.ParsePubKey(append([]byte{prefix}, x...))
	if err != nil {
		r.fail(errKey)
		return dst
	}
	return append(append(append(dst, 65), key.SerializeUncompressed()...), 0xac)
}

// newCoin makes a coin whose script has room for the usual templates in the
// same allocation.
func newCoin(units int64, height int32, coinbase bool) *state.Coin {
	var c struct {
		coin state.Coin
		room [34]byte
	}
	c.coin = state.Coin{ValueUnits: units, Height: height, Coinbase: coinbase}
	c.coin.Script = c.room[:0:len(c.room)]
	return &c.coin
}

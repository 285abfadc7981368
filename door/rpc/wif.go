package rpc

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/btcsuite/btcd/btcec/v2"
)

// errKey says nothing about the text, which may be a key with a typing error.
var errKey = errorf(CodeInvalidAddress, "Invalid private key")

const base58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// privateKey is a key of somebody's, for the length of a call.
type privateKey struct {
	key        *btcec.PrivateKey
	compressed bool
}

// pub is the serialized public key.
func (k *privateKey) pub() []byte {
	if k.compressed {
		return k.key.PubKey().SerializeCompressed()
	}
	return k.key.PubKey().SerializeUncompressed()
}

// maxWIFChars is the length of the longest text of a key.
const maxWIFChars = 52

// decodeWIF reads a private key in Core's text form, for the network whose
// prefix is given. It works on bytes: a general number would leave copies of
// the secret behind.
func decodeWIF(text string, prefix byte) (*privateKey, error) {
	raw, ok := decodeBase58(text)
	if !ok || len(raw) != 1+32+4 && len(raw) != 1+32+1+4 {
		return nil, errKey
	}
	defer clear(raw)
	body, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	once := sha256.Sum256(body)
	twice := sha256.Sum256(once[:])
	compressed := len(body) == 34
	if subtle.ConstantTimeCompare(twice[:4], sum) != 1 || body[0] != prefix || compressed && body[33] != 1 {
		return nil, errKey
	}
	var scalar btcec.ModNScalar
	overflow := scalar.SetByteSlice(body[1:33])
	if overflow || scalar.IsZero() {
		return nil, errKey
	}
	return &privateKey{btcec.PrivKeyFromScalar(&scalar), compressed}, nil
}

// decodeBase58 turns the digits of a text of at most maxWIFChars characters
// into bytes.
func decodeBase58(text string) ([]byte, bool) {
	if len(text) == 0 || len(text) > maxWIFChars {
		return nil, false
	}
	var number [40]byte // big-endian; 52 digits are less than 305 bits
	for i := range len(text) {
		digit := -1
		for d := range len(base58Digits) {
			match := subtle.ConstantTimeByteEq(base58Digits[d], text[i])
			digit = subtle.ConstantTimeSelect(match, d, digit)
		}
		if digit < 0 {
			return nil, false
		}
		carry := uint32(digit)
		for j := len(number) - 1; j >= 0; j-- {
			carry += uint32(number[j]) * 58
			number[j] = byte(carry)
			carry >>= 8
		}
	}
	zeros := 0
	for zeros < len(text) && text[zeros] == '1' {
		zeros++
	}
	first := 0
	for first < len(number) && number[first] == 0 {
		first++
	}
	out := make([]byte, zeros+len(number)-first)
	copy(out[zeros:], number[first:])
	clear(number[:])
	return out, true
}

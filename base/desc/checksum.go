package desc

import (
	"fmt"
	"strings"
)

// The checksum of BIP380: a BCH code over GF(32) on the descriptor's
// characters, eight symbols long.
const (
	inputCharset = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	checksumCharset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumLength  = 8
)

var generator = [5]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd}

func polyMod(c uint64, symbol int) uint64 {
	top := c >> 35
	c = (c&0x7ffffffff)<<5 ^ uint64(symbol)
	for i, g := range generator {
		if top>>i&1 == 1 {
			c ^= g
		}
	}
	return c
}

// Checksum computes the eight characters that follow "#" for a descriptor
// without them (BIP380). It fails on a character outside BIP380's set.
func Checksum(body string) (string, error) {
	c, group, inGroup := uint64(1), 0, 0
	for i := range len(body) {
		pos := strings.IndexByte(inputCharset, body[i])
		if pos < 0 {
			return "", fmt.Errorf("descriptor holds the character %q, which no descriptor may: type it again", body[i])
		}
		c = polyMod(c, pos&31)
		group = group*3 + pos>>5
		if inGroup++; inGroup == 3 {
			c = polyMod(c, group)
			group, inGroup = 0, 0
		}
	}
	if inGroup > 0 {
		c = polyMod(c, group)
	}
	for range checksumLength {
		c = polyMod(c, 0)
	}
	c ^= 1
	sum := make([]byte, checksumLength)
	for i := range sum {
		sum[i] = checksumCharset[c>>(5*(checksumLength-1-i))&31]
	}
	return string(sum), nil
}

// AddChecksum gives body#checksum.
func AddChecksum(body string) (string, error) {
	sum, err := Checksum(body)
	if err != nil {
		return "", err
	}
	return body + "#" + sum, nil
}

// cutChecksum splits off "#checksum" where there is one and verifies it.
func cutChecksum(text string) (string, error) {
	body, sum, found := strings.Cut(text, "#")
	want, err := Checksum(body)
	if err != nil || !found {
		return body, err
	}
	if len(sum) != checksumLength {
		return "", fmt.Errorf("descriptor checksum %q is not %d characters: use #%s", sum, checksumLength, want)
	}
	if sum != want {
		return "", fmt.Errorf("descriptor checksum %q does not match its text: a character is wrong, or it should be #%s", sum, want)
	}
	return body, nil
}

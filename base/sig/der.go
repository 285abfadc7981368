package sig

// ParseDERLax reads an ECDSA signature (without hash type byte) the way
// Bitcoin Core does before BIP66's rule is applied: the length of the sequence
// is ignored, so are bytes behind S; lengths may take the long form of up to
// three significant bytes; R and S are unsigned numbers with any number of
// leading zeros. It gives R and S as 32-byte big-endian numbers; ok is false
// where the framing is broken or a number needs more than 256 bits, which no
// valid signature has. R and S are not compared with the group order.
func ParseDERLax(der []byte) (r, s [32]byte, ok bool) {
	if len(der) < 2 || der[0] != 0x30 {
		return r, s, false
	}
	lengthByte, rest := der[1], der[2:]
	if lengthByte&0x80 != 0 {
		skip := int(lengthByte &^ 0x80)
		if skip > len(rest) {
			return r, s, false
		}
		rest = rest[skip:]
	}
	rBytes, rest, ok := laxInteger(rest)
	if !ok {
		return r, s, false
	}
	sBytes, _, ok := laxInteger(rest)
	if !ok {
		return r, s, false
	}
	return r, s, rightAlign(&r, rBytes) && rightAlign(&s, sBytes)
}

// laxInteger takes one integer off b: tag, length in any form, content.
func laxInteger(b []byte) (content, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != 0x02 {
		return nil, nil, false
	}
	length, b := int(b[1]), b[2:]
	if length&0x80 != 0 {
		digits := length &^ 0x80
		if digits > len(b) {
			return nil, nil, false
		}
		for digits > 0 && b[0] == 0 {
			b, digits = b[1:], digits-1
		}
		if digits >= 4 {
			return nil, nil, false
		}
		length = 0
		for ; digits > 0; digits-- {
			length = length<<8 | int(b[0])
			b = b[1:]
		}
	}
	if length > len(b) {
		return nil, nil, false
	}
	return b[:length], b[length:], true
}

func rightAlign(out *[32]byte, number []byte) bool {
	for len(number) > 0 && number[0] == 0 {
		number = number[1:]
	}
	if len(number) > len(out) {
		return false
	}
	copy(out[len(out)-len(number):], number)
	return true
}

// StrictDER reports whether der (without hash type byte) is encoded as BIP66
// demands: 0x30 length 0x02 length R 0x02 length S, each number positive and
// without padding, nothing left over. The empty signature is not strict.
func StrictDER(der []byte) bool {
	const least, most = 8, 72
	if len(der) < least || len(der) > most {
		return false
	}
	if der[0] != 0x30 || int(der[1]) != len(der)-2 {
		return false
	}
	rest, ok := strictInteger(der[2:])
	if !ok {
		return false
	}
	rest, ok = strictInteger(rest)
	return ok && len(rest) == 0
}

// strictInteger takes one minimally encoded positive integer off b.
func strictInteger(b []byte) (rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 0x02 {
		return nil, false
	}
	length := int(b[1])
	if length == 0 || length > len(b)-2 {
		return nil, false
	}
	content := b[2 : 2+length]
	if content[0]&0x80 != 0 {
		return nil, false
	}
	if length > 1 && content[0] == 0 && content[1]&0x80 == 0 {
		return nil, false
	}
	return b[2+length:], true
}

// halfOrder is half of secp256k1's group order, rounded down.
var halfOrder = [32]byte{
	0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
}

// LowS reports whether der parses and its S is at most half the group order
// (BIP62's rule 5, a policy).
func LowS(der []byte) bool {
	_, s, ok := ParseDERLax(der)
	if !ok {
		return false
	}
	for i := range s {
		if s[i] != halfOrder[i] {
			return s[i] < halfOrder[i]
		}
	}
	return true
}

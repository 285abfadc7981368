package goods

import "math/bits"

// The rules multiply two numbers below 2^63 and compare or divide the
// product, which has 126 bits. None of the arguments here is negative.

// mulDiv is floor(a * b / c) where b <= c, so that the result is at most a.
func mulDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q)
}

// lessProduct reports a * b < c * d.
func lessProduct(a, b, c, d int64) bool {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	hi2, lo2 := bits.Mul64(uint64(c), uint64(d))
	return hi < hi2 || hi == hi2 && lo < lo2
}

// sameProduct reports a * b = c * d.
func sameProduct(a, b, c, d int64) bool {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	hi2, lo2 := bits.Mul64(uint64(c), uint64(d))
	return hi == hi2 && lo == lo2
}

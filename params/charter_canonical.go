package params

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The canonical encoding: fixed-width little-endian integers; strings and
// scripts as u16 length and bytes; lists as u16 count and items. Every
// charter has exactly one encoding. docs/goods-rules.md lists the fields.

// Canonical gives the bytes that the charter id hashes.
func (c *Charter) Canonical() []byte {
	var w canonicalWriter
	w.u32(c.Rules)
	w.text(c.Name)
	w.text(c.Ticker)
	w.u8(c.Decimals)
	w.network(&c.Base)
	for _, p := range []*Parameters{&c.Parameters, &c.Low, &c.High} {
		w.bytes(p.Encode())
	}
	w.u16(len(c.Goods))
	for i := range c.Goods {
		w.bytes(c.Goods[i].Encode())
	}
	w.u16(len(c.Custodians))
	for i := range c.Custodians {
		w.custodian(&c.Custodians[i])
	}
	w.u16(len(c.Auditors))
	for i := range c.Auditors {
		w.member(&c.Auditors[i])
	}
	w.member(&c.Council)
	w.u16(len(c.Registries))
	for _, name := range c.Registries {
		w.text(name)
	}
	w.bytes(c.TermsHash[:])
	w.bytes(c.JurisdictionHash[:])
	return w.b
}

// Encode gives the canonical bytes of the parameters: fourteen u64 in the
// order of ParameterRules. They are the value of the parameters in force in
// the goods state too.
func (p *Parameters) Encode() []byte {
	var w canonicalWriter
	for _, v := range p.Values() {
		w.u64(*v)
	}
	return w.b
}

// DecodeParameters reads what Encode wrote; it does not judge the values.
func DecodeParameters(b []byte) (Parameters, error) {
	r := canonicalReader{b: b}
	p := r.parameters()
	return p, r.end()
}

// Encode gives the canonical bytes of a good, the value of the good in force
// in the goods state too.
func (g *Good) Encode() []byte {
	var w canonicalWriter
	w.text(g.Code)
	w.text(g.Name)
	w.text(g.Measure)
	w.u64(g.ParNum)
	w.u64(g.ParDen)
	w.u32(uint32(g.HaircutBP))
	w.u32(uint32(g.MaxAgeBlocks))
	w.u64(g.MinReceipt)
	w.u64(g.MinRedemption)
	return w.b
}

// DecodeGood reads what Encode wrote; it does not judge the values.
func DecodeGood(b []byte) (Good, error) {
	r := canonicalReader{b: b}
	g := r.good()
	return g, r.end()
}

// ParseCanonical reads canonical bytes and checks the charter in them as
// ParseCharter does. Canonical of the result gives the same bytes again.
func ParseCanonical(b []byte) (*Charter, error) {
	if len(b) > MaxCharterBytes {
		return nil, fmt.Errorf("charter of %d bytes: at most %d are allowed", len(b), MaxCharterBytes)
	}
	r := canonicalReader{b: b}
	c := Charter{Rules: r.u32(), Name: r.text(), Ticker: r.text(), Decimals: r.u8(), Base: r.network()}
	c.Parameters, c.Low, c.High = r.parameters(), r.parameters(), r.parameters()
	for range r.count() {
		c.Goods = append(c.Goods, r.good())
	}
	for range r.count() {
		c.Custodians = append(c.Custodians, r.custodian())
	}
	for range r.count() {
		c.Auditors = append(c.Auditors, r.member())
	}
	c.Council = r.member()
	for range r.count() {
		c.Registries = append(c.Registries, r.text())
	}
	copy(c.TermsHash[:], r.take(32))
	copy(c.JurisdictionHash[:], r.take(32))
	if err := r.end(); err != nil {
		return nil, err
	}
	parsed, err := NewCharter(c)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(parsed.Canonical(), b) {
		return nil, errors.New("charter bytes are not canonical")
	}
	return parsed, nil
}

type canonicalWriter struct{ b []byte }

func (w *canonicalWriter) u8(v uint8)     { w.b = append(w.b, v) }
func (w *canonicalWriter) u16(v int)      { w.b = binary.LittleEndian.AppendUint16(w.b, uint16(v)) }
func (w *canonicalWriter) u32(v uint32)   { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *canonicalWriter) u64(v int64)    { w.b = binary.LittleEndian.AppendUint64(w.b, uint64(v)) }
func (w *canonicalWriter) bytes(b []byte) { w.b = append(w.b, b...) }
func (w *canonicalWriter) text(s string)  { w.u16(len(s)); w.b = append(w.b, s...) }

func (w *canonicalWriter) member(m *Member) {
	w.text(m.Name)
	w.text(string(m.Script))
}

func (w *canonicalWriter) custodian(c *Custodian) {
	w.member(&c.Member)
	w.u16(len(c.Allowances))
	for _, a := range c.Allowances {
		w.u16(int(a.Good))
		w.u64(a.Limit)
	}
}

// canonicalReader reads until the bytes are short, and then only zeroes.
type canonicalReader struct {
	b     []byte
	short bool
}

func (r *canonicalReader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.short = nil, true
		return make([]byte, min(n, 64))
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *canonicalReader) u8() uint8   { return r.take(1)[0] }
func (r *canonicalReader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *canonicalReader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *canonicalReader) u64() int64  { return int64(binary.LittleEndian.Uint64(r.take(8))) }

func (r *canonicalReader) count() int {
	n := int(r.u16())
	if n > len(r.b) { // every item takes a byte at least
		r.b, r.short = nil, true
		return 0
	}
	return n
}

func (r *canonicalReader) text() string {
	n := int(r.u16())
	if r.short || n > len(r.b) {
		r.b, r.short = nil, true
		return ""
	}
	return string(r.take(n))
}

func (r *canonicalReader) end() error {
	if r.short {
		return errors.New("charter bytes end too early")
	}
	if len(r.b) > 0 {
		return fmt.Errorf("charter bytes: %d left over at the end", len(r.b))
	}
	return nil
}

func (r *canonicalReader) parameters() (p Parameters) {
	for _, v := range p.Values() {
		*v = r.u64()
	}
	return p
}

func (r *canonicalReader) good() Good {
	return Good{
		Code: r.text(), Name: r.text(), Measure: r.text(), ParNum: r.u64(), ParDen: r.u64(),
		HaircutBP: int64(r.u32()), MaxAgeBlocks: int64(r.u32()), MinReceipt: r.u64(), MinRedemption: r.u64(),
	}
}

func (r *canonicalReader) member() Member {
	return Member{Name: r.text(), Script: []byte(r.text())}
}

func (r *canonicalReader) custodian() Custodian {
	c := Custodian{Member: r.member()}
	for range r.count() {
		c.Allowances = append(c.Allowances, Allowance{Good: r.u16(), Limit: r.u64()})
	}
	return c
}

package goods

import (
	"encoding/binary"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Amend is the council's word about what is in force: it announces a change
// that holds after the amendment delay, or takes the announced one back.
type Amend struct {
	Withdraw bool
	ID       state.ObjectID // of the change to withdraw; the rest is empty then

	// What is announced: one entry at least, 64 at most in each list.
	Parameters []ParameterChange // ascending
	Goods      []GoodChange      // ascending
	Allowances []AllowanceChange // ascending by custodian, then good
	Custodians []NewCustodian
	Auditors   []string // names of new auditors
}

// ParameterChange sets a parameter, by its place in params.ParameterRules.
type ParameterChange struct {
	Parameter uint8
	Value     int64
}

// GoodChange replaces a good, or adds the next one.
type GoodChange struct {
	Index uint16
	Good  params.Good
}

// AllowanceChange sets what a custodian may hold of a good; a limit of 0
// takes the allowance away.
type AllowanceChange struct {
	Custodian uint16
	params.Allowance
}

// NewCustodian is a custodian that joins; its seat is the output that the
// amendment makes for it.
type NewCustodian struct {
	Name       string
	Allowances []params.Allowance // ascending by good
}

// The first byte of the body.
const (
	stepAnnounce = 0
	stepWithdraw = 1
)

// Type implements Record.
func (Amend) Type() RecordType { return TypeAmend }

// Body implements Record; docs/goods-rules.md lists it.
func (r Amend) Body() []byte {
	if r.Withdraw {
		return append([]byte{stepWithdraw}, r.ID[:]...)
	}
	b := binary.LittleEndian.AppendUint16([]byte{stepAnnounce}, uint16(len(r.Parameters)))
	for _, p := range r.Parameters {
		b = binary.LittleEndian.AppendUint64(append(b, p.Parameter), uint64(p.Value))
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Goods)))
	for i := range r.Goods {
		b = binary.LittleEndian.AppendUint16(b, r.Goods[i].Index)
		b = append(b, r.Goods[i].Good.Encode()...)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Allowances)))
	for _, a := range r.Allowances {
		b = appendAllowance(binary.LittleEndian.AppendUint16(b, a.Custodian), a.Allowance)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Custodians)))
	for _, c := range r.Custodians {
		b = append(append(b, byte(len(c.Name))), c.Name...)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(c.Allowances)))
		for _, a := range c.Allowances {
			b = appendAllowance(b, a)
		}
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Auditors)))
	for _, name := range r.Auditors {
		b = append(append(b, byte(len(name))), name...)
	}
	return b
}

func appendAllowance(b []byte, a params.Allowance) []byte {
	b = binary.LittleEndian.AppendUint16(b, a.Good)
	return binary.LittleEndian.AppendUint64(b, uint64(a.Limit))
}

func parseAmend(body []byte) (Record, error) {
	b := amendReader{ByteReader: state.NewByteReader(body)}
	var r Amend
	switch b.U8() {
	case stepAnnounce:
		r = b.amendment()
	case stepWithdraw:
		r.Withdraw = true
		copy(r.ID[:], b.Bytes(len(r.ID)))
	default:
		return nil, check.Rule(CodeRecordMalformed, "amend neither announces nor withdraws")
	}
	switch {
	case b.wrong || !b.Done():
		return nil, check.Rule(CodeRecordMalformed, "amend has %d bytes, which are too few, too many, or hold a number beyond its bounds", len(body))
	case !r.Withdraw && !r.ordered():
		return nil, check.Rule(CodeRecordMalformed, "amend changes nothing, or names something out of order or twice")
	}
	return r, nil
}

// amendReader reads the parts of an announcement. wrong is set by what a body
// cannot hold; what was read means nothing then.
type amendReader struct {
	*state.ByteReader
	wrong bool
}

func (b *amendReader) amendment() (r Amend) {
	for range b.count() {
		r.Parameters = append(r.Parameters, ParameterChange{b.U8(), b.Int64()})
	}
	for range b.count() {
		r.Goods = append(r.Goods, GoodChange{b.U16(), b.good()})
	}
	for range b.count() {
		r.Allowances = append(r.Allowances, AllowanceChange{b.U16(), readAllowance(b.ByteReader)})
	}
	for range b.count() {
		r.Custodians = append(r.Custodians, NewCustodian{string(b.Short()), b.allowances()})
	}
	for range b.count() {
		r.Auditors = append(r.Auditors, string(b.Short()))
	}
	return r
}

func (b *amendReader) count() int {
	n := int(b.U16())
	if n > params.MaxAmendEntries {
		b.wrong, n = true, 0
	}
	return n
}

// good reads a good as the charter writes it.
func (b *amendReader) good() params.Good {
	text := func() string { return string(b.Bytes(int(b.U16()))) }
	return params.Good{
		Code: text(), Name: text(), Measure: text(), ParNum: b.Int64(), ParDen: b.Int64(),
		HaircutBP: int64(b.U32()), MaxAgeBlocks: int64(b.U32()), MinReceipt: b.Int64(), MinRedemption: b.Int64(),
	}
}

// allowances reads the list of a new custodian, which the body bounds.
func (b *amendReader) allowances() []params.Allowance {
	const allowanceBytes = 10
	list := b.Bytes(allowanceBytes * int(b.U16()))
	allowances := make([]params.Allowance, 0, len(list)/allowanceBytes)
	items := state.NewByteReader(list)
	for range cap(allowances) {
		allowances = append(allowances, readAllowance(items))
	}
	b.wrong = b.wrong || !items.Done()
	return allowances
}

func readAllowance(b *state.ByteReader) params.Allowance {
	return params.Allowance{Good: b.U16(), Limit: b.Int64()}
}

// ordered: there is something, parameters are known, and what ascends does.
func (r *Amend) ordered() bool {
	for i, p := range r.Parameters {
		if int(p.Parameter) >= params.ParameterCount || i > 0 && p.Parameter <= r.Parameters[i-1].Parameter {
			return false
		}
	}
	for i := 1; i < len(r.Goods); i++ {
		if r.Goods[i].Index <= r.Goods[i-1].Index {
			return false
		}
	}
	place := func(i int) uint32 { return uint32(r.Allowances[i].Custodian)<<16 | uint32(r.Allowances[i].Good) }
	for i := 1; i < len(r.Allowances); i++ {
		if place(i) <= place(i-1) {
			return false
		}
	}
	return len(r.Parameters)+len(r.Goods)+len(r.Allowances)+len(r.Custodians)+len(r.Auditors) > 0
}

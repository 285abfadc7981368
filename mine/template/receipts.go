package template

import (
	"cmp"
	"slices"

	"granary/state"
)

// receiptHint says that a receipt has undrawn measures, perhaps, until when it
// counts, and for whom.
type receiptHint struct {
	number     uint64
	validUntil int32 // gone: forgotten
	custodian  uint16
	small      bool // what is left is too little for a draw, as things are
}

const gone = -1

// lateMost is how many late hints may wait for the next block that is built.
const lateMost = 10_000

func hintOf(r *state.Receipt) receiptHint {
	return receiptHint{number: r.Number, validUntil: r.ValidUntil, custodian: r.Custodian}
}

// receiptList holds hints, the oldest receipt first. It takes 16 bytes for
// each, and a walk over a million of them about a millisecond.
type receiptList struct {
	list []receiptHint // ascending by number
	late []receiptHint // that belong between those, in order of arrival
	gone int           // of list
}

// put adds or renews a hint. New receipts have the highest numbers and cost
// nothing; one that was forgotten waits for settle.
func (l *receiptList) put(h receiptHint) {
	if n := len(l.list); n == 0 || l.list[n-1].number < h.number {
		l.list = append(l.list, h)
		return
	}
	at, found := l.find(h.number)
	if !found {
		if l.late = append(l.late, h); len(l.late) > lateMost {
			l.settle()
		}
		return
	}
	if l.list[at].validUntil == gone {
		l.gone--
	}
	l.list[at] = h
}

func (l *receiptList) find(number uint64) (at int, found bool) {
	return slices.BinarySearchFunc(l.list, number, func(h receiptHint, n uint64) int { return cmp.Compare(h.number, n) })
}

// forget takes the hint at a place out.
func (l *receiptList) forget(at int) {
	if l.list[at].validUntil != gone {
		l.list[at].validUntil = gone
		l.gone++
	}
}

// revalue says that a par, share or bound changed: what was too little may be
// enough.
func (l *receiptList) revalue() {
	for at := range l.list {
		l.list[at].small = false
	}
}

// settle makes list whole: late hints in their places, and not many that are
// gone.
func (l *receiptList) settle() {
	if len(l.late) == 0 && l.gone <= 1000+len(l.list)/4 {
		return
	}
	slices.SortStableFunc(l.late, func(a, b receiptHint) int { return cmp.Compare(a.number, b.number) })
	merged := make([]receiptHint, 0, len(l.list)-l.gone+len(l.late))
	add := func(h receiptHint) {
		if n := len(merged); n > 0 && merged[n-1].number == h.number {
			merged[n-1] = h // the later one
		} else if h.validUntil != gone {
			merged = append(merged, h)
		}
	}
	late := l.late
	for _, h := range l.list {
		for len(late) > 0 && late[0].number < h.number {
			add(late[0])
			late = late[1:]
		}
		add(h)
	}
	for _, h := range late {
		add(h)
	}
	l.list, l.late, l.gone = merged, nil, 0
}

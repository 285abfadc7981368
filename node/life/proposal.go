package life

import (
	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// proposal is a record that auditors must stand behind before its actor may
// act on it.
type proposal struct {
	record   goods.Record
	role     state.Role
	index    uint16
	expiry   int32
	notUntil int32 // auditors take their time
	all      bool  // every auditor is needed
	attested map[uint16]int32
	// outs are what the record wants behind the seat.
	outs func(d *stage.Draft)
	// still says whether it is still meant; nil: always.
	still func() bool
}

// propose puts a record on the auditors' tables. Most look at it in the next
// block, some take longer.
func (l *Life) propose(p *proposal) {
	p.attested = map[uint16]int32{}
	p.notUntil = l.now.height
	if l.chance(5) {
		p.notUntil += int32(l.rng.IntN(4))
	}
	l.proposals = append(l.proposals, p)
}

// expiry is the last height at which a record made now may be used.
func (l *Life) expiry() int32 {
	return state.LaterHeight(l.now.height, l.now.params.AttestationLifeBlocks)
}

// proposed reports whether a proposal for which is holds is on the tables.
func (l *Life) proposed(is func(goods.Record) bool) bool {
	for _, p := range l.proposals {
		if is(p.record) {
			return true
		}
	}
	return false
}

// needed is how many auditors must attest before the actor acts, who counts as
// one where it is an auditor.
func (l *Life) needed(p *proposal) int {
	n := int(l.now.params.QuorumAuditors)
	if p.all {
		n = int(l.now.counts.Auditors)
	}
	if p.role == state.RoleAuditor {
		n--
	}
	return n
}

// actOnProposals lets actors use what enough auditors attested in blocks
// below.
func (l *Life) actOnProposals() error {
	var left []*proposal
	for _, p := range l.proposals {
		if p.expiry < l.now.height || p.still != nil && !p.still() {
			continue
		}
		ready := 0
		for _, height := range p.attested {
			if height < l.now.height {
				ready++
			}
		}
		if ready < l.needed(p) || !l.actor(p.role, p.index) {
			left = append(left, p)
			continue
		}
		d, err := l.cast.Seated(p.role, p.index)
		if err != nil {
			return err
		}
		if p.outs != nil {
			p.outs(d)
		}
		tx, err := d.Record(p.record).Sign()
		l.give(p.record, tx, err)
	}
	l.proposals = left
	return nil
}

// attestProposals lets auditors who are free stand behind what lies on their
// tables, in one transaction each.
func (l *Life) attestProposals() error {
	for auditor := range l.now.counts.Auditors {
		var records []goods.Record
		var which []*proposal
		for _, p := range l.proposals {
			_, done := p.attested[auditor]
			enough := len(p.attested) >= l.needed(p)
			acts := p.role == state.RoleAuditor && p.index == auditor
			if !done && !enough && !acts && p.notUntil <= l.now.height && len(records) < params.MaxAttestedProposals {
				records, which = append(records, p.record), append(which, p)
			}
		}
		if len(records) == 0 || !l.actor(state.RoleAuditor, auditor) {
			continue
		}
		tx, err := l.cast.Attest(auditor, records...)
		if l.give(goods.Attest{}, tx, err) {
			for _, p := range which {
				p.attested[auditor] = l.now.height
			}
		}
	}
	return nil
}

package life

import (
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// mindCustody: recounts, bonds, debts, suspensions.
func (l *Life) mindCustody() error {
	l.audit()
	for custodian, s := range l.now.standing {
		if err := l.mindCustodian(uint16(custodian), s); err != nil {
			return err
		}
	}
	return nil
}

// audit lets an auditor recount the receipts that soon count no more, and some
// others. Once in a while goods are missing.
func (l *Life) audit() {
	if !l.chance(4) || l.proposed(func(r goods.Record) bool { _, is := r.(goods.Audit); return is }) {
		return
	}
	r := goods.Audit{Auditor: uint16(l.rng.IntN(int(l.now.counts.Auditors))), Expiry: l.expiry(), Observed: l.now.hash}
	for _, receipt := range l.now.receipts {
		old := receipt.ValidUntil-l.now.height < 40
		if (!old || l.chance(4)) && !l.chance(20) || receipt.Observed >= l.now.hash.Height || len(r.Audited) == 20 {
			continue
		}
		a := goods.AuditedReceipt{Receipt: receipt.Number, ID: receipt.ID, Lost: receipt.Lost}
		if l.trouble(30) {
			a.Loss = 1 + l.rng.Int64N(receipt.Quantity()/20+1)
		}
		if l.trouble(400) {
			a.Loss = receipt.Quantity()
		}
		r.Audited = append(r.Audited, a)
	}
	if len(r.Audited) == 0 {
		return
	}
	slices.SortFunc(r.Audited, func(a, b goods.AuditedReceipt) int { return cmp.Compare(a.Receipt, b.Receipt) })
	l.propose(&proposal{
		record: r, role: state.RoleAuditor, index: r.Auditor, expiry: r.Expiry,
		still: func() bool { return l.now.height-r.Observed.Height <= params.MaxObservedDepth && l.allThere(r.Audited) },
	})
}

func (l *Life) allThere(audited []goods.AuditedReceipt) bool {
	for _, a := range audited {
		if !slices.ContainsFunc(l.now.receipts, func(r *state.Receipt) bool { return r.Number == a.Receipt && r.ID == a.ID }) {
			return false
		}
	}
	return true
}

func (l *Life) mindCustodian(custodian uint16, s *state.Standing) error {
	overdue := slices.ContainsFunc(l.now.claims, func(c *state.Claim) bool {
		return c.Custodian == custodian && c.Tendered == 0 && c.Deadline < l.now.height
	})
	switch {
	case s.DebtUnits > 0:
		return l.mindDebt(custodian, s)
	case s.Suspended && !s.Defaulted && !overdue:
		l.lift(custodian, s)
		return nil
	case !s.Counts() || overdue:
		return nil
	case l.trouble(150):
		l.suspend(custodian)
		return nil
	}
	return l.mindBonds(custodian, s)
}

// mindDebt: most custodians pay what their bonds do not. One debt in five, or
// fewer in a calm life, is never paid, and the day of the default tells which.
func (l *Life) mindDebt(custodian uint16, s *state.Standing) error {
	if len(s.Bonds) > 0 && l.chance(2) {
		tx, err := l.cast.Slash(custodian)
		l.give(goods.Slash{}, tx, err)
		return nil
	}
	if s.Defaulted || s.DefaultAt%int32(5*max(1, l.o.Calm)) == 0 {
		return nil
	}
	balance, err := l.cast.Balance(l.operators[custodian])
	if err != nil || !l.chance(4) || balance < 10*stage.FeeUnits {
		return err
	}
	tx, err := l.cast.PayDebt(l.operators[custodian], custodian, min(s.DebtUnits, balance-2*stage.FeeUnits))
	l.give(goods.Slash{}, tx, err)
	return nil
}

func (l *Life) suspend(custodian uint16) {
	r := goods.Suspend{Role: state.RoleAuditor, Expiry: l.expiry(), Custodian: custodian}
	if l.chance(2) {
		r.Role = state.RoleCouncil
	} else {
		r.Index = uint16(l.rng.IntN(int(l.now.counts.Auditors)))
	}
	l.propose(&proposal{
		record: r, role: r.Role, index: r.Index, expiry: r.Expiry,
		still: func() bool { return l.now.standing[custodian].Counts() },
	})
}

func (l *Life) lift(custodian uint16, s *state.Standing) {
	if !l.chance(6) || l.proposed(func(r goods.Record) bool { lift, is := r.(goods.Lift); return is && lift.Custodian == custodian }) {
		return
	}
	r := goods.Lift{Auditor: uint16(l.rng.IntN(int(l.now.counts.Auditors))), Expiry: l.expiry(), Custodian: custodian, SuspendedAt: s.SuspendedAt}
	l.propose(&proposal{
		record: r, role: state.RoleAuditor, index: r.Auditor, expiry: r.Expiry,
		still: func() bool {
			s := l.now.standing[custodian]
			return s.SuspendedAt == r.SuspendedAt && !s.Defaulted && s.DebtUnits == 0
		},
	})
}

// mindBonds: bonds are made while there are coins, and taken back at times.
func (l *Life) mindBonds(custodian uint16, s *state.Standing) error {
	purse := l.operators[custodian]
	switch {
	case s.AnnouncedUnits > 0 && l.now.height >= s.ReadyAt && l.chance(3):
		if l.actor(state.RoleCustodian, custodian) {
			tx, err := l.cast.WithdrawBonds(custodian)
			l.give(goods.Unbond{}, tx, err)
		}
	case s.AnnouncedUnits > 0 && l.chance(60):
		l.act(state.RoleCustodian, custodian, goods.Unbond{Step: goods.UnbondCancel, Custodian: custodian})
	case s.AnnouncedUnits == 0 && s.BondUnits() > 4 && l.chance(40):
		units := 1 + l.rng.Int64N(s.BondUnits()/4)
		l.act(state.RoleCustodian, custodian, goods.Unbond{Step: goods.UnbondAnnounce, Custodian: custodian, Units: units})
	case len(s.Bonds) < 6 && l.chance(12):
		balance, err := l.cast.Balance(purse)
		if err != nil || balance < params.UnitsPerCoin/10 {
			return err
		}
		if l.actor(state.RoleCustodian, custodian) {
			tx, err := l.cast.Bond(purse, custodian, balance/3)
			l.give(goods.Bond{}, tx, err)
		}
	}
	return nil
}

// act lets a seat act alone, if it is free.
func (l *Life) act(role state.Role, index uint16, r goods.Record) {
	if l.actor(role, index) {
		tx, err := l.cast.Act(role, index, r)
		l.give(r, tx, err)
	}
}

// forPurse finishes a transaction that anyone may make with coins of the miner.
func (l *Life) forPurse(msg *wire.MsgTx) (*state.Tx, error) { return l.cast.Funded(msg, l.Miner()) }

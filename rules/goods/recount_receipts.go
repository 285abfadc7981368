package goods

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

type heldGood struct{ custodian, good uint16 }

// receipts counts everything that follows from the open receipts again: lots,
// holdings, what counts until when, and that no receipt released more than
// the credit of what it opened with.
func (r *recount) receipts() error {
	holdings := map[heldGood]*state.Holding{}
	fresh := map[string]int64{}
	next, err := r.nextNumber(state.KeyNextReceipt())
	if err != nil {
		return err
	}
	var failed error
	err = RangeReceipts(r.view, func(receipt *state.Receipt) bool {
		lot := string(state.KeyLot(LotCommitment(receipt.Registry, receipt.Serial)))
		switch {
		case receipt.Number >= next || receipt.Opened > r.height || receipt.Observed >= r.height:
			failed = fmt.Errorf("receipt %d is from the future", receipt.Number)
		case receipt.Quantity() == 0:
			failed = fmt.Errorf("receipt %d has nothing left and is open", receipt.Number)
		case r.expect[lot] != nil:
			failed = fmt.Errorf("receipt %d is for the lot of another", receipt.Number)
		default:
			failed = r.checkReleased(receipt)
		}
		if failed != nil {
			return false
		}
		r.expect[lot] = state.EncodeNumber(receipt.Number)
		at := heldGood{receipt.Custodian, receipt.Good}
		if holdings[at] == nil {
			holdings[at] = &state.Holding{}
		}
		h := holdings[at]
		h.Whole += receipt.Quantity()
		h.Free += receipt.Free
		if counted := r.block.countedOf(receipt); counted > 0 {
			h.Counted += counted
			fresh[string(state.KeyFresh(receipt.ValidUntil, receipt.Custodian, receipt.Good))] += counted
		}
		return true
	})
	if err := firstError(err, failed); err != nil {
		return err
	}
	if err := r.claimed(holdings); err != nil {
		return err
	}
	for key, measures := range fresh {
		r.expect[key] = state.EncodeLimit(measures)
	}
	return r.holdings(holdings)
}

// claimed adds what redemptions took; that they have a receipt is seen later.
func (r *recount) claimed(holdings map[heldGood]*state.Holding) error {
	var failed error
	err := RangeClaims(r.view, func(c *state.Claim) bool {
		if c.Kind != state.ClaimRedemption {
			return true
		}
		receipt, err := ReadReceipt(r.view, c.Receipt)
		if failed = err; err != nil || receipt == nil {
			return err == nil
		}
		if h := holdings[heldGood{receipt.Custodian, receipt.Good}]; h != nil {
			h.Claimed += c.Quantity
		}
		return true
	})
	return firstError(err, failed)
}

func (r *recount) nextNumber(key []byte) (uint64, error) {
	value, err := r.view.Goods(key)
	if err != nil {
		return 0, err
	}
	return state.DecodeNumber(value)
}

// reservedLot reports a lot whose receipt is closed: goods of it were lost.
func (r *recount) reservedLot(key, value []byte) bool {
	if from, _ := state.LotKeys(); key[0] != from[0] {
		return false
	}
	number, err := state.DecodeNumber(value)
	if err != nil {
		return false
	}
	next, err := r.nextNumber(state.KeyNextReceipt())
	if err != nil || number >= next {
		return false
	}
	receipt, err := ReadReceipt(r.view, number)
	return err == nil && receipt == nil
}

// checkReleased: what a receipt has released is at most the credit of what it
// opened with, where no par has changed since.
func (r *recount) checkReleased(receipt *state.Receipt) error {
	good, err := r.block.good(receipt.Good)
	if err != nil {
		return err
	}
	if good.Since > receipt.Opened {
		return nil
	}
	credit := mulDiv(good.ValueUnits(receipt.OpenedWith), 10_000-int64(receipt.HaircutBP), 10_000)
	if receipt.ReleasedUnits > credit {
		return fmt.Errorf("receipt %d released %d units, the credit of the %d measures it opened with is %d", receipt.Number, receipt.ReleasedUnits, receipt.OpenedWith, credit)
	}
	return nil
}

// holdings adds the holdings, and the values of each custodian's.
func (r *recount) holdings(holdings map[heldGood]*state.Holding) error {
	for at, h := range holdings {
		good, err := r.block.good(at.good)
		if err != nil {
			return err
		}
		if r.standings[at.custodian] == nil {
			return fmt.Errorf("there is no custodian %d for goods that it holds", at.custodian)
		}
		revalue(r.standings[at.custodian], good, state.Holding{}, good, *h)
		r.expect[string(state.KeyHolding(at.custodian, at.good))] = h.Encode()
	}
	return nil
}

// claims: every claim has its receipt, its token and its escrow; what receipts
// owe is what claims ask for.
func (r *recount) claims() error {
	next, err := r.nextNumber(state.KeyNextClaim())
	if err != nil {
		return err
	}
	owed := map[uint64]int64{}
	untendered := map[string]uint64{}
	var failed error
	err = RangeClaims(r.view, func(c *state.Claim) bool {
		if c.Number >= next || c.Opened > r.height || c.Tendered > r.height || r.standings[c.Custodian] == nil {
			failed = fmt.Errorf("claim %d is from the future or of no custodian", c.Number)
			return false
		}
		owed[c.Receipt] += c.Quantity
		if c.Tendered == 0 {
			r.standings[c.Custodian].Untendered++
			untendered[string(state.KeyUntendered(c.Custodian, c.Deadline))]++
		}
		failed = r.claimOuts(c)
		return failed == nil
	})
	if err := firstError(err, failed); err != nil {
		return err
	}
	for key, n := range untendered {
		r.expect[key] = state.EncodeNumber(n)
	}
	err = RangeReceipts(r.view, func(receipt *state.Receipt) bool {
		if owed[receipt.Number] != receipt.Owed {
			failed = fmt.Errorf("receipt %d owes %d, its claims ask for %d", receipt.Number, receipt.Owed, owed[receipt.Number])
		}
		delete(owed, receipt.Number)
		return failed == nil
	})
	if err := firstError(err, failed); err != nil {
		return err
	}
	if len(owed) > 0 {
		return fmt.Errorf("%d receipts of claims are not open", len(owed))
	}
	return nil
}

func (r *recount) claimOuts(c *state.Claim) error {
	token := meant{what: fmt.Sprintf("the token of claim %d", c.Number), script: c.TokenScript, height: c.TokenHeight}
	if err := r.means(c.Token, state.Meaning{Kind: state.MeansToken, Claim: c.Number}, token); err != nil {
		return err
	}
	if c.Kind == state.ClaimReclaim {
		if c.Escrow != (wire.OutPoint{}) {
			return fmt.Errorf("claim %d is a reclaim and has an escrow", c.Number)
		}
		return nil
	}
	escrow := meant{what: fmt.Sprintf("the escrow of claim %d", c.Number), units: c.EscrowUnits, script: r.treasury, height: c.Opened}
	return r.means(c.Escrow, state.Meaning{Kind: state.MeansEscrow, Claim: c.Number}, escrow)
}

// readStandings compares each standing with what was counted, and the reserve
// with them.
func (r *recount) readStandings() error {
	var reserve state.Reserve
	for index := range r.block.counts.Custodians {
		stored, err := r.block.standing(index)
		if err != nil {
			return err
		}
		counted := r.standings[index]
		if stored.Counted != counted.Counted || stored.All != counted.All || stored.Claimed != counted.Claimed || stored.Whole != counted.Whole || stored.Untendered != counted.Untendered {
			return fmt.Errorf("the standing of custodian %d is stored as %+v, counted as %+v", index, stored, counted)
		}
		if err := r.checkStanding(index, stored); err != nil {
			return err
		}
		reserve = contribute(reserve, stored)
		r.expect[string(state.KeyStanding(index))] = stored.Encode()
	}
	if value := reserve.Encode(); value != nil {
		r.expect[string(state.KeyReserve())] = value
	}
	return nil
}

// checkStanding: bonds, announcement and default agree with each other.
func (r *recount) checkStanding(index uint16, s *state.Standing) error {
	for i, bond := range s.Bonds {
		coin := meant{what: fmt.Sprintf("bond %d of custodian %d", i, index), units: bond.Units, script: r.treasury}
		if err := r.means(bond.Out, state.Meaning{Kind: state.MeansBond, Index: index}, coin); err != nil {
			return err
		}
	}
	comes := !s.Defaulted && s.DebtUnits > s.BondUnits()
	switch {
	case s.AnnouncedUnits > s.BondUnits() || (s.AnnouncedUnits == 0) != (s.ReadyAt == 0):
		return fmt.Errorf("custodian %d announced to take back %d of %d units", index, s.AnnouncedUnits, s.BondUnits())
	case (len(s.Bonds) == 0) != (len(s.ReturnScript) == 0):
		return fmt.Errorf("custodian %d has %d bonds and a return script of %d bytes", index, len(s.Bonds), len(s.ReturnScript))
	case comes != (s.DefaultAt != 0) || comes && s.DefaultAt <= r.height:
		return fmt.Errorf("custodian %d owes %d over bonds of %d, its default is due at %d", index, s.DebtUnits, s.BondUnits(), s.DefaultAt)
	}
	if comes {
		r.expect[string(state.KeyDefault(s.DefaultAt, index))] = state.ExpiryMark()
	}
	return nil
}

// proposals: every attestation and every used proposal has its mark in the
// order of expiry and none is over.
func (r *recount) proposals() error {
	var failed error
	from, to := state.AttestationKeys()
	err := r.view.GoodsRange(from, to, func(key, value []byte) bool {
		a, err := state.DecodeAttestation(value)
		hash, auditor := chainhash.Hash(key[1:33]), uint16(key[33])<<8|uint16(key[34])
		switch {
		case err != nil:
			failed = err
		case a.Height > r.height || a.Until < r.height || auditor >= r.block.counts.Auditors:
			failed = fmt.Errorf("attestation %x of %d to %d should not be there", key, a.Height, a.Until)
		}
		r.expectExpiry(a.Until, hash, auditor)
		return failed == nil
	})
	if err := firstError(err, failed); err != nil {
		return err
	}
	from, to = state.UsedKeys()
	err = r.view.GoodsRange(from, to, func(key, value []byte) bool {
		last, err := state.DecodeHeight(value)
		if failed = err; err == nil && last < r.height {
			failed = fmt.Errorf("used proposal %x was over after %d", key, last)
		}
		r.expectExpiry(last, chainhash.Hash(key[1:]), state.UsedAuditor)
		return failed == nil
	})
	return firstError(err, failed)
}

func (r *recount) expectExpiry(last int32, hash chainhash.Hash, auditor uint16) {
	if next := later(last, 1); next > last { // otherwise nothing is ever forgotten
		r.expect[string(state.KeyExpiry(next, hash, auditor))] = state.ExpiryMark()
	}
}

package goods

import (
	"encoding/binary"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Tender says that a custodian has the goods of claims ready, and a quorum of
// auditors that they are: the pickup window of each begins. Claims that were
// delivered meanwhile are passed over, or one holder could void the tender of
// two hundred.
type Tender struct {
	Custodian uint16 // who acts
	Expiry    int32  // the last height at which this is valid
	Claims    []ClaimRef
}

// Type implements Record.
func (Tender) Type() RecordType { return TypeTender }

// Body implements Record: custodian u16, expiry u32, list of claims.
func (r Tender) Body() []byte {
	b := appendClaimsHead(nil, r.Custodian, r.Expiry, len(r.Claims))
	for _, c := range r.Claims {
		b = c.append(b)
	}
	return b
}

// appendClaimsHead writes what the lists of tender and deliver begin with.
func appendClaimsHead(b []byte, custodian uint16, expiry int32, n int) []byte {
	b = binary.LittleEndian.AppendUint16(b, custodian)
	b = binary.LittleEndian.AppendUint32(b, uint32(expiry))
	return binary.LittleEndian.AppendUint16(b, uint16(n))
}

func parseTender(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Tender{Custodian: b.U16(), Expiry: b.Height()}
	n := int(b.U16())
	if n < 1 || n > params.MaxTendered {
		return nil, check.Rule(CodeRecordMalformed, "tender names %d claims, 1 to %d are allowed", n, params.MaxTendered)
	}
	r.Claims = make([]ClaimRef, n)
	for i := range r.Claims {
		r.Claims[i] = readClaimRef(b)
		if i > 0 && r.Claims[i-1].Number >= r.Claims[i].Number {
			return nil, check.Rule(CodeRecordMalformed, "tender names claim %d of its list out of order or twice", i)
		}
	}
	if !b.Done() {
		return nil, check.Rule(CodeRecordMalformed, "tender has %d bytes, which are too few or too many for %d claims", len(body), n)
	}
	return r, nil
}

func (r Tender) proposal(g *Block) proposal {
	return proposal{hash: ProposalHash(g.charter.ID(), r), expiry: r.Expiry}
}

func (r Tender) ref(i int) ClaimRef { return r.Claims[i] }

func (r Tender) check(a *action) error {
	if err := a.checkCustodianActs(r.Custodian, r.proposal(a.g)); err != nil {
		return err
	}
	return a.g.eachOpen(r.Custodian, len(r.Claims), r.ref, func(_ int, c *state.Claim) error {
		if c.Tendered != 0 {
			return check.Rule(CodeClaimTendered, "claim %d was tendered at height %d", c.Number, c.Tendered)
		}
		if a.g.height > c.GraceEnd() {
			return check.Rule(CodeClaimLate, "claim %d could be tendered to height %d, this is %d: it is settled now", c.Number, c.GraceEnd(), a.g.height)
		}
		return nil
	})
}

// checkCustodianActs: the custodian's seat acts, on a proposal that a quorum
// stands behind.
func (a *action) checkCustodianActs(custodian uint16, p proposal) error {
	seat, err := a.actingSeat()
	if err != nil {
		return err
	}
	if err := a.checkActor(seat, state.RoleCustodian, custodian); err != nil {
		return err
	}
	return a.checkProposal(p)
}

// eachOpen calls f for each of n claims that is there, in order: they are the
// custodian's, and there is one at least.
func (g *Block) eachOpen(custodian uint16, n int, ref func(i int) ClaimRef, f func(i int, c *state.Claim) error) error {
	var gone error
	open := 0
	for i := range n {
		c, err := g.claim(ref(i))
		if check.AsRule(err) != nil {
			gone = err
			continue
		}
		if err != nil {
			return err
		}
		if c.Custodian != custodian {
			return check.Rule(CodeClaimCustodian, "claim %d is for goods of custodian %d, not %d", c.Number, c.Custodian, custodian)
		}
		if err := f(i, c); err != nil {
			return err
		}
		open++
	}
	if open == 0 {
		return gone
	}
	return nil
}

func (r Tender) apply(a *action) error {
	g := a.g
	err := g.eachOpen(r.Custodian, len(r.Claims), r.ref, func(_ int, c *state.Claim) error {
		if err := g.addUntendered(c, -1); err != nil {
			return err
		}
		c.Tendered = g.height
		g.events = append(g.events, ClaimTendered{Claim: *c})
		return g.set(c.Key(), c.Encode())
	})
	if err != nil {
		return err
	}
	if err := g.useProposal(r.proposal(g)); err != nil {
		return err
	}
	return a.moveSeat()
}

var _ Record = Tender{}

package goods

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// What a body of deliver begins with: who says that the goods were handed out.
const (
	deliverByHolder    = 0
	deliverByCustodian = 1
)

// Deliver is the holder's word that the goods of a claim were handed out: its
// token is spent, the escrow becomes pool. It is valid from the block after
// the claim opened on, tendered or not.
type Deliver struct{ ClaimRef }

// Type implements Record.
func (Deliver) Type() RecordType { return TypeDeliver }

// Body implements Record: 00, claim u64, id 8 bytes.
func (r Deliver) Body() []byte { return r.append([]byte{deliverByHolder}) }

// DeliverAttested is the custodian's word for claims whose holders did not
// spend their tokens, with a quorum of auditors behind it. It waits until the
// pickup window is over, so that a holder who could not collect lapses first.
// Claims that were delivered or lapsed meanwhile are passed over.
type DeliverAttested struct {
	Custodian  uint16 // who acts
	Expiry     int32  // the last height at which this is valid
	Deliveries []Delivery
}

// Delivery is one claim whose goods were handed out.
type Delivery struct {
	ClaimRef
	Document chainhash.Hash // of the delivery note
}

// Type implements Record.
func (DeliverAttested) Type() RecordType { return TypeDeliver }

// Body implements Record: 01, custodian u16, expiry u32, list of claim u64, id
// 8 bytes, document 32.
func (r DeliverAttested) Body() []byte {
	b := appendClaimsHead([]byte{deliverByCustodian}, r.Custodian, r.Expiry, len(r.Deliveries))
	for i := range r.Deliveries {
		b = r.Deliveries[i].append(b)
		b = append(b, r.Deliveries[i].Document[:]...)
	}
	return b
}

func parseDeliver(body []byte) (Record, error) {
	switch {
	case len(body) > 0 && body[0] == deliverByHolder:
		ref, err := parseClaimRef(TypeDeliver, body[1:])
		if err != nil {
			return nil, err
		}
		return Deliver{ref}, nil
	case len(body) > 0 && body[0] == deliverByCustodian:
		return parseDeliverAttested(body[1:])
	}
	return nil, check.Rule(CodeRecordMalformed, "deliver begins neither with 00 nor with 01")
}

func parseDeliverAttested(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := DeliverAttested{Custodian: b.U16(), Expiry: b.Height()}
	n := int(b.U16())
	if n < 1 || n > params.MaxDelivered {
		return nil, check.Rule(CodeRecordMalformed, "deliver names %d claims, 1 to %d are allowed", n, params.MaxDelivered)
	}
	r.Deliveries = make([]Delivery, n)
	for i := range r.Deliveries {
		r.Deliveries[i] = Delivery{readClaimRef(b), b.Hash()}
		if i > 0 && r.Deliveries[i-1].Number >= r.Deliveries[i].Number {
			return nil, check.Rule(CodeRecordMalformed, "deliver names claim %d of its list out of order or twice", i)
		}
	}
	if !b.Done() {
		return nil, check.Rule(CodeRecordMalformed, "deliver has %d bytes, which are too few or too many for %d claims", len(body), n)
	}
	return r, nil
}

func (r Deliver) check(a *action) error {
	c, err := a.g.claim(r.ClaimRef)
	if err != nil {
		return err
	}
	return a.takeToken(c)
}

func (r Deliver) apply(a *action) error {
	c, err := a.g.claim(r.ClaimRef)
	if err != nil {
		return err
	}
	return a.g.deliver(c, ClaimDelivered{Claim: *c, ByHolder: true})
}

func (r DeliverAttested) proposal(g *Block) proposal {
	return proposal{hash: ProposalHash(g.charter.ID(), r), expiry: r.Expiry}
}

func (r DeliverAttested) check(a *action) error {
	if err := a.checkCustodianActs(r.Custodian, r.proposal(a.g)); err != nil {
		return err
	}
	return a.g.eachOpen(r.Custodian, len(r.Deliveries), r.ref, func(_ int, c *state.Claim) error {
		switch height := a.g.height; {
		case c.Tendered == 0:
			return check.Rule(CodeClaimUntendered, "claim %d was not tendered", c.Number)
		case height <= c.PickupEnd():
			return check.Rule(CodeClaimEarly, "claim %d may be collected to height %d, this is %d: only its token delivers until then", c.Number, c.PickupEnd(), height)
		case height > c.PickupGraceEnd():
			return check.Rule(CodeClaimLate, "claim %d could be delivered without its token to height %d, this is %d", c.Number, c.PickupGraceEnd(), height)
		}
		return nil
	})
}

func (r DeliverAttested) ref(i int) ClaimRef { return r.Deliveries[i].ClaimRef }

func (r DeliverAttested) apply(a *action) error {
	g := a.g
	err := g.eachOpen(r.Custodian, len(r.Deliveries), r.ref, func(i int, c *state.Claim) error {
		return g.deliver(c, ClaimDelivered{Claim: *c, Document: r.Deliveries[i].Document})
	})
	if err != nil {
		return err
	}
	if err := g.useProposal(r.proposal(g)); err != nil {
		return err
	}
	return a.moveSeat()
}

// deliver lets the goods of a claim be gone: its escrow becomes pool where it
// is, without being spent.
func (g *Block) deliver(c *state.Claim, event ClaimDelivered) error {
	before, err := g.receiptOf(c)
	if err != nil {
		return err
	}
	after := *before
	after.Owed -= c.Quantity
	after.Delivered += c.Quantity
	if err := g.closeClaim(c, before); err != nil {
		return err
	}
	if err := g.changeReceipt(before, &after); err != nil {
		return err
	}
	g.events = append(g.events, event)
	if c.Kind == state.ClaimRedemption {
		g.totals.EscrowUnits -= c.EscrowUnits
		g.totals.PoolUnits += c.EscrowUnits
		g.events = append(g.events, TreasuryPaid{Out: c.Escrow, Units: c.EscrowUnits})
	}
	return nil
}

var (
	_ Record = Deliver{}
	_ Record = DeliverAttested{}
)

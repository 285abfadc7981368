package proof

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// AuditFacts are what a whole state says and what was counted from it again.
// Everything is proved by the block. Counted again from receipts and claims is
// all but circulating, pool and UTXO set, which need every coin.
type AuditFacts struct {
	Charter *params.Charter
	Anchor  *Anchor
	Block   *Block

	Parameters params.Parameters
	Totals     state.Totals
	Reserve    state.Reserve
	Counts     state.Counts
	Pending    [state.SlotCount]*state.Pending

	Keys, Bytes  int64 // of the file
	Receipts     int64 // open
	Claims       int64 // open
	Untendered   int64 // of them
	ReservedLots int64 // of closed receipts, for ever
	NextReceipt  uint64
	NextClaim    uint64

	Goods      []*GoodFacts      // by index
	Custodians []*CustodianFacts // by index
}

// GoodFacts are the sums of all open receipts of a good, in its measure.
type GoodFacts struct {
	goods.Good
	Receipts                             int64
	Undrawn, Free, Owed, Delivered, Lost state.Sum
	// Counted is Free of receipts and custodians that count, CountedUnits its
	// part of R.
	Counted, CountedUnits state.Sum
	// Oldest and Newest are the heights at which goods of it were last seen.
	Oldest, Newest int32
}

// CustodianFacts are the sums of a custodian.
type CustodianFacts struct {
	state.Standing
	Seat             state.Seat
	Receipts, Claims int64
}

// pair names a custodian and a good.
type pair struct{ custodian, good uint16 }

// recount reads every key once, ascending, and keeps what it needs to compare.
type recount struct {
	facts *AuditFacts
	fault error // the first contradiction

	limits   map[pair]int64
	stored   map[pair]state.Holding // as the state says
	counted  map[pair]state.Holding // as the receipts say
	goods    map[uint16]*state.GoodInForce
	seats    map[state.Role]map[uint16]state.Seat
	standing map[uint16]*state.Standing
	perGood  map[uint16]*GoodFacts
	claims   map[uint16]*[2]int64 // of a custodian: all, untendered
	claimed  map[uint64]int64     // of a receipt, by redemptions: claims come before receipts
	receipts map[uint16]int64     // of a custodian
	lots     lots
	escrows  state.Sum

	lastReceipt, lastClaim uint64 // the highest numbers

	// Each tally is added to from one side and taken from on the other, and
	// is zero in the end.
	owed, fresh, untendered, outpoints, expiries, defaults tally
}

// The kinds of keys, as their first byte.
var (
	kindAllowance   = state.KeyAllowance(0, 0)[0]
	kindStanding    = state.KeyStanding(0)[0]
	kindDefault     = state.KeyDefault(0, 0)[0]
	kindExpiry      = state.KeyExpiry(0, chainhash.Hash{}, 0)[0]
	kindFresh       = state.KeyFresh(0, 0, 0)[0]
	kindGood        = state.KeyGood(0)[0]
	kindHolding     = state.KeyHolding(0, 0)[0]
	kindPending     = state.KeyPending(0)[0]
	kindClaim       = state.KeyClaim(0)[0]
	kindLot         = state.KeyLot(chainhash.Hash{})[0]
	kindNextClaim   = state.KeyNextClaim()[0]
	kindNextReceipt = state.KeyNextReceipt()[0]
	kindParameters  = state.KeyParameters()[0]
	kindUntendered  = state.KeyUntendered(0, 0)[0]
	kindReceipt     = state.KeyReceipt(0)[0]
	kindSeat        = state.KeySeat(0, 0)[0]
	kindTotals      = state.KeyTotals()[0]
	kindUsed        = state.KeyUsed(chainhash.Hash{})[0]
	kindAttestation = state.KeyAttestation(chainhash.Hash{}, 0)[0]
	kindReserve     = state.KeyReserve()[0]
	kindCounts      = state.KeyCounts()[0]
)

func newRecount(charter *params.Charter, anchor *Anchor, block *Block) *recount {
	return &recount{
		facts:  &AuditFacts{Charter: charter, Anchor: anchor, Block: block},
		limits: map[pair]int64{}, stored: map[pair]state.Holding{}, counted: map[pair]state.Holding{},
		goods: map[uint16]*state.GoodInForce{}, seats: map[state.Role]map[uint16]state.Seat{},
		standing: map[uint16]*state.Standing{}, perGood: map[uint16]*GoodFacts{},
		claims: map[uint16]*[2]int64{}, claimed: map[uint64]int64{}, receipts: map[uint16]int64{},
	}
}

// add takes the next key. What is wrong is told by finish, so that a file that
// is not the chain's at all is called that first.
func (c *recount) add(key, value []byte) {
	c.facts.Keys++
	if c.fault == nil {
		c.fault = c.read(key, value)
	}
}

// read takes one key apart.
func (c *recount) read(key, value []byte) (err error) {
	if err = state.CheckKey(key); err != nil {
		return err
	}
	f := c.facts
	switch key[0] {
	case kindAllowance:
		return c.readAllowance(key, value)
	case kindStanding:
		return c.readStanding(key, value)
	case kindDefault:
		c.defaults.add(key, 1)
	case kindExpiry:
		c.expiries.add(key, 1)
	case kindFresh:
		return c.readMeasures(&c.fresh, key, value)
	case kindGood:
		c.goods[numberOf(key)], err = state.DecodeGoodInForce(value)
	case kindHolding:
		return c.readHolding(key, value)
	case kindPending:
		return c.readPending(key, value)
	case kindClaim:
		return c.readClaim(key, value)
	case kindLot:
		return c.lots.add(key, value)
	case kindNextClaim:
		f.NextClaim, err = state.DecodeNumber(value)
	case kindNextReceipt:
		f.NextReceipt, err = state.DecodeNumber(value)
	case kindParameters:
		f.Parameters, err = params.DecodeParameters(value)
	case kindUntendered:
		return c.readMeasures(&c.untendered, key, value)
	case kindReceipt:
		return c.readReceipt(key, value)
	case kindSeat:
		return c.readSeat(key, value)
	case kindTotals:
		f.Totals, err = state.DecodeTotals(value)
	case kindUsed:
		return c.readUsed(key, value)
	case kindAttestation:
		return c.readAttestation(key, value)
	case kindReserve:
		f.Reserve, err = state.DecodeReserve(value)
	case kindCounts:
		f.Counts, err = state.DecodeCounts(value)
	default: // CheckKey leaves the outpoints
		_, err = state.DecodeMeaning(value)
		c.outpoints.addValue(key, value)
	}
	return err
}

// numberOf reads the u16 behind the kind.
func numberOf(key []byte) uint16 { return binary.BigEndian.Uint16(key[1:]) }

func pairOf(key []byte) pair { return pair{numberOf(key), binary.BigEndian.Uint16(key[3:])} }

// inRange bounds what is kept by custodian and good.
func (p pair) inRange() error {
	if p.custodian >= params.MaxMembers || p.good >= params.MaxGoods {
		return fmt.Errorf("custodian %d or good %d is more than there can be", p.custodian, p.good)
	}
	return nil
}

func (c *recount) readAllowance(key, value []byte) (err error) {
	at := pairOf(key)
	if err = at.inRange(); err == nil {
		c.limits[at], err = state.DecodeLimit(value)
	}
	return err
}

func (c *recount) readHolding(key, value []byte) (err error) {
	at := pairOf(key)
	if err = at.inRange(); err == nil {
		c.stored[at], err = state.DecodeHolding(value)
	}
	return err
}

func (c *recount) readMeasures(t *tally, key, value []byte) error {
	n, err := state.DecodeLimit(value)
	if err == nil && n == 0 {
		err = fmt.Errorf("key %x is there for nothing", key)
	}
	t.add(key, n)
	return err
}

func (c *recount) readStanding(key, value []byte) error {
	custodian := numberOf(key)
	s, err := state.DecodeStanding(value)
	if err == nil {
		err = pair{custodian: custodian}.inRange()
	}
	if err != nil {
		return err
	}
	c.standing[custodian] = s
	if s.DefaultAt != 0 {
		c.defaults.sub(state.KeyDefault(s.DefaultAt, custodian), 1)
	}
	for i := range s.Bonds {
		meaning := state.Meaning{Kind: state.MeansBond, Index: custodian}
		c.outpoints.subValue(state.KeyOutpoint(s.Bonds[i].Out), meaning.Encode())
	}
	return nil
}

func (c *recount) readPending(key, value []byte) error {
	if key[1] >= state.SlotCount {
		return fmt.Errorf("there is no slot %d for changes", key[1])
	}
	p, err := state.DecodePending(value)
	if err != nil {
		return err
	}
	if p.Effective <= c.facts.Block.StateHeight() {
		return fmt.Errorf("a change that was to be effective at %d is still pending", p.Effective)
	}
	c.facts.Pending[key[1]] = p
	for i := range p.Scripts {
		meaning := state.Meaning{Kind: state.MeansWaiting, Slot: state.Slot(key[1])}
		c.outpoints.subValue(state.KeyOutpoint(p.Out(i)), meaning.Encode())
	}
	return nil
}

func (c *recount) readClaim(key, value []byte) error {
	claim, err := state.DecodeClaim(key, value)
	if err == nil {
		err = pair{custodian: claim.Custodian}.inRange()
	}
	if err != nil {
		return err
	}
	f := c.facts
	f.Claims++
	c.lastClaim = claim.Number
	of := c.claims[claim.Custodian]
	if of == nil {
		of = &[2]int64{}
		c.claims[claim.Custodian] = of
	}
	of[0]++
	if claim.Tendered == 0 {
		of[1]++
		f.Untendered++
		c.untendered.sub(state.KeyUntendered(claim.Custodian, claim.Deadline), 1)
	}
	c.owed.add(owedKey(claim.Receipt, claim.Custodian), claim.Quantity)
	c.escrows = c.escrows.Add(claim.EscrowUnits)
	token := state.Meaning{Kind: state.MeansToken, Claim: claim.Number}
	c.outpoints.subValue(state.KeyOutpoint(claim.Token), token.Encode())
	if claim.Kind == state.ClaimRedemption {
		c.claimed[claim.Receipt] += claim.Quantity
		escrow := state.Meaning{Kind: state.MeansEscrow, Claim: claim.Number}
		c.outpoints.subValue(state.KeyOutpoint(claim.Escrow), escrow.Encode())
	}
	return nil
}

func (c *recount) readReceipt(key, value []byte) error {
	r, err := state.DecodeReceipt(key, value)
	if err == nil {
		err = pair{r.Custodian, r.Good}.inRange()
	}
	if err != nil {
		return err
	}
	height := c.facts.Block.StateHeight()
	switch {
	case r.Quantity() == 0:
		return fmt.Errorf("receipt %d has nothing left and is still there", r.Number)
	case r.Opened > height || r.Observed > height:
		return fmt.Errorf("receipt %d is from the future", r.Number)
	}
	if err := c.lots.match(goods.LotCommitment(r.Registry, r.Serial), r.Number); err != nil {
		return err
	}
	c.facts.Receipts++
	c.lastReceipt = r.Number
	c.receipts[r.Custodian]++
	c.owed.sub(owedKey(r.Number, r.Custodian), r.Owed)
	at := pair{r.Custodian, r.Good}
	h := c.counted[at]
	h.Whole += r.Quantity()
	h.Free += r.Free
	h.Claimed += c.claimed[r.Number]
	if r.Fresh(height) && r.Free > 0 {
		h.Counted += r.Free
		c.fresh.sub(state.KeyFresh(r.ValidUntil, r.Custodian, r.Good), r.Free)
	}
	c.counted[at] = h
	c.sumReceipt(r)
	return nil
}

// owedKey ties a claim to a receipt and its custodian.
func owedKey(receipt uint64, custodian uint16) []byte {
	return binary.BigEndian.AppendUint16(state.KeyReceipt(receipt), custodian)
}

// sumReceipt adds a receipt to the figures of its good.
func (c *recount) sumReceipt(r *state.Receipt) {
	g := c.perGood[r.Good]
	if g == nil {
		g = &GoodFacts{Oldest: r.Observed}
		c.perGood[r.Good] = g
	}
	g.Receipts++
	g.Undrawn, g.Free, g.Owed = g.Undrawn.Add(r.Undrawn), g.Free.Add(r.Free), g.Owed.Add(r.Owed)
	g.Delivered, g.Lost = g.Delivered.Add(r.Delivered), g.Lost.Add(r.Lost)
	g.Oldest, g.Newest = min(g.Oldest, r.Observed), max(g.Newest, r.Observed)
}

func (c *recount) readSeat(key, value []byte) error {
	seat, err := state.DecodeSeat(key, value)
	if err != nil {
		return err
	}
	if seat.Index >= params.MaxMembers {
		return fmt.Errorf("there can be no %s", seat.ID())
	}
	if c.seats[seat.Role] == nil {
		c.seats[seat.Role] = map[uint16]state.Seat{}
	}
	c.seats[seat.Role][seat.Index] = *seat
	meaning := state.Meaning{Kind: state.MeansSeat, Role: seat.Role, Index: seat.Index}
	c.outpoints.subValue(state.KeyOutpoint(seat.Out), meaning.Encode())
	return nil
}

func (c *recount) readUsed(key, value []byte) error {
	last, err := state.DecodeHeight(value)
	if err == nil && last < c.facts.Block.StateHeight() {
		err = errors.New("a used proposal that is over is still there")
	}
	c.expiries.sub(state.KeyExpiry(state.LaterHeight(last, 1), chainhash.Hash(key[1:]), state.UsedAuditor), 1)
	return err
}

func (c *recount) readAttestation(key, value []byte) error {
	a, err := state.DecodeAttestation(value)
	if err == nil && a.Until < c.facts.Block.StateHeight() {
		err = errors.New("an attestation that is over is still there")
	}
	auditor := binary.BigEndian.Uint16(key[33:])
	c.expiries.sub(state.KeyExpiry(state.LaterHeight(a.Until, 1), chainhash.Hash(key[1:33]), auditor), 1)
	return err
}

package goods

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Receive opens receipts for goods that a custodian took in and a quorum of
// auditors saw. It moves no coins: those leave the pool by draws.
type Receive struct {
	Custodian uint16 // who acts
	Expiry    int32  // the last height at which this is valid
	Observed  Observed
	Openings  []Opening // 1 to 64
}

// Observed is the block below which auditors saw the goods: what they saw is
// older than a fork that does not have it.
type Observed struct {
	Height int32
	Hash   chainhash.Hash
}

// Opening is one receipt to be opened.
type Opening struct {
	Good     uint16 // index in the charter
	Registry uint16 // index in the charter
	Serial   string // [A-Z0-9-], 1 to 40
	Quantity int64  // measures
	Document chainhash.Hash
	Location string // printable ASCII, 0 to 64
	Script   []byte // where the coins go
}

// Type implements Record.
func (Receive) Type() RecordType { return TypeReceive }

// Body implements Record; docs/goods-rules.md lists it.
func (r Receive) Body() []byte {
	b := binary.LittleEndian.AppendUint16(nil, r.Custodian)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Expiry))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Observed.Height))
	b = append(b, r.Observed.Hash[:]...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Openings)))
	for i := range r.Openings {
		o := &r.Openings[i]
		b = binary.LittleEndian.AppendUint16(b, o.Good)
		b = binary.LittleEndian.AppendUint16(b, o.Registry)
		b = append(append(b, byte(len(o.Serial))), o.Serial...)
		b = binary.LittleEndian.AppendUint64(b, uint64(o.Quantity))
		b = append(b, o.Document[:]...)
		b = append(append(b, byte(len(o.Location))), o.Location...)
		b = append(append(b, byte(len(o.Script))), o.Script...)
	}
	return b
}

func parseReceive(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Receive{Custodian: b.U16(), Expiry: b.Height(), Observed: Observed{b.Height(), b.Hash()}}
	n := int(b.U16())
	if n < 1 || n > params.MaxOpenings {
		return nil, check.Rule(CodeRecordMalformed, "receive opens %d receipts, 1 to %d are allowed", n, params.MaxOpenings)
	}
	r.Openings = make([]Opening, n)
	for i := range r.Openings {
		o := &r.Openings[i]
		o.Good, o.Registry = b.U16(), b.U16()
		o.Serial, o.Quantity, o.Document = string(b.Short()), b.Int64(), b.Hash()
		o.Location, o.Script = string(b.Short()), bytes.Clone(b.Short())
		if !validSerial(o.Serial) || !validLocation(o.Location) {
			return nil, check.Rule(CodeRecordMalformed, "receipt %d of the record has a serial or location that is empty, too long or has other characters than are allowed", i)
		}
	}
	if !b.Done() {
		return nil, check.Rule(CodeRecordMalformed, "receive has %d bytes, which are too few, too many, or hold a number beyond its bounds", len(body))
	}
	return r, nil
}

func validSerial(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= params.MaxSerialBytes
}

func validLocation(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return len(s) <= params.MaxLocationBytes
}

func (r Receive) check(a *action) error {
	seat, err := a.actingSeat()
	if err != nil {
		return err
	}
	if err := a.checkActor(seat, state.RoleCustodian, r.Custodian); err != nil {
		return err
	}
	standing, err := a.g.standing(r.Custodian)
	if err != nil {
		return err
	}
	if err := checkCounts(r.Custodian, standing); err != nil {
		return err
	}
	if err := a.checkProposal(r.proposal(a.g)); err != nil {
		return err
	}
	if err := a.g.checkObserved(r.Observed); err != nil {
		return err
	}
	added := make(map[uint16]int64)
	lots := make(map[chainhash.Hash]bool)
	for i := range r.Openings {
		if err := r.checkOpening(a.g, i, added, lots); err != nil {
			return err
		}
	}
	return a.g.checkBond(r.Custodian, added)
}

func (r Receive) proposal(g *Block) proposal {
	return proposal{hash: ProposalHash(g.charter.ID(), r), expiry: r.Expiry}
}

// checkObserved: the block is on this branch and not too deep below.
func (g *Block) checkObserved(o Observed) error {
	if depth := int64(g.height) - int64(o.Height); depth < 1 || depth > params.MaxObservedDepth {
		return check.Rule(CodeObserved, "the goods were seen at block %d, at height %d that must be one of the %d blocks before", o.Height, g.height, params.MaxObservedDepth)
	}
	if block := g.parent.Ancestor(o.Height); block == nil || block.Hash != o.Hash {
		return check.Rule(CodeObserved, "the goods were seen at block %v, which is not block %d of this chain", o.Hash, o.Height)
	}
	return nil
}

// checkOpening judges receipt i of the record. added and lots hold what the
// receipts before it take.
func (r Receive) checkOpening(g *Block, i int, added map[uint16]int64, lots map[chainhash.Hash]bool) error {
	o := &r.Openings[i]
	if int(o.Registry) >= len(g.charter.Registries) {
		return check.Rule(CodeReceiptRegistry, "receipt %d of the record names registry %d, the charter has %d", i, o.Registry, len(g.charter.Registries))
	}
	if problem := g.scriptProblem(o.Script); problem != "" {
		return check.Rule(CodeReceiptScript, "receipt %d of the record pays to a script that %s", i, problem)
	}
	limit, err := g.allowance(r.Custodian, o.Good)
	if err != nil {
		return err
	}
	if limit == 0 {
		return check.Rule(CodeReceiptGood, "receipt %d of the record is of good %d, which custodian %d may not hold", i, o.Good, r.Custodian)
	}
	good, err := g.good(o.Good)
	if err != nil {
		return err
	}
	if err := r.checkQuantity(g, i, good); err != nil {
		return err
	}
	lot := LotCommitment(o.Registry, o.Serial)
	taken, err := g.over.Goods(state.KeyLot(lot))
	if err != nil {
		return fmt.Errorf("read goods state: %w", err)
	}
	if taken != nil || lots[lot] {
		return check.Rule(CodeLot, "receipt %d of the record is for lot %s of registry %d, which has a receipt already", i, o.Serial, o.Registry)
	}
	lots[lot] = true
	holding, err := ReadHolding(g.over, r.Custodian, o.Good)
	if err != nil {
		return err
	}
	if o.Quantity > limit-holding.Whole-added[o.Good] {
		return check.Rule(CodeLimit, "receipt %d of the record brings custodian %d over its limit of %d %s of good %d", i, r.Custodian, limit, good.Measure, o.Good)
	}
	added[o.Good] += o.Quantity
	return nil
}

// checkQuantity: large enough, not worth nothing or more than all coins, and
// not seen too long ago to count even once.
func (r Receive) checkQuantity(g *Block, i int, good *Good) error {
	quantity := r.Openings[i].Quantity
	if quantity < good.MinReceipt {
		return check.Rule(CodeReceiptMinimum, "receipt %d of the record is for %d %s, %d at least are needed", i, quantity, good.Measure, good.MinReceipt)
	}
	if low, high := good.LowUnits(quantity), good.HighUnits(quantity); low < 1 || high > params.MaxMoneyUnits {
		return check.Rule(CodeReceiptValue, "receipt %d of the record is worth %d to %d units, 1 to %d are allowed", i, low, high, int64(params.MaxMoneyUnits))
	}
	if until := later(r.Observed.Height, good.MaxAgeBlocks); until < g.height {
		return check.Rule(CodeStale, "receipt %d of the record would count to height %d only, which is over", i, until)
	}
	return nil
}

// checkBond: the custodian's bonds suffice with what the record adds, by good.
func (g *Block) checkBond(custodian uint16, added map[uint16]int64) error {
	_, after, _, err := g.standingAfter(custodian, func(*state.Standing) {})
	if err != nil {
		return err
	}
	for index := range g.counts.Goods {
		if added[index] == 0 {
			continue
		}
		good, err := g.good(index)
		if err != nil {
			return err
		}
		before, err := ReadHolding(g.over, custodian, index)
		if err != nil {
			return err
		}
		with := before
		with.Whole += added[index]
		revalue(after, good, before, good, with)
	}
	if !g.bondsSuffice(after) {
		return check.Rule(CodeBond, "custodian %d would hold goods worth %d units: above %d its bonds must cover %d basis points of them and its debt", custodian, after.Whole.Units(), g.params.UnbondedAllowanceUnits, g.params.BondRatioBP)
	}
	return nil
}

func (r Receive) apply(a *action) error {
	g := a.g
	for i := range r.Openings {
		receipt, err := r.receipt(a, i)
		if err != nil {
			return err
		}
		if err := g.openReceipt(receipt); err != nil {
			return err
		}
	}
	if err := g.useProposal(r.proposal(g)); err != nil {
		return err
	}
	return a.moveSeat()
}

// receipt makes receipt i of the record, with the next number.
func (r Receive) receipt(a *action, i int) (*state.Receipt, error) {
	g, o := a.g, &r.Openings[i]
	value, err := g.over.Goods(state.KeyNextReceipt())
	if err != nil {
		return nil, fmt.Errorf("read goods state: %w", err)
	}
	number, err := state.DecodeNumber(value)
	if err != nil {
		return nil, err
	}
	good, err := g.good(o.Good)
	if err != nil {
		return nil, err
	}
	return &state.Receipt{
		Number: number, ID: ReceiptID(a.tx.Txid, uint32(i)),
		Good: o.Good, Custodian: r.Custodian, Registry: o.Registry, Serial: o.Serial,
		Document: o.Document, Location: o.Location, Script: o.Script,
		HaircutBP: uint32(good.HaircutBP), Opened: g.height, Observed: r.Observed.Height,
		ValidUntil: later(r.Observed.Height, good.MaxAgeBlocks),
		OpenedWith: o.Quantity, Undrawn: o.Quantity,
	}, nil
}

var _ Record = Receive{}

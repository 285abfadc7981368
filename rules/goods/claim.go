package goods

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// claimTag separates the ids of claims.
const claimTag = "granary/claim"

// ClaimRef names a claim by number and id, so that no reorganisation makes it
// mean another.
type ClaimRef struct {
	Number uint64
	ID     state.ObjectID
}

func (r ClaimRef) append(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(b, r.Number), r.ID[:]...)
}

func readClaimRef(b *state.ByteReader) (r ClaimRef) {
	r.Number = b.U64()
	copy(r.ID[:], b.Bytes(len(r.ID)))
	return r
}

// parseClaimRef reads a body that names one claim and nothing else.
func parseClaimRef(t RecordType, body []byte) (ClaimRef, error) {
	b := state.NewByteReader(body)
	r := readClaimRef(b)
	if !b.Done() {
		return r, check.Rule(CodeRecordMalformed, "%s has %d bytes for a claim and its id", t, len(body))
	}
	return r, nil
}

// receiptPart is a quantity of a receipt, as reclaim and redeem name it.
type receiptPart struct {
	Receipt  uint64
	ID       state.ObjectID
	Quantity int64
}

func (p receiptPart) body() []byte {
	b := append(binary.LittleEndian.AppendUint64(nil, p.Receipt), p.ID[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(p.Quantity))
}

func parseReceiptPart(t RecordType, body []byte) (p receiptPart, err error) {
	b := state.NewByteReader(body)
	p.Receipt = b.U64()
	copy(p.ID[:], b.Bytes(len(p.ID)))
	p.Quantity = b.Int64()
	if !b.Done() || p.Quantity == 0 {
		err = check.Rule(CodeRecordMalformed, "%s has %d bytes for a receipt, its id and a quantity above zero", t, len(body))
	}
	return p, err
}

// ClaimID is the id of the claim that the transaction txid opens.
func ClaimID(txid chainhash.Hash) (id state.ObjectID) {
	sum := chainhash.TaggedHash([]byte(claimTag), txid[:], make([]byte, 4))
	copy(id[:], sum[:])
	return id
}

// ReadClaim gives open claim number, nil if there is none.
func ReadClaim(view state.GoodsView, number uint64) (*state.Claim, error) {
	key := state.KeyClaim(number)
	value, err := view.Goods(key)
	if err != nil {
		return nil, fmt.Errorf("read claim %d: %w", number, err)
	}
	if value == nil {
		return nil, nil
	}
	return state.DecodeClaim(key, value)
}

// RangeClaims calls f for each open claim, by number, until f returns false.
func RangeClaims(view state.GoodsView, f func(c *state.Claim) bool) error {
	var failed error
	from, to := state.ClaimKeys()
	err := view.GoodsRange(from, to, func(key, value []byte) bool {
		c, err := state.DecodeClaim(key, value)
		failed = err
		return err == nil && f(c)
	})
	return firstError(err, failed)
}

// claim finds the claim that a record names. It must have been there below
// this block.
func (g *Block) claim(r ClaimRef) (*state.Claim, error) {
	c, err := ReadClaim(g.over, r.Number)
	if err != nil {
		return nil, err
	}
	if c == nil || c.ID != r.ID || c.Opened == g.height {
		return nil, check.Rule(CodeClaimUnknown, "there is no claim %d with id %x below this block", r.Number, r.ID[:])
	}
	return c, nil
}

// receiptOf gives the receipt of a claim, which is open while it owes.
func (g *Block) receiptOf(c *state.Claim) (*state.Receipt, error) {
	r, err := ReadReceipt(g.over, c.Receipt)
	if err == nil && (r == nil || r.Owed < c.Quantity) {
		err = fmt.Errorf("goods state is damaged: receipt %d does not owe claim %d", c.Receipt, c.Number)
	}
	return r, err
}

// checkClaimsFull: there is room for another untendered claim at a custodian.
func (g *Block) checkClaimsFull(custodian uint16, perBlock uint64) error {
	s, err := g.standing(custodian)
	if err != nil {
		return err
	}
	if most := perBlock * uint64(g.params.DeliveryWindowBlocks); s.Untendered >= most {
		return check.Rule(CodeClaimsFull, "custodian %d has %d untendered claims, %d are the most here: wait for its next tender", custodian, s.Untendered, most)
	}
	return nil
}

// checkTokenOutput: output 0 can be a token.
func (a *action) checkTokenOutput() error {
	out := a.output(0)
	if out == nil {
		return check.Rule(CodeTokenOutput, "output 0, in front of the %s record, must be a token", a.record.Type())
	}
	if out.Value != 0 {
		return check.Rule(CodeTokenOutput, "the token at output 0 carries %d units, it must carry 0", out.Value)
	}
	if problem := a.g.scriptProblem(out.PkScript); problem != "" {
		return check.Rule(CodeTokenOutput, "the token at output 0 has a script that %s", problem)
	}
	return nil
}

// spends reports whether input i is op.
func (a *action) spends(i int, op wire.OutPoint) bool {
	return i < len(a.tx.Msg.TxIn) && a.tx.Msg.TxIn[i].PreviousOutPoint == op
}

// takeToken: input 0 is the token of the claim, and it did not move in this
// block.
func (a *action) takeToken(c *state.Claim) error {
	if !a.spends(0, c.Token) {
		return check.Rule(CodeTokenInput, "input 0 must be the token of claim %d, %v", c.Number, c.Token)
	}
	if c.TokenHeight == a.g.height {
		return check.Rule(CodeTokenTwice, "the token of claim %d was moved in this block already", c.Number)
	}
	a.take(0)
	return nil
}

// takeEscrow: input i is the escrow of the claim.
func (a *action) takeEscrow(i int, c *state.Claim) error {
	if !a.spends(i, c.Escrow) {
		return check.Rule(CodeEscrowInput, "input %d must be the escrow of claim %d, %v", i, c.Number, c.Escrow)
	}
	return a.takeTreasury(i)
}

// checkPayment: output i pays exactly units to script.
func (a *action) checkPayment(i int, units int64, script []byte) error {
	out := a.output(i)
	if out == nil || out.Value != units || !bytes.Equal(out.PkScript, script) {
		return check.Rule(CodeEscrowPayment, "output %d must pay exactly %d units of the escrow to %x", i, units, script)
	}
	return nil
}

// openClaim writes the claim that a record takes out of receipt, which is as
// it was before, with its token at output 0.
func (a *action) openClaim(receipt *state.Receipt, kind state.ClaimKind, quantity, escrowUnits int64) error {
	g := a.g
	value, err := g.over.Goods(state.KeyNextClaim())
	if err != nil {
		return fmt.Errorf("read goods state: %w", err)
	}
	number, err := state.DecodeNumber(value)
	if err != nil {
		return err
	}
	c := &state.Claim{
		Number: number, ID: ClaimID(a.tx.Txid), Receipt: receipt.Number, Kind: kind, Custodian: receipt.Custodian, Quantity: quantity,
		EscrowUnits: escrowUnits, FeeBP: uint32(g.params.RedemptionFeeBP),
		Opened: g.height, Deadline: later(g.height, g.params.DeliveryWindowBlocks),
		PickupBlocks: uint32(g.params.PickupWindowBlocks), GraceBlocks: uint32(g.params.GraceWindowBlocks),
	}
	if kind == state.ClaimRedemption {
		c.Escrow = outpoint(a.tx, 1)
		if err := g.addClaimed(receipt, quantity); err != nil {
			return err
		}
		if err := g.setMeaning(c.Escrow, state.Meaning{Kind: state.MeansEscrow, Claim: number}); err != nil {
			return err
		}
	}
	if err := g.set(state.KeyNextClaim(), state.EncodeNumber(number+1)); err != nil {
		return err
	}
	if err := g.addUntendered(c, 1); err != nil {
		return err
	}
	if err := a.moveToken(c); err != nil {
		return err
	}
	g.events = append(g.events, ClaimOpened{Claim: *c})
	return nil
}

// moveToken makes output 0 the token of the claim and writes the claim.
func (a *action) moveToken(c *state.Claim) error {
	c.Token, c.TokenHeight = outpoint(a.tx, 0), a.g.height
	c.TokenScript = bytes.Clone(a.tx.Msg.TxOut[0].PkScript)
	if err := a.g.setMeaning(c.Token, state.Meaning{Kind: state.MeansToken, Claim: c.Number}); err != nil {
		return err
	}
	return a.g.set(c.Key(), c.Encode())
}

// closeClaim lets a claim be gone: its token and what is left of its escrow
// are ordinary, and it is not waited for.
func (g *Block) closeClaim(c *state.Claim, receipt *state.Receipt) error {
	if c.Tendered == 0 {
		if err := g.addUntendered(c, -1); err != nil {
			return err
		}
	}
	if c.Kind == state.ClaimRedemption {
		if err := g.setMeaning(c.Escrow, state.Meaning{}); err != nil {
			return err
		}
		if err := g.addClaimed(receipt, -c.Quantity); err != nil {
			return err
		}
	}
	if err := g.setMeaning(c.Token, state.Meaning{}); err != nil {
		return err
	}
	return g.set(c.Key(), nil)
}

// addUntendered counts one claim more, or less, that its custodian has not
// tendered: by deadline and in its standing.
func (g *Block) addUntendered(c *state.Claim, n int64) error {
	key := state.KeyUntendered(c.Custodian, c.Deadline)
	value, err := g.over.Goods(key)
	if err != nil {
		return fmt.Errorf("read goods state: %w", err)
	}
	count, err := state.DecodeNumber(value)
	if err != nil {
		return err
	}
	if count += uint64(n); count == 0 {
		err = g.set(key, nil)
	} else {
		err = g.set(key, state.EncodeNumber(count))
	}
	if err != nil {
		return err
	}
	return g.changeStanding(c.Custodian, func(s *state.Standing) { s.Untendered += uint64(n) })
}

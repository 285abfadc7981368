package goods

import (
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// proposalTag separates the hashes that auditors attest from all others.
const proposalTag = "granary/proposal"

// ProposalHash is what auditors attest: charter, type and the whole body of a
// record, which names who acts and until when.
func ProposalHash(id params.CharterID, r Record) chainhash.Hash {
	return *chainhash.TaggedHash([]byte(proposalTag), id[:], []byte{byte(r.Type())}, r.Body())
}

// proposal is the part that all attested bodies share.
type proposal struct {
	hash   chainhash.Hash
	expiry int32 // the last height at which the body is valid
	all    bool  // every auditor must stand behind it, not a quorum
}

// checkActor: the acting seat is the one that the record names.
func (a *action) checkActor(seat *state.Seat, role state.Role, index uint16) error {
	if seat.Role != role || seat.Index != index {
		return check.Rule(CodeActor, "the record is for %s, %s acts", (&state.Seat{Role: role, Index: index}).ID(), seat.ID())
	}
	return nil
}

// checkProposal: the body is still valid, was not used before, and a quorum of
// distinct auditors stands behind it.
func (a *action) checkProposal(p proposal) error {
	g := a.g
	if last := int64(g.height) + g.params.AttestationLifeBlocks; p.expiry < g.height || int64(p.expiry) > last {
		return check.Rule(CodeProposalExpiry, "the proposal expires at %d, at height %d that must be %d to %d", p.expiry, g.height, g.height, last)
	}
	used, err := g.over.Goods(state.KeyUsed(p.hash))
	if err != nil {
		return fmt.Errorf("read goods state: %w", err)
	}
	if used != nil {
		return check.Rule(CodeProposalUsed, "the proposal %x was used already", p.hash[:])
	}
	count, err := a.standBehind(p.hash)
	if err != nil {
		return err
	}
	needed := g.params.QuorumAuditors
	if p.all {
		needed = int64(g.counts.Auditors)
	}
	if count < needed {
		return check.Rule(CodeQuorum, "%d auditors attest the proposal %x, %d are needed", count, p.hash[:], needed)
	}
	return nil
}

// standBehind counts the auditors that stand behind a proposal now: those
// whose word counts, and the one that acts.
func (a *action) standBehind(hash chainhash.Hash) (int64, error) {
	count := int64(0)
	for auditor := range a.g.counts.Auditors {
		stands, err := a.g.attests(auditor, hash)
		if err != nil {
			return 0, err
		}
		if stands || a.actsAsAuditor(auditor) {
			count++
		}
	}
	return count, nil
}

func (a *action) actsAsAuditor(auditor uint16) bool {
	seat := a.seats[0].seat
	return seat.Role == state.RoleAuditor && seat.Index == auditor
}

// attests reports whether an auditor's word for a proposal counts: given in a
// block below, by who holds the seat now, and not too old.
func (g *Block) attests(auditor uint16, hash chainhash.Hash) (bool, error) {
	value, err := g.over.Goods(state.KeyAttestation(hash, auditor))
	if err != nil {
		return false, fmt.Errorf("read goods state: %w", err)
	}
	if value == nil {
		return false, nil
	}
	given, err := state.DecodeAttestation(value)
	if err != nil {
		return false, err
	}
	seat, err := readSeat(g.over, state.RoleAuditor, auditor)
	if err != nil {
		return false, err
	}
	return seat != nil && seat.Since <= given.Height && given.Height < g.height && g.height <= given.Until, nil
}

// useProposal refuses a proposal from now until it would expire anyway.
func (g *Block) useProposal(p proposal) error {
	if err := g.set(state.KeyUsed(p.hash), state.EncodeHeight(p.expiry)); err != nil {
		return err
	}
	return g.setExpiry(p.expiry, p.hash, state.UsedAuditor)
}

// setExpiry marks something to be forgotten in the block after last. Beyond
// the last height that a header can have nothing is ever forgotten.
func (g *Block) setExpiry(last int32, hash chainhash.Hash, auditor uint16) error {
	if last == math.MaxInt32 {
		return nil
	}
	return g.set(state.KeyExpiry(last+1, hash, auditor), state.ExpiryMark())
}

// later is height + blocks, held at the last height that a header can have.
func later(height int32, blocks int64) int32 { return state.LaterHeight(height, blocks) }

package goods

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Attest is an auditor's word for proposals: each hash counts, in the blocks
// after this one, for the life of an attestation. Attesting again begins the
// life anew.
type Attest struct {
	// Proposals are 1 to 64 hashes, ascending, each once.
	Proposals []chainhash.Hash
}

// Type implements Record.
func (Attest) Type() RecordType { return TypeAttest }

// Body implements Record: u16 count and the hashes.
func (r Attest) Body() []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(len(r.Proposals)))
	for i := range r.Proposals {
		b = append(b, r.Proposals[i][:]...)
	}
	return b
}

func parseAttest(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	n := int(b.U16())
	if n < 1 || n > params.MaxAttestedProposals || len(body) != 2+n*chainhash.HashSize {
		return nil, check.Rule(CodeRecordMalformed, "attest names %d proposals in %d bytes, 1 to %d are allowed", n, len(body), params.MaxAttestedProposals)
	}
	r := Attest{Proposals: make([]chainhash.Hash, n)}
	for i := range r.Proposals {
		r.Proposals[i] = b.Hash()
		if i > 0 && bytes.Compare(r.Proposals[i-1][:], r.Proposals[i][:]) >= 0 {
			return nil, check.Rule(CodeRecordMalformed, "attest names proposal %d out of order or twice", i)
		}
	}
	return r, nil
}

func (r Attest) check(a *action) error {
	seat, err := a.actingSeat()
	if err != nil {
		return err
	}
	if seat.Role != state.RoleAuditor {
		return check.Rule(CodeActor, "only an auditor attests, %s acts", seat.ID())
	}
	return nil
}

func (r Attest) apply(a *action) error {
	g, auditor := a.g, a.seats[0].seat.Index
	given := state.Attestation{Height: g.height, Until: later(g.height, g.params.AttestationLifeBlocks)}
	for _, hash := range r.Proposals {
		key := state.KeyAttestation(hash, auditor)
		before, err := g.over.Goods(key)
		if err != nil {
			return fmt.Errorf("read goods state: %w", err)
		}
		if before != nil {
			if err := g.forgetExpiry(before, hash, auditor); err != nil {
				return err
			}
		}
		if err := g.set(key, given.Encode()); err != nil {
			return err
		}
		if err := g.setExpiry(given.Until, hash, auditor); err != nil {
			return err
		}
		g.events = append(g.events, Attested{Auditor: auditor, Proposal: hash, Until: given.Until})
	}
	return a.moveSeat()
}

// forgetExpiry takes the mark of an older attestation away.
func (g *Block) forgetExpiry(before []byte, hash chainhash.Hash, auditor uint16) error {
	old, err := state.DecodeAttestation(before)
	if err != nil {
		return err
	}
	return g.set(state.KeyExpiry(later(old.Until, 1), hash, auditor), nil)
}

// NewAttest is the record with which an auditor stands behind records, 1 to 64
// of them, in the order that the rules ask for.
func NewAttest(id params.CharterID, records ...Record) Attest {
	r := Attest{}
	for _, record := range records {
		r.Proposals = append(r.Proposals, ProposalHash(id, record))
	}
	slices.SortFunc(r.Proposals, func(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) })
	r.Proposals = slices.Compact(r.Proposals)
	return r
}

var _ Record = Attest{}

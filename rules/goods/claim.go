package goods

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/state"
)

// claimTag separates the ids of claims.
const claimTag = "granary/claim"

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
func (g *Block) claim(number uint64, id state.ObjectID) (*state.Claim, error) {
	c, err := ReadClaim(g.over, number)
	if err != nil {
		return nil, err
	}
	if c == nil || c.ID != id || c.Opened == g.height {
		return nil, check.Rule(CodeClaimUnknown, "there is no claim %d with id %x below this block", number, id[:])
	}
	return c, nil
}

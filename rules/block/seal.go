package block

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/hash"
)

// CheckSeal judges the signet solution of a block (BIP325) for someone who has
// its header, its coinbase (with or without witness) and the coinbase's Merkle
// branch only, which were found to belong together. It is nil on networks
// without a challenge.
func (r Rules) CheckSeal(header *wire.BlockHeader, coinbase *wire.MsgTx, branch []chainhash.Hash) error {
	challenge := r.Net.SignetChallenge
	if challenge == nil || header.BlockHash() == r.Net.GenesisHash() {
		return nil
	}
	toSpend, toSign, err := signetTxs(header, coinbase, challenge, func(coinbase chainhash.Hash) chainhash.Hash {
		return hash.RootFromBranch(coinbase, branch, 0)
	})
	if err == nil {
		err = verifySignet(toSpend, toSign)
	}
	if err != nil {
		return check.Rule("bad-signet-blksig", "%v", err)
	}
	return nil
}

package block

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// bip34ImpliesBIP30Until is the first height whose coinbase could repeat one
// from before BIP34 that happens to begin with that height.
const bip34ImpliesBIP30Until = 1_983_702

// overwrittenCoinbases are the two mainnet blocks whose coinbase a later block
// repeated before BIP30, so that their own outputs are gone when they are
// disconnected.
var overwrittenCoinbases = map[chainhash.Hash]bool{
	mustHash("00000000000271a2dc26e7667f8419f2e15416dc6955e5a6c6cdf3f2574dd08e"): true,
	mustHash("00000000000af0aed4792b1acee3d966af36cf5def14935db8de83d6f9306f2f"): true,
}

func mustHash(s string) chainhash.Hash {
	h, err := chainhash.NewHashFromStr(s)
	check.Must(err == nil, "constant %s: %v", s, err)
	return *h
}

// needsBIP30 reports whether a block must be searched for transactions whose
// outputs are there already. The search is left out only where it cannot find
// any: ids can repeat only through a repeated coinbase, and coinbases differ
//   - where BIP54 ties their lock time to the height since block 1,
//   - where BIP34 holds since block 1, for no two heights' scripts begin alike,
//   - on mainnet behind the known block of BIP34's start, up to the height
//     where an older coinbase could be repeated.
func (r Rules) needsBIP30(h *state.Header) bool {
	if r.Net.BIP30Exceptions[h.Hash] || r.cleanup() || r.Net.BIP34Height <= 1 {
		return false
	}
	if h.Height >= bip34ImpliesBIP30Until || r.Net.BIP34Hash == (chainhash.Hash{}) {
		return true
	}
	start := h.Parent.Ancestor(r.Net.BIP34Height)
	return start == nil || start.Hash != r.Net.BIP34Hash
}

// checkBIP30: no output of the block is in the UTXO set.
func checkBIP30(b *state.Block, view state.CoinView) error {
	for i, tx := range b.Msg.Transactions {
		for n := range tx.TxOut {
			coin, err := view.Coin(wire.OutPoint{Hash: b.Txids[i], Index: uint32(n)})
			if err != nil {
				return err
			}
			if coin != nil {
				return check.Rule("bad-txns-BIP30", "transaction %d (%v) would overwrite itself", i, b.Txids[i])
			}
		}
	}
	return nil
}

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

// bip30 says when a block is searched for transactions whose outputs are
// there already.
type bip30 uint8

const (
	bip30Never  bip30 = iota // Bitcoin Core does not search either
	bip30First               // before anything else
	bip30Behind              // only to name the reason of a refusal
)

// bip30Search picks when to search. Ids can repeat only through a repeated
// coinbase: any other repeated transaction spends what is spent. Coinbases
// differ where BIP54 ties their lock time to the height since block 1, and
// where BIP34 holds since block 1, for no two heights' scripts begin alike. So
// there a block that the search would refuse is refused anyway, and the search
// only finds Core's reason for it. On mainnet it ends behind the known block
// of BIP34's start, up to the height where an older coinbase could be repeated.
func (r Rules) bip30Search(h *state.Header) bip30 {
	if r.Net.BIP30Exceptions[h.Hash] {
		return bip30Never
	}
	if r.cleanup() || r.Net.BIP34Height <= 1 {
		return bip30Behind
	}
	if h.Height >= bip34ImpliesBIP30Until || r.Net.BIP34Hash == (chainhash.Hash{}) {
		return bip30First
	}
	if start := h.Parent.Ancestor(r.Net.BIP34Height); start == nil || start.Hash != r.Net.BIP34Hash {
		return bip30First
	}
	return bip30Never
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

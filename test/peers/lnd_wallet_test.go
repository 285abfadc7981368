package peers

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
	"granary/test/fleet"
)

// TestLndOnOurNode: a Lightning node that sees the chain through ours alone
// synchronises, is paid, pays, and follows a reorganisation that takes both
// payments back and gives them again.
func TestLndOnOurNode(t *testing.T) {
	for _, on := range backends(t) {
		t.Run(on.name, func(t *testing.T) {
			findLnd(t)
			newPurse(t, on).tell()
		})
	}
}

// purse is our node, lnd on it, and the coins of both.
type purse struct {
	t      *testing.T
	deep   bool
	ours   *fleet.Node
	theirs *lnd
	script []byte // pays to us
	payee  string // its address
}

func newPurse(t *testing.T, on backend) *purse {
	t.Helper()
	p := &purse{t: t, deep: on.deep, ours: fleet.New(t, "ours", "", on.ours...)}
	p.script, p.payee = anyoneScript(t, &chaincfg.RegressionNetParams)
	p.ours.Start()
	p.mine(101)
	p.theirs = startLnd(t, on.lnd(p.ours)...)
	p.mustFollow()
	return p
}

func (p *purse) mine(count int) {
	p.t.Helper()
	p.ours.Call("generatetoaddress", nil, count, p.payee)
}

// mustFollow waits until lnd stands at our tip and calls itself synchronised.
func (p *purse) mustFollow() {
	p.t.Helper()
	tip := p.ours.Tip()
	p.theirs.wait("stands at our tip "+tip, func() bool {
		var info struct {
			Hash   string `json:"block_hash"`
			Synced bool   `json:"synced_to_chain"`
		}
		p.theirs.call(&info, "getinfo")
		return info.Hash == tip && info.Synced
	})
}

// mustHold waits until lnd's wallet says that it holds these units.
func (p *purse) mustHold(confirmed, unconfirmed int64) {
	p.t.Helper()
	want := [2]string{strconv.FormatInt(confirmed, 10), strconv.FormatInt(unconfirmed, 10)}
	var got [2]string
	defer func() {
		if p.t.Failed() {
			p.t.Logf("lnd holds %v, wanted %v", got, want)
		}
	}()
	p.theirs.wait("has the right balance", func() bool {
		var balance struct {
			Confirmed   string `json:"confirmed_balance"`
			Unconfirmed string `json:"unconfirmed_balance"`
		}
		p.theirs.call(&balance, "walletbalance")
		got = [2]string{balance.Confirmed, balance.Unconfirmed}
		return got == want
	})
}

// tell is the story: paid, pays, and both again on another branch.
func (p *purse) tell() {
	const paid, sent = 10 * params.UnitsPerCoin, 3 * params.UnitsPerCoin
	fork := p.ours.Height() + 1

	funding := p.pay(paid)
	p.mine(1)
	p.mustFollow()
	p.mustHold(paid, 0)
	p.mine(5)
	p.mustFollow()

	sending, feeUnits := p.send(sent)
	p.mine(1)
	p.mustFollow()
	p.mustHold(paid-sent-feeUnits, 0)
	p.mustBePaid(sending, sent)
	p.mustHaveDepths(map[string]int32{funding: 7, sending: 1})

	// The block with the second payment is displaced by two empty ones.
	p.displace(p.ours.Height(), 2)
	p.mustHaveDepths(map[string]int32{funding: 8, sending: 0})
	p.mustHold(0, paid-sent-feeUnits)
	p.mine(1)
	p.mustFollow()
	p.mustHold(paid-sent-feeUnits, 0)
	p.mustHaveDepths(map[string]int32{funding: 9, sending: 1})

	// Back to before both payments.
	p.displace(fork, 12)
	if p.deep {
		p.mustHaveDepths(map[string]int32{funding: 0, sending: 0})
		p.mustHold(0, paid-sent-feeUnits)
	}
	p.mine(1)
	p.mustFollow()
	p.mustHold(paid-sent-feeUnits, 0)
	p.mustBePaid(sending, sent)
	p.ours.Stop()
}

// displace replaces our chain from a height on by so many blocks that hold
// nothing, which lnd must follow.
func (p *purse) displace(height int32, blocks int) {
	p.t.Helper()
	var hash string
	p.ours.Call("getblockhash", &hash, height)
	p.ours.Call("invalidateblock", nil, hash)
	for range blocks {
		p.ours.Call("generateblock", nil, p.payee, []string{})
	}
	p.mustFollow()
}

// pay gives lnd so many units out of the first block's subsidy and returns the
// transaction, which waits in our mempool.
func (p *purse) pay(units int64) string {
	p.t.Helper()
	const feeUnits = 10_000
	var asked struct{ Address string }
	p.theirs.call(&asked, "newaddress", "p2tr")
	to, err := address.DecodeAddress(asked.Address, &chaincfg.RegressionNetParams)
	if err != nil {
		p.t.Fatal(err)
	}
	script, err := txscript.PayToAddrScript(to)
	if err != nil {
		p.t.Fatal(err)
	}
	var hash string
	var block struct{ Tx []string }
	p.ours.Call("getblockhash", &hash, 1)
	p.ours.Call("getblock", &block, hash)
	coinbase, err := chainhash.NewHashFromStr(block.Tx[0])
	if err != nil {
		p.t.Fatal(err)
	}
	msg := spendAnyone(wire.OutPoint{Hash: *coinbase}, 50*params.UnitsPerCoin-units-feeUnits, p.script).Msg
	msg.AddTxOut(wire.NewTxOut(units, script))
	var txid string
	p.ours.Call("sendrawtransaction", &txid, hex.EncodeToString(state.NewTx(msg).Raw))
	return txid
}

// send has lnd pay us so many units, waits for the transaction in our mempool
// and gives its fee.
func (p *purse) send(units int64) (txid string, feeUnits int64) {
	p.t.Helper()
	var sent struct{ Txid string }
	p.theirs.call(&sent, "sendcoins", "--addr="+p.payee, "--amt="+strconv.FormatInt(units, 10), "--sat_per_vbyte=7")
	var entry struct {
		VSize int64
		Fees  struct{ Base json.Number }
	}
	p.ours.Wait(patience, "has lnd's transaction in the mempool", func() bool {
		return p.ours.Try("getmempoolentry", []any{sent.Txid}, &entry) == nil
	})
	fee, err := strconv.ParseInt(strings.Replace(entry.Fees.Base.String(), ".", "", 1), 10, 64)
	if err != nil || fee < 7*entry.VSize || fee > 8*entry.VSize {
		p.t.Fatalf("lnd pays %s for %d virtual bytes at 7 a byte (%v)", entry.Fees.Base, entry.VSize, err)
	}
	return sent.Txid, fee
}

// mustBePaid looks for so many units to us in an unspent output of a mined
// transaction.
func (p *purse) mustBePaid(txid string, units int64) {
	p.t.Helper()
	for n := range 2 {
		var coin *struct {
			Value        json.Number
			ScriptPubKey struct{ Hex string }
		}
		p.ours.Call("gettxout", &coin, txid, n, false)
		if coin != nil && coin.ScriptPubKey.Hex == hex.EncodeToString(p.script) &&
			strings.Replace(coin.Value.String(), ".", "", 1) == strconv.FormatInt(units, 10) {
			return
		}
	}
	p.t.Fatalf("%s does not pay us %d", txid, units)
}

// mustHaveDepths waits until lnd gives these transactions these confirmations.
func (p *purse) mustHaveDepths(want map[string]int32) {
	p.t.Helper()
	got := map[string]int32{}
	defer func() {
		if p.t.Failed() {
			p.t.Logf("lnd's transactions and their depth: %v, wanted %v", got, want)
		}
	}()
	p.theirs.wait("gives each transaction its confirmations", func() bool {
		var list struct {
			Transactions []struct {
				Hash  string `json:"tx_hash"`
				Depth int32  `json:"num_confirmations"`
			}
		}
		p.theirs.call(&list, "listchaintxns")
		clear(got)
		for _, tx := range list.Transactions {
			got[tx.Hash] = tx.Depth
		}
		return maps.Equal(got, want)
	})
}

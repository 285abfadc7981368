package peers

import (
	"encoding/hex"
	"strconv"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
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
	ours   *fleet.Node
	theirs *lnd
	script []byte // pays to us
	payee  string // its address
}

func newPurse(t *testing.T, on backend) *purse {
	t.Helper()
	p := &purse{t: t, ours: fleet.New(t, "ours", "", on.ours...)}
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

// tip is a block's height and hash that a reorganisation goes back to.
func (p *purse) tell() {
	const paid, sent = 10 * params.UnitsPerCoin, 3 * params.UnitsPerCoin
	first := p.ours.Height() + 1

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
	p.mustBeMined(sending.Hash.String(), sent)

	// Back to before both payments, on empty blocks: what lnd held is gone,
	// or waits again.
	var fork string
	p.ours.Call("getblockhash", &fork, first)
	p.ours.Call("invalidateblock", nil, fork)
	for range 8 {
		p.ours.Call("generateblock", nil, p.payee, []string{})
	}
	p.mustFollow()
	p.mustWait(funding, sending.Hash.String())

	// Both are mined again.
	p.mine(1)
	p.mustFollow()
	p.mustHold(paid-sent-feeUnits, 0)
	p.mustBeMined(sending.Hash.String(), sent)
	p.ours.Stop()
}

// pay gives lnd so many units out of the first block's subsidy and returns the
// transaction, which waits in our mempool.
func (p *purse) pay(units int64) string {
	p.t.Helper()
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
	var hash, raw string
	p.ours.Call("getblockhash", &hash, 1)
	p.ours.Call("getblock", &raw, hash, 0)
	bytes, err := hex.DecodeString(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	block, err := state.DecodeBlock(bytes)
	if err != nil {
		p.t.Fatal(err)
	}
	tx := spendAnyone(wire.OutPoint{Hash: block.Txids[0]}, 50*params.UnitsPerCoin-units-10_000, p.script)
	tx.Msg.AddTxOut(wire.NewTxOut(units, script))
	tx = state.NewTx(tx.Msg)
	var txid string
	p.ours.Call("sendrawtransaction", &txid, hex.EncodeToString(tx.Raw))
	return txid
}

// send has lnd pay us, and returns the transaction as it reaches our mempool,
// with its fee.
func (p *purse) send(units int64) (tx *wire.MsgTx, feeUnits int64) {
	return nil, 0
}

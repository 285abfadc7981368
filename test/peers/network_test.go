package peers

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
	"granary/test/fleet"
	"granary/test/plays"
)

// The tests of this file are about the network: our whole program and btcd,
// over Bitcoin's peer protocol alone, in both directions of a link.

// patience is how long a block or transaction may take from one to the other.
const patience = 60 * time.Second

// network names the chain that both are on.
type network struct {
	name   string
	ours   []string // options of our program
	theirs []string
	chain  *chaincfg.Params
}

func networks(t *testing.T) []network {
	t.Helper()
	own := chaincfg.CustomSignetParams([]byte{txscript.OP_TRUE}, nil)
	return []network{
		{name: "regtest", theirs: []string{"--regtest"}, chain: &chaincfg.RegressionNetParams},
		{
			name: "signet", ours: []string{"--network=signet", "--signetchallenge=51"},
			theirs: []string{"--signet", "--signetchallenge=51"}, chain: &own,
		},
	}
}

// anyoneScript pays to whoever shows the script OP_TRUE: standard to send and
// to spend, without a key.
func anyoneScript(t *testing.T, net *chaincfg.Params) (script []byte, encoded string) {
	t.Helper()
	program := chainhash.HashB([]byte{txscript.OP_TRUE})
	to, err := address.NewAddressWitnessScriptHash(program, net)
	if err != nil {
		t.Fatal(err)
	}
	if script, err = txscript.PayToAddrScript(to); err != nil {
		t.Fatal(err)
	}
	return script, to.EncodeAddress()
}

// spendAnyone spends an output of anyoneScript to the same again.
func spendAnyone(from wire.OutPoint, valueUnits int64, script []byte) *state.Tx {
	msg := wire.NewMsgTx(2)
	in := wire.NewTxIn(&from, nil, nil)
	in.Witness = wire.TxWitness{{txscript.OP_TRUE}}
	msg.AddTxIn(in)
	msg.AddTxOut(wire.NewTxOut(valueUnits, script))
	return state.NewTx(msg)
}

// meet runs both and links them; weDial says who opens the link.
func meet(t *testing.T, on network, weDial bool, charter string) (*fleet.Node, *btcd) {
	t.Helper()
	_, payee := anyoneScript(t, on.chain)
	args := append([]string{"--miningaddr=" + payee}, on.theirs...)
	ours := fleet.New(t, "ours", charter, on.ours...)
	if weDial {
		listen := freeAddress(t)
		theirs := startBtcd(t, append(args, "--listen="+listen)...)
		ours.Start("--connect=" + listen)
		return ours, theirs
	}
	theirs := startBtcd(t, args...)
	ours.Start()
	theirs.call(nil, "addnode", ours.Addr(), "add")
	return ours, theirs
}

// together waits until both stand at the same block.
func together(ours *fleet.Node, theirs *btcd) {
	ours.T.Helper()
	ours.Wait(patience, "has btcd's tip", func() bool { return ours.Tip() == theirs.tip().String() })
}

// TestBtcdOverTheNetwork: each synchronises from the other, blocks and
// transactions go both ways, and after a partition both follow a
// reorganisation of twenty blocks.
func TestBtcdOverTheNetwork(t *testing.T) {
	for _, on := range networks(t) {
		if on.name == "signet" && os.Getenv("GRANARY_LONG") == "" {
			t.Log("skipped: signet's work takes minutes; GRANARY_LONG=1 runs it")
			continue
		}
		for _, weDial := range []bool{true, false} {
			name := on.name + ", btcd dials"
			if weDial {
				name = on.name + ", we dial"
			}
			t.Run(name, func(t *testing.T) { exchange(t, on, weDial) })
		}
	}
}

func exchange(t *testing.T, on network, weDial bool) {
	script, payee := anyoneScript(t, on.chain)
	ours, theirs := meet(t, on, weDial, "")
	ours.Call("generatetoaddress", nil, 105, payee)
	together(ours, theirs)
	theirs.generate(5)
	together(ours, theirs)

	// A transaction each way, and each mined by the other.
	for i, fromUs := range []bool{true, false} {
		tx := spendAnyone(wire.OutPoint{Hash: theirs.blockAt(1 + i).Txids[0]}, 50*params.UnitsPerCoin-20_000, script)
		raw := hex.EncodeToString(tx.Raw)
		if fromUs {
			ours.Call("sendrawtransaction", nil, raw)
		} else {
			theirs.call(nil, "sendrawtransaction", raw)
		}
		ours.Wait(patience, "relays a transaction", func() bool {
			var mine, yours []string
			ours.Call("getrawmempool", &mine)
			theirs.call(&yours, "getrawmempool")
			return len(mine) == 1 && len(yours) == 1
		})
		if fromUs {
			theirs.generate(1)
		} else {
			ours.Call("generatetoaddress", nil, 1, payee)
		}
		together(ours, theirs)
		ours.Wait(patience, "drops what is mined", func() bool {
			var mine []string
			ours.Call("getrawmempool", &mine)
			return len(mine) == 0
		})
	}

	// Cut off, they mine nineteen and twenty; healed, both have the twenty.
	ours.Call("setnetworkactive", nil, false)
	ours.Call("generatetoaddress", nil, 20, payee)
	lost := theirs.generate(19)
	ours.Call("setnetworkactive", nil, true)
	if !weDial {
		theirs.call(nil, "addnode", ours.Addr(), "onetry")
	}
	together(ours, theirs)
	if theirs.tip() == lost[len(lost)-1].Hash {
		t.Fatal("nineteen blocks displaced twenty")
	}
	// And the other way round.
	ours.Call("setnetworkactive", nil, false)
	theirs.generate(20)
	ours.Call("generatetoaddress", nil, 19, payee)
	ours.Call("setnetworkactive", nil, true)
	if !weDial {
		theirs.call(nil, "addnode", ours.Addr(), "onetry")
	}
	together(ours, theirs)
	ours.Stop()
}

// blockAt is a block of btcd's best chain.
func (b *btcd) blockAt(height int) *state.Block {
	b.t.Helper()
	var text string
	b.call(&text, "getblockhash", height)
	return b.block(b.hash(text))
}

// TestBtcdSyncsACharter: btcd, which knows nothing of goods, synchronises from
// our program a chain in which every goods record occurs, and goes on to
// follow it through a reorganisation.
func TestBtcdSyncsACharter(t *testing.T) {
	findBtcd(t)
	charter := plays.Charter(t, params.BaseRegtest)
	file := filepath.Join(t.TempDir(), "charter.toml")
	if err := os.WriteFile(file, charter.TOML(), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := fleet.New(t, "ours", file)
	t.Run("life", func(t *testing.T) {
		p := plays.OpenAt(t, ours.NetDir(), charter, 7)
		p.Live(420)
		p.MustHaveSeen()
	})
	ours.Start()
	theirs := startBtcd(t, "--regtest")
	theirs.call(nil, "addnode", ours.Addr(), "add")
	together(ours, theirs)
	var hash string
	ours.Call("getblockhash", &hash, ours.Height()-9)
	ours.Call("invalidateblock", nil, hash)
	ours.Mine(12)
	together(ours, theirs)
	ours.Stop()
}

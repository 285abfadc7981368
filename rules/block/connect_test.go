package block

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/script"
	"granary/state"
)

// Connect's scripts are checked last and with the block's own flags.
func TestConnectChecksScripts(t *testing.T) {
	l := regtest(t).grow(101)
	fund := spend(one(l.coinbaseOut(1)))
	fund.AddTxOut(wire.NewTxOut(coin, []byte{txscript.OP_EQUAL}))
	fund.AddTxOut(wire.NewTxOut(coin, []byte{txscript.OP_FALSE}))
	l.extend(l.solve(l.template(fund)))
	l.scripts = script.NewChecker(script.Options{Workers: 2})
	defer l.scripts.Close()
	good := spend([]wire.OutPoint{{Hash: fund.TxHash()}}, 1)
	good.TxIn[0].SignatureScript = []byte{txscript.OP_5, txscript.OP_5}
	bad := spend([]wire.OutPoint{{Hash: fund.TxHash(), Index: 1}}, 1)
	_, err := l.judge(l.solve(l.template(good, bad)))
	want(t, "a script that says no", err, "mandatory-script-verify-flag-failed", check.Consensus)
	msg := l.template(good, bad)
	msg.Transactions[0].TxOut[0].Value *= 2
	AddWitnessCommitment(msg)
	_, err = l.judge(l.solve(msg))
	want(t, "amounts come before scripts", err, "bad-cb-amount", check.Consensus)
	l.extend(l.solve(l.template(good)))
}

// Delta and undo name exactly what the block did, and share no memory with
// the block's bytes.
func TestConnectDeltaOwnsItsMemory(t *testing.T) {
	l := regtest(t).grow(101)
	long := bytes.Repeat([]byte{txscript.OP_NOP}, 300)
	parent := spend(one(l.coinbaseOut(1)), coin, coin)
	parent.AddTxOut(wire.NewTxOut(coin, long))
	parent.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN, 1, 2}))
	child := spend([]wire.OutPoint{{Hash: parent.TxHash()}}, coin)
	raw := l.solve(l.template(parent, child)).Raw
	b, err := state.DecodeBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	o, err := l.judge(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.delta.Spent) != 1 || o.delta.Spent[0].Out != l.coinbaseOut(1) {
		t.Errorf("spent %v", o.delta.Spent)
	}
	var created []string
	for _, c := range o.delta.Created {
		created = append(created, fmt.Sprintf("%d:%d", slices.Index(b.Txids, c.Out.Hash), c.Out.Index))
	}
	if got := fmt.Sprint(created); got != "[0:0 1:1 1:2 2:0]" {
		t.Errorf("created %s", got)
	}
	if len(o.undo.Spent) != 2 || len(o.undo.Spent[0]) != 1 || len(o.undo.Spent[1]) != 1 {
		t.Fatalf("undo %v", o.undo.Spent)
	}
	if c := o.undo.Spent[1][0]; c.ValueUnits != coin || c.Height != 102 || c.Coinbase {
		t.Errorf("undo of the child: %+v", c)
	}
	clear(raw)
	if c := o.undo.Spent[1][0]; !bytes.Equal(c.Script, []byte{txscript.OP_TRUE}) {
		t.Error("undo aliases the block")
	}
	for _, c := range o.delta.Created {
		if bytes.Count(c.Coin.Script, []byte{0}) > 0 {
			t.Error("delta aliases the block")
		}
	}
}

// BIP68 in a block: heights and times just inside and outside, the switch-off
// bit, and versions that look negative (CVE-2024-34478).
func TestSequenceLocksBIP68(t *testing.T) {
	l := regtest(t).grow(101)
	fund := spend(one(l.coinbaseOut(1)), coin)
	l.extend(l.solve(l.template(fund))) // height 102
	op := wire.OutPoint{Hash: fund.TxHash()}
	fundedAfter := l.tip.Parent.MedianTimePast()
	// The next nine blocks move the median by hours.
	for i := range 9 {
		msg := l.template()
		msg.Header.Timestamp = time.Unix(fundedAfter+int64(i+1)*600, 0)
		l.extend(l.solve(msg))
	}
	passed := uint32((l.tip.MedianTimePast() - fundedAfter) / 512)
	if passed < 2 {
		t.Fatalf("only %d units of time passed", passed)
	}
	const seconds, off = wire.SequenceLockTimeIsSeconds, wire.SequenceLockTimeDisabled
	for _, c := range []struct {
		name     string
		version  int32
		sequence uint32
		code     check.Code
	}{
		{"ten blocks deep", 2, 10, ""},
		{"eleven blocks deep", 2, 11, "bad-txns-nonfinal"},
		{"bits that do not count", 2, 10 | 1<<20, ""},
		{"version 1", 1, 11, ""},
		{"version 0", 0, 11, ""},
		{"version -1 is not 1", -1, 11, "bad-txns-nonfinal"},
		{"lowest version", -1 << 31, 11, "bad-txns-nonfinal"},
		{"switched off", 2, 11 | off, ""},
		{"time passed", 2, passed | seconds, ""},
		{"time to come", 2, passed + 1 | seconds, "bad-txns-nonfinal"},
		{"time to come, version -1", -1, passed + 1 | seconds, "bad-txns-nonfinal"},
		{"time to come, switched off", 2, passed + 1 | seconds | off, ""},
		{"the longest lock", 3, 0xffff, "bad-txns-nonfinal"},
	} {
		tx := spend(one(op), 1)
		tx.Version, tx.TxIn[0].Sequence = c.version, c.sequence
		_, err := l.judge(l.solve(l.template(tx)))
		want(t, c.name, err, c.code, check.Consensus)
		// The mempool asks the same of the same coin.
		err = l.rules.CheckSequenceLocks(state.NewTx(tx), []*state.Coin{l.view.coins[op]}, l.tip)
		want(t, c.name+" (mempool)", err, c.code, check.Consensus)
	}
	// A coin of the same block is zero blocks deep.
	child := spend([]wire.OutPoint{{Hash: spend(one(op), coin).TxHash()}}, 1)
	for sequence, code := range map[uint32]check.Code{0: "", 1: "bad-txns-nonfinal", seconds: "", seconds | 1: "bad-txns-nonfinal"} {
		child.TxIn[0].Sequence = sequence
		_, err := l.judge(l.solve(l.template(spend(one(op), coin), child)))
		want(t, fmt.Sprintf("same block, sequence %x", sequence), err, code, check.Consensus)
	}
	// Before the rule's height nothing is locked.
	early := *l.rules.Net
	early.CSVHeight = 1000
	locked := spend(one(op), 1)
	locked.TxIn[0].Sequence = 11
	err := Rules{Net: &early}.CheckSequenceLocks(state.NewTx(locked), []*state.Coin{l.view.coins[op]}, l.tip)
	want(t, "before BIP68", err, "", 0)
}

// Before BIP113 a lock by time looks at the block's own time.
func TestFinalityBeforeBIP113(t *testing.T) {
	net := params.RegTest()
	net.CSVHeight = 1000
	l := newLedger(t, Rules{Net: net}).grow(101)
	for add, code := range map[int64]check.Code{-1: "", 0: "bad-txns-nonfinal"} {
		msg := l.template()
		lock(msg, l.coinbaseOut(1), uint32(msg.Header.Timestamp.Unix()+add))
		AddWitnessCommitment(msg)
		_, err := l.judge(l.solve(msg))
		want(t, "lock by time", err, code, check.Consensus)
	}
}

func TestCheckFinal(t *testing.T) {
	rules := Rules{Net: params.RegTest()}
	for _, c := range []struct {
		lockTime, sequence uint32
		code               check.Code
	}{
		{0, 0, ""},
		{99, 0, ""},
		{100, 0, "bad-txns-nonfinal"},
		{100, wire.MaxTxInSequenceNum, ""},
		{params.LockTimeThreshold - 1, 0, "bad-txns-nonfinal"},
		{params.LockTimeThreshold, 0, ""},
		{1_600_000_000 - 1, 0, ""},
		{1_600_000_000, 0, "bad-txns-nonfinal"},
		{0xffffffff, 0, "bad-txns-nonfinal"},
		{0xffffffff, wire.MaxTxInSequenceNum, ""},
	} {
		tx := spend(one(wire.OutPoint{}), 1)
		tx.LockTime, tx.TxIn[0].Sequence = c.lockTime, c.sequence
		err := rules.CheckFinal(state.NewTx(tx), 100, 1_600_000_000)
		want(t, fmt.Sprintf("lock time %d sequence %x", c.lockTime, c.sequence), err, c.code, check.Consensus)
	}
}

// oldNet is regtest before BIP34 and segwit.
func oldNet() *params.Network {
	net := params.RegTest()
	net.BIP34Height, net.BIP65Height, net.BIP66Height = 1_000_000, 1_000_000, 1_000_000
	net.CSVHeight, net.SegwitHeight = 1_000_000, 1_000_000
	return net
}

// plainBlock is a next block whose coinbase is always the same transaction.
func (l *ledger) plainBlock(txs ...*wire.MsgTx) *wire.MsgBlock {
	msg := l.template(txs...)
	coinbase := msg.Transactions[0]
	coinbase.LockTime, coinbase.TxIn[0].Witness = 0, nil
	coinbase.TxIn[0].SignatureScript = []byte{1, 1}
	coinbase.TxOut = coinbase.TxOut[:1]
	SetMerkleRoot(msg)
	return msg
}

// BIP30: a coinbase may not repeat one whose outputs are unspent; the
// excepted blocks may, and Disconnect knows what they overwrote.
func TestBIP30(t *testing.T) {
	net := oldNet()
	l := newLedger(t, Rules{Net: net})
	l.extend(l.solve(l.plainBlock()))
	again := l.solve(l.plainBlock())
	_, err := l.judge(again)
	want(t, "repeated coinbase", err, "bad-txns-BIP30", check.Consensus)
	net.BIP30Exceptions = map[chainhash.Hash]bool{again.Hash: true}
	l.extend(again)
	op := wire.OutPoint{Hash: again.Txids[0]}
	if c := l.view.coins[op]; c == nil || c.Height != 2 {
		t.Fatalf("the newer coinbase did not take the place: %+v", c)
	}
	l.retreat()
	if l.view.coins[op] != nil {
		t.Fatal("the overwritten coinbase came back: its undo does not know it")
	}
	overwrittenCoinbases[l.tip.Hash] = true
	defer delete(overwrittenCoinbases, l.tip.Hash)
	l.retreat()
	// Once all outputs are spent, repeating is allowed.
	l = newLedger(t, Rules{Net: oldNet()})
	l.extend(l.solve(l.plainBlock()))
	for range 100 {
		msg := l.plainBlock()
		msg.Transactions[0].TxIn[0].SignatureScript = append(HeightScript(l.tip.Height), 7, 7)
		SetMerkleRoot(msg)
		l.extend(l.solve(msg))
	}
	_, err = l.judge(l.solve(l.plainBlock(spend(one(l.coinbaseOut(1)), 1))))
	want(t, "spent by the block itself", err, "bad-txns-BIP30", check.Consensus)
	msg := l.plainBlock(spend(one(l.coinbaseOut(1)), 1))
	msg.Transactions[0].TxIn[0].SignatureScript = []byte{9, 9}
	SetMerkleRoot(msg)
	l.extend(l.solve(msg))
	l.extend(l.solve(l.plainBlock()))
}

// The search of BIP30 comes late only where it cannot decide, and is left out
// only where Bitcoin Core leaves it out.
func TestBIP30Search(t *testing.T) {
	main := params.MainNet()
	at := func(height int32, start chainhash.Hash) *state.Header {
		anchor := headerAt(main.BIP34Height, 1)
		anchor.Hash = start
		parent := headerAt(height-1, 2)
		parent.Parent = anchor
		if height-1 == main.BIP34Height {
			parent = anchor
		}
		return &state.Header{Height: height, Parent: parent, Hash: hashOf(1)}
	}
	excepted := mustHash("00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec")
	far := &state.Header{Height: bip34ImpliesBIP30Until, Parent: at(main.BIP34Height+1, main.BIP34Hash)}
	for _, c := range []struct {
		name  string
		rules Rules
		head  *state.Header
		want  bip30
	}{
		{"early", Rules{Net: main}, &state.Header{Height: 100, Parent: headerAt(99, 1)}, bip30First},
		{"excepted", Rules{Net: main}, &state.Header{Height: 91842, Parent: headerAt(91841, 1), Hash: excepted}, bip30Never},
		{"just behind BIP34", Rules{Net: main}, at(main.BIP34Height+1, main.BIP34Hash), bip30Never},
		{"another chain", Rules{Net: main}, at(main.BIP34Height+1, hashOf(5)), bip30First},
		{"block 1,983,702 may repeat an old coinbase", Rules{Net: main}, far, bip30First},
		{"BIP34 since block 1", Rules{Net: params.RegTest()}, far, bip30Behind},
		{"BIP54 since block 1", Rules{Net: oldNet(), Charter: &params.Charter{}}, far, bip30Behind},
		{"no BIP34", Rules{Net: oldNet()}, far, bip30First},
	} {
		if got := c.rules.bip30Search(c.head); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A transaction of an earlier block again, outputs unspent: Core names BIP30,
// though its inputs are spent too.
func TestBIP30NamesTheReason(t *testing.T) {
	l := regtest(t).grow(101)
	tx := spend(one(l.coinbaseOut(1)), coin)
	l.extend(l.solve(l.template(tx)))
	_, err := l.judge(l.solve(l.template(tx)))
	want(t, "unspent outputs", err, "bad-txns-BIP30", check.Consensus)
	l.extend(l.solve(l.template(spend(one(wire.OutPoint{Hash: tx.TxHash()}), coin))))
	_, err = l.judge(l.solve(l.template(tx)))
	want(t, "spent outputs", err, "bad-txns-inputs-missingorspent", check.Consensus)
}

// Disconnect notices when block, undo and state do not belong together.
func TestDisconnectDetectsUncleanUndo(t *testing.T) {
	l := regtest(t).grow(101)
	parent := spend(one(l.coinbaseOut(1)), coin, coin)
	child := spend([]wire.OutPoint{{Hash: parent.TxHash()}}, coin)
	l.extend(l.solve(l.template(parent, child)))
	b, undo, top := l.blocks[102], l.undos[102], l.tip
	out := wire.OutPoint{Hash: parent.TxHash(), Index: 1}
	for _, c := range []struct {
		name string
		bend func(view *memory, undo *state.Undo)
	}{
		{"output gone", func(v *memory, _ *state.Undo) { delete(v.coins, out) }},
		{"output of another value", func(v *memory, _ *state.Undo) {
			bent := v.coins[out].Clone()
			bent.ValueUnits++
			v.coins[out] = bent
		}},
		{"output of another height", func(v *memory, _ *state.Undo) {
			bent := v.coins[out].Clone()
			bent.Height--
			v.coins[out] = bent
		}},
		{"spent coin is there", func(v *memory, u *state.Undo) { v.coins[l.coinbaseOut(1)] = u.Spent[0][0] }},
		{"undo of fewer transactions", func(_ *memory, u *state.Undo) { u.Spent = u.Spent[:1] }},
		{"undo of more transactions", func(_ *memory, u *state.Undo) { u.Spent = append(u.Spent, nil) }},
		{"undo of fewer inputs", func(_ *memory, u *state.Undo) { u.Spent[0] = nil }},
		{"undo without a coin", func(_ *memory, u *state.Undo) { u.Spent[0] = []*state.Coin{nil} }},
		{"goods value of another block", func(_ *memory, u *state.Undo) {
			u.Goods = append(u.Goods, state.GoodsChange{Key: []byte("Tx"), New: []byte{1}})
		}},
	} {
		view := l.view.clone()
		bent := &state.Undo{Spent: [][]*state.Coin{slices.Clone(undo.Spent[0]), slices.Clone(undo.Spent[1])}}
		c.bend(view, bent)
		if _, err := l.rules.Disconnect(b, top, bent, view); !errors.Is(err, ErrUnclean) || check.AsRule(err) != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	l.retreat()
}

// failingView is a world that breaks.
type failingView struct{ *memory }

var errDisk = errors.New("disk is gone")

func (failingView) Coin(wire.OutPoint) (*state.Coin, error) { return nil, errDisk }

// An error of the view is the world's, never a broken rule.
func TestConnectPassesOnTheWorldsErrors(t *testing.T) {
	l := regtest(t).grow(101)
	b := l.solve(l.template(spend(one(l.coinbaseOut(1)), 1)))
	h := state.NewHeader(&b.Msg.Header, l.tip)
	_, _, _, err := l.rules.Connect(b, h, failingView{l.view}, nil)
	if !errors.Is(err, errDisk) || check.AsRule(err) != nil {
		t.Errorf("Connect: %v", err)
	}
	l.extend(b)
	if _, err := l.rules.Disconnect(b, l.tip, l.undos[102], failingView{l.view}); !errors.Is(err, errDisk) {
		t.Errorf("Disconnect: %v", err)
	}
}

// A block that was never checked is refused without harm.
func TestConnectOfUncheckedBlock(t *testing.T) {
	l := regtest(t).grow(1)
	for _, txs := range [][]*wire.MsgTx{nil, {spend(nil)}, {spend(one(l.coinbaseOut(1)), 1)}} {
		b := state.NewBlock(&wire.MsgBlock{Header: l.tip.Raw, Transactions: txs})
		_, _, _, err := l.rules.Connect(b, state.NewHeader(&b.Msg.Header, l.tip), l.view, nil)
		want(t, "no coinbase", err, "bad-cb-missing", check.Consensus)
	}
}

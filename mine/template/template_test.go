package template

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/mempool"
	"granary/params"
	"granary/rules/block"
	"granary/state"
)

func TestBuildOnGenesis(t *testing.T) {
	w := newWorld(t, plain())
	got := w.build()
	coinbase := got.Block.Transactions[0]
	if got.Height != 1 || got.Parent != w.tip || coinbase.TxOut[0].Value != 50*params.UnitsPerCoin ||
		block.WitnessCommitmentIndex(coinbase) != 1 || got.Block.Header.Bits != w.rules.Net.PowLimitBits {
		t.Errorf("unexpected template %+v", got)
	}
	if !got.Block.Header.Timestamp.Equal(w.clock.Now()) {
		t.Errorf("time is %v, the clock says %v", got.Block.Header.Timestamp, w.clock.Now())
	}
	if got.Weight != int64(state.NewBlock(got.Block).Weight()) {
		t.Errorf("weight %d is not the block's", got.Weight)
	}
	w.mine(20) // heights above 16 are pushed otherwise
}

func TestTimeNeverGoesBack(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(12)
	w.clock.Set(time.Unix(1, 0))
	if got, want := w.build().Block.Header.Timestamp.Unix(), w.tip.MedianTimePast()+1; got != want {
		t.Errorf("time %d, want %d", got, want)
	}
}

// TestMinTime holds the earliest time against the header rules at the ends of
// a difficulty period.
func TestMinTime(t *testing.T) {
	testnet := block.Rules{Net: params.TestNet4()}
	charter := block.Rules{Net: params.RegTest(), Charter: &params.Charter{}}
	for _, c := range []struct {
		name   string
		rules  block.Rules
		height int32 // of the new block
		want   int64
	}{
		{"plain", plain(), 2016, 1_000_001},
		{"BIP94", testnet, 2016, 2_000_000 - 600},
		{"BIP94 elsewhere", testnet, 2017, 1_000_001},
		{"BIP54 first", charter, 2016, 2_000_000 - 7200},
		{"BIP54 last", charter, 2015, 1_500_000},
		{"BIP54 elsewhere", charter, 2014, 1_000_001},
	} {
		header := wire.BlockHeader{Bits: 0x207fffff, Timestamp: time.Unix(1_500_000, 0)}
		tip := state.NewHeader(&header, nil)
		for tip.Height < c.height-1 {
			header.PrevBlock, header.Nonce = tip.Hash, header.Nonce+1
			header.Timestamp = time.Unix(1_000_000, 0)
			if tip.Height == c.height-2 {
				header.Timestamp = time.Unix(2_000_000, 0)
			}
			tip = state.NewHeader(&header, tip)
		}
		if got := minTime(c.rules, tip); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestExtraNonce(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(101)
	w.accept(w.spend(1000, 1, w.coinbaseOut(1)))
	got := w.build()
	before := got.Block.Header.MerkleRoot
	got.SetExtraNonce(1 << 60)
	if got.Block.Header.MerkleRoot == before {
		t.Error("the Merkle root is the same")
	}
	if err := w.connect(got.Block); err != nil {
		t.Error(err)
	}
}

func TestFeeOrder(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(103)
	cheap := w.accept(w.spend(1000, 1, w.coinbaseOut(1)))
	dear := w.accept(w.spend(5000, 1, w.coinbaseOut(2)))
	// A poor parent whose child pays for both comes between them, parent first.
	poor := w.accept(w.spend(200, 1, w.coinbaseOut(3)))
	rich := w.accept(w.spend(6000, 1, out(poor, 0)))
	got := w.build()
	wantTxs(t, got, dear, poor, rich, cheap)
	if got.FeesUnits != 12_200 || got.Block.Transactions[0].TxOut[0].Value != 50*params.UnitsPerCoin+12_200 {
		t.Errorf("fees are %d", got.FeesUnits)
	}
	if len(got.Fees) != 5 || got.Fees[0] != 0 || got.Fees[1] != 5000 || len(got.SigOpCosts) != 5 {
		t.Errorf("fees by transaction: %v, costs %v", got.Fees, got.SigOpCosts)
	}
	w.mine(1)
	if n := w.pool.Info().Count; n != 0 {
		t.Errorf("%d transactions are left", n)
	}
}

// TestPackagesAreReckonedAnew: once a rich child has paid for the parent, the
// poorer child stands for itself.
func TestPackagesAreReckonedAnew(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(102)
	parent := w.accept(w.spend(150, 2, w.coinbaseOut(1)))
	rich := w.accept(w.spend(9000, 1, out(parent, 0)))
	poorer := w.accept(w.spend(2000, 1, out(parent, 1)))
	between := w.accept(w.spend(1500, 1, w.coinbaseOut(2))) // more than parent and poorer together
	wantTxs(t, w.build(), parent, rich, poorer, between)
}

// TestLaneBeforeFees: what travels in the seat lane goes in first.
func TestLaneBeforeFees(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(102)
	dear := w.accept(w.spend(9000, 1, w.coinbaseOut(1)))
	lane := w.spend(0, 1, w.coinbaseOut(2))
	candidates := append(w.pool.Candidates(), mempool.Candidate{
		Entry: &mempool.Entry{Tx: lane, Weight: lane.Weight(), Seat: true},
	})
	got, err := w.builder.build(anyone, 0, func(d *draft) error { return d.choose(candidates) })
	if err != nil {
		t.Fatal(err)
	}
	wantTxs(t, got, lane, dear)
}

// TestReserve fills a block to the last weight unit beside a large coinbase.
func TestReserve(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(103)
	miner := append(make([]byte, 8_999), txscript.OP_TRUE)
	got, err := w.builder.build(miner, 0, func(d *draft) error {
		small := w.spend(10_000_000, 1, w.coinbaseOut(1))
		if err := d.include(small); err != nil { // the count of transactions takes no more room later
			return err
		}
		msg := w.spend(10_000_000, 1, w.coinbaseOut(2)).Msg
		room := params.MaxBlockWeight - d.weight
		for fill := room; state.TxWeight(msg) != room; fill += room - state.TxWeight(msg) {
			msg.TxIn[0].Witness = wire.TxWitness{make([]byte, fill)}
		}
		return d.include(state.NewTx(msg))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Weight > params.MaxBlockWeight || got.Weight < params.MaxBlockWeight-1000 {
		t.Errorf("weight is %d", got.Weight)
	}
}

// TestFullBlock fills a block to its weight: the dearest are in, nothing that
// is in pays less than what would have fitted instead.
func TestFullBlock(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(101)
	coins := w.fan(1, 30)
	for i, op := range coins { // 30 of 200,000 units: 19 fit beside the reserve
		w.accept(bulky(w, op, int64(100_000+1000*((i*7)%30))))
	}
	got := w.build()
	if got.Weight > params.MaxBlockWeight || got.Weight < params.MaxBlockWeight-210_000 {
		t.Errorf("weight is %d", got.Weight)
	}
	lowest := got.Fees[1]
	for _, fee := range got.Fees[1:] {
		lowest = min(lowest, fee)
	}
	if want := int64(100_000 + 1000*(30-len(got.Fees)+1)); lowest != want {
		t.Errorf("%d transactions, the lowest fee is %d, want %d", len(got.Fees)-1, lowest, want)
	}
	w.mine(1)
}

// bulky is a transaction of about 200,000 weight units.
func bulky(w *world, op wire.OutPoint, feeUnits int64) *state.Tx {
	return w.spend(feeUnits, 200_000/(4*31), op)
}

func TestSigOpsLimit(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(101)
	coins := w.fan(1, 12)
	var txs []*state.Tx
	for _, op := range coins { // each output of bare multisig costs 80
		tx := w.spend(1000, 1, op)
		msg := tx.Msg.Copy()
		msg.TxOut = nil
		multisig := []byte{txscript.OP_1, 33, 2}
		multisig = append(multisig, make([]byte, 32)...)
		multisig = append(multisig, txscript.OP_1, txscript.OP_CHECKMULTISIG)
		for range 100 {
			msg.AddTxOut(wire.NewTxOut(1000, multisig))
		}
		txs = append(txs, w.accept(state.NewTx(msg)))
	}
	got := w.build()
	if n := len(got.Block.Transactions) - 1; n != 9 {
		t.Errorf("%d transactions of cost 8,000 fit, want 9 beside the reserve", n)
	}
	_, err := w.builder.BuildWith(anyone, 0, txs)
	if check.CodeOf(err) != "bad-blk-sigops" {
		t.Errorf("got %v", err)
	}
}

func TestBuildWith(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(102)
	a := w.spend(1000, 1, w.coinbaseOut(1))
	free := w.spend(0, 1, w.coinbaseOut(2))
	conflict := w.spend(2000, 1, w.coinbaseOut(1))
	got, err := w.builder.BuildWith(anyone, 0, []*state.Tx{free, a})
	if err != nil {
		t.Fatal(err)
	}
	wantTxs(t, got, free, a)
	for _, c := range []struct {
		name string
		txs  []*state.Tx
		want check.Code
	}{
		{"conflict", []*state.Tx{a, conflict}, "bad-txns-inputs-missingorspent"},
		{"twice", []*state.Tx{a, a}, "bad-txns-inputs-missingorspent"},
		{"coinbase", []*state.Tx{state.NewTx(got.Block.Transactions[0])}, "bad-cb-multiple"},
	} {
		if _, err := w.builder.BuildWith(anyone, 0, c.txs); check.CodeOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	if err := w.connect(got.Block); err != nil {
		t.Error(err)
	}
}

func TestMinerScript(t *testing.T) {
	w := newWorld(t, plain())
	if _, err := w.builder.Build(make([]byte, params.MaxScriptBytes+1), 0); err == nil {
		t.Error("an unspendable script was paid")
	}
}

func TestSignets(t *testing.T) {
	salted := append(append([]byte{32}, make([]byte, 32)...), txscript.OP_DROP, txscript.OP_TRUE)
	for _, c := range []struct {
		name      string
		challenge []byte
		open      bool
	}{
		{"true", []byte{txscript.OP_TRUE}, true},
		{"salted", salted, true},
		{"key", append(append([]byte{33, 2}, make([]byte, 32)...), txscript.OP_CHECKSIG), false},
		{"salted and not dropped", salted[:34], false},
		{"false", []byte{txscript.OP_FALSE}, false},
		{"cut", []byte{32, 1}, false},
		{"empty", []byte{}, false},
		{"longer", append(salted[:35:35], txscript.OP_TRUE, txscript.OP_TRUE), false},
	} {
		w := newWorld(t, block.Rules{Net: params.SigNet(c.challenge)})
		_, err := w.builder.Build(anyone, 0)
		if c.open && err != nil || !c.open && !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// TestBuildDuringStorm mines while transactions, conflicts and
// reorganisations come and go: no template is ever refused.
func TestBuildDuringStorm(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(102)
	coins := append(w.fan(1, 150), w.fan(2, 150)...)
	rng := rand.New(rand.NewPCG(1, 2))
	var made []*state.Tx
	for step := range 120 {
		for range 20 {
			op := coins[rng.IntN(len(coins))]
			if len(made) > 0 && rng.IntN(2) == 0 {
				parent := made[rng.IntN(len(made))]
				op = out(parent, rng.IntN(len(parent.Msg.TxOut)))
			}
			if w.coins[op] == nil && w.pool.Get(op.Hash) == nil {
				continue
			}
			tx := w.spend(200+rng.Int64N(5000), 1+rng.IntN(3), op)
			if _, err := w.pool.Accept(tx); err == nil {
				made = append(made, tx)
			}
		}
		switch {
		case step%10 == 9:
			for range 1 + rng.IntN(3) {
				w.disconnect()
			}
			w.clock.Set(w.clock.Now().Add(time.Hour))
		case step%3 == 0:
			w.mine(1)
		default:
			w.build()
		}
	}
	for w.pool.Info().Count > 0 {
		before := w.pool.Info().Count
		w.mine(1)
		if w.pool.Info().Count == before {
			t.Fatalf("%d transactions never fit", before)
		}
	}
}

// TestStaleCandidates builds from a pool that has not heard of the tip.
func TestStaleCandidates(t *testing.T) {
	w := newWorld(t, plain())
	w.mine(102)
	confirmed := w.accept(w.spend(1000, 1, w.coinbaseOut(1)))
	w.accept(w.spend(1000, 1, out(confirmed, 0)))
	lost := w.accept(w.spend(1000, 1, w.coinbaseOut(2)))
	w.accept(w.spend(1000, 1, out(lost, 0)))
	other := w.spend(2000, 1, w.coinbaseOut(2))
	candidates := w.pool.Candidates()
	block1, err := w.builder.BuildWith(anyone, 7, []*state.Tx{confirmed, other})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.connect(block1.Block); err != nil {
		t.Fatal(err)
	}
	got, err := w.builder.build(anyone, 8, func(d *draft) error { return d.choose(candidates) })
	if err != nil {
		t.Fatal(err)
	}
	wantTxs(t, got) // the child waits until the pool knows its parent's place
}

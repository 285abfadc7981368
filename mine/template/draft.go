package template

import (
	"bytes"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/hash"
	"granary/params"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
)

const (
	// reserveWeight and reserveSigOpCost are the least that is kept for the
	// header, the count of transactions and the coinbase, as Core keeps.
	reserveWeight    = 4_000
	reserveSigOpCost = 400
	// headerWeight is what a block weighs without its transactions.
	headerWeight = params.WitnessScaleFactor * (80 + 9)
	// commitmentWeight is what the witness commitment adds to the coinbase:
	// an output, marker, flag and witness; and what a larger amount or count
	// could add.
	commitmentWeight = params.WitnessScaleFactor*(8+1+38) + 2 + 34 + 64
)

// codeNoRoom says that a block is full.
const codeNoRoom check.Code = "bad-blk-weight"

// draft is a block on its way: the state after what is in it so far.
type draft struct {
	builder *Builder
	tip     *state.Header
	view    state.View
	miner   []byte
	height  int32
	median  int64
	flags   script.Flags

	over  *state.Overlay
	goods *goods.Block // nil without charter
	// releasedUnits is what the draws of the block take from the pool.
	releasedUnits int64

	msg        *wire.MsgBlock
	fees       []int64
	sigOps     []int64
	feesUnits  int64
	weight     int64
	limit      int64 // of weight for what is included now
	sigOpCost  int64
	included   []*state.Tx
	spentCoins [][]*state.Coin
}

func (b *Builder) begin(tip *state.Header, v state.View, miner []byte) (*draft, error) {
	r := b.o.Rules
	d := &draft{
		builder: b, tip: tip, view: v, miner: miner,
		height: tip.Height + 1, median: tip.MedianTimePast(),
		flags: script.BlockFlags(r.Net, tip.Height+1, nil),
		over:  state.NewOverlay(v, 64),
		limit: params.MaxBlockWeight,
		msg:   &wire.MsgBlock{},
	}
	draftCoinbase, err := coinbase(r, d.height, v, 1, miner)
	if err != nil {
		return nil, err
	}
	d.msg.AddTransaction(draftCoinbase) //nolint:errcheck // never fails
	d.weight = max(reserveWeight, headerWeight+commitmentWeight+state.TxWeight(draftCoinbase))
	d.sigOpCost = max(reserveSigOpCost, script.SigOpCost(draftCoinbase, nil, d.flags))
	d.fees, d.sigOps = []int64{0}, []int64{script.SigOpCost(draftCoinbase, nil, d.flags)}
	if r.Charter != nil {
		d.goods, err = goods.Begin(r.Charter, tip, d.over)
	}
	return d, err
}

// include puts tx at the end of the block if it can stand there; the block is
// as it was otherwise.
func (d *draft) include(tx *state.Tx) error {
	r := d.builder.o.Rules
	if err := r.CheckTx(tx); err != nil {
		return err
	}
	if block.IsCoinbase(tx.Msg) {
		return check.Rule("bad-cb-multiple", "%v is a coinbase", tx.Txid)
	}
	weight := tx.Weight()
	if d.weight+weight > d.limit {
		return check.Rule(codeNoRoom, "no room for %v", tx.Txid)
	}
	if err := r.CheckFinal(tx, d.height, d.lockTimeNow()); err != nil {
		return err
	}
	spent, err := d.coins(tx)
	if err != nil {
		return err
	}
	feeUnits, err := r.CheckTxInputs(tx, spent, d.height)
	if err != nil {
		return err
	}
	if err := r.CheckSequenceLocks(tx, spent, d.tip); err != nil {
		return err
	}
	sigOpCost := script.SigOpCost(tx.Msg, spent, d.flags)
	if d.sigOpCost+sigOpCost > params.MaxBlockSigOpsCost {
		return check.Rule("bad-blk-sigops", "no room for the signature checks of %v", tx.Txid)
	}
	if err := d.apply(tx, spent); err != nil {
		return err
	}
	d.included = append(d.included, tx)
	d.spentCoins = append(d.spentCoins, spent)
	d.msg.AddTransaction(tx.Msg) //nolint:errcheck // never fails
	d.fees, d.sigOps = append(d.fees, feeUnits), append(d.sigOps, sigOpCost)
	d.feesUnits += feeUnits
	d.weight += weight
	d.sigOpCost += sigOpCost
	return nil
}

// lockTimeNow is what lock times are held against: BIP113's median where it
// holds, the block's own time before.
func (d *draft) lockTimeNow() int64 {
	if d.height >= d.builder.o.Rules.Net.CSVHeight {
		return d.median
	}
	return max(d.builder.o.Clock.Now().Unix(), minTime(d.builder.o.Rules, d.tip))
}

// coins finds what tx spends, nil for what is not there.
func (d *draft) coins(tx *state.Tx) ([]*state.Coin, error) {
	spent := make([]*state.Coin, len(tx.Msg.TxIn))
	for i, in := range tx.Msg.TxIn {
		coin, err := d.over.Coin(in.PreviousOutPoint)
		if err != nil {
			return nil, err
		}
		spent[i] = coin
	}
	return spent, nil
}

// apply moves the state by one transaction whose coins are there. Where the
// goods rules refuse it nothing has moved.
func (d *draft) apply(tx *state.Tx, spent []*state.Coin) error {
	if d.goods != nil {
		if err := d.goods.Tx(tx, spent); err != nil {
			return err
		}
		d.noteRelease(tx.Msg, spent)
	}
	for _, in := range tx.Msg.TxIn {
		if _, err := d.over.Spend(in.PreviousOutPoint); err != nil {
			return err
		}
	}
	for i, out := range tx.Msg.TxOut {
		if state.Unspendable(out.PkScript) {
			continue
		}
		op := wire.OutPoint{Hash: tx.Txid, Index: uint32(i)}
		coin := &state.Coin{ValueUnits: out.Value, Script: out.PkScript, Height: d.height}
		if err := d.over.Create(op, coin, true); err != nil {
			return err
		}
	}
	return nil
}

// noteRelease adds up what draws release.
func (d *draft) noteRelease(msg *wire.MsgTx, spent []*state.Coin) {
	record, _, _ := goods.DecodeRecord(msg.TxOut[len(msg.TxOut)-1].PkScript)
	if _, draws := record.(goods.Draw); !draws {
		return
	}
	treasury := goods.TreasuryScript(d.builder.o.Rules.Charter.ID())
	for _, coin := range spent { // all are the pool's
		d.releasedUnits += coin.ValueUnits
	}
	for _, out := range msg.TxOut {
		if bytes.Equal(out.PkScript, treasury) {
			d.releasedUnits -= out.Value
		}
	}
}

// checkScripts runs the scripts of everything included by the block's flags.
func (d *draft) checkScripts(checker *script.Checker) error {
	if checker == nil {
		return nil
	}
	jobs := make([]script.Job, len(d.included))
	for i, tx := range d.included {
		jobs[i] = script.Job{Tx: tx, Spent: d.spentCoins[i], Flags: d.flags, TxIndex: i + 1}
	}
	return checker.Check(jobs)
}

// finish makes the coinbase and the header, and tests the whole.
func (d *draft) finish(extraNonce uint64) (*Template, error) {
	r := d.builder.o.Rules
	first, err := coinbase(r, d.height, d.view, d.feesUnits, d.miner)
	if err != nil {
		return nil, err
	}
	if d.height >= r.Net.SegwitHeight {
		d.commit(first)
	}
	d.msg.Transactions[0] = first
	d.msg.Header.Version = r.ComputeVersion(d.tip)
	d.msg.Header.PrevBlock = d.tip.Hash
	t := &Template{
		Block: d.msg, Parent: d.tip, Height: d.height,
		FeesUnits: d.feesUnits, Fees: d.fees, SigOpCosts: d.sigOps,
		rules: r, script: block.HeightScript(d.height), branch: d.branch(),
	}
	t.SetExtraNonce(extraNonce)
	t.SetTime(d.now())
	if err := selfTest(r, d.msg, d.tip, d.view); err != nil {
		return nil, err
	}
	t.Weight = int64(d.msg.SerializeSizeStripped()*3 + d.msg.SerializeSize())
	return t, nil
}

// commit adds the witness commitment to a coinbase: its form is the rules',
// its hash is made of the ids that are known already.
func (d *draft) commit(coinbase *wire.MsgTx) {
	block.AddWitnessCommitment(&wire.MsgBlock{Transactions: []*wire.MsgTx{coinbase}})
	wtxids := make([]chainhash.Hash, 1+len(d.included))
	for i, tx := range d.included {
		wtxids[1+i] = tx.Wtxid
	}
	sum := block.WitnessCommitment(wtxids, coinbase.TxIn[0].Witness[0])
	script := coinbase.TxOut[len(coinbase.TxOut)-1].PkScript
	copy(script[len(script)-len(sum):], sum[:])
}

// branch is the way from the coinbase to the Merkle root.
func (d *draft) branch() []chainhash.Hash {
	txids := make([]chainhash.Hash, 1+len(d.included))
	for i, tx := range d.included {
		txids[1+i] = tx.Txid
	}
	return hash.MerkleBranch(txids, 0)
}

func (d *draft) now() time.Time { return d.builder.o.Clock.Now() }

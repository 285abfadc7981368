package mempool

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"granary/mempool/policy"
	"granary/params"
	"granary/state"
)

// checkPool computes every sum of the pool anew, the slow way.
func checkPool(t tester, p *Pool) {
	t.Helper()
	if err := poolError(p); err != nil {
		t.Fatal(err)
	}
}

func poolError(p *Pool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var vbytes, feesUnits, usage int64
	inputs := 0
	for txid, e := range p.txs {
		if e.Tx.Txid != txid {
			return fmt.Errorf("%v is filed under %v", e.Tx.Txid, txid)
		}
		vbytes += e.VBytes
		feesUnits += e.FeeUnits
		if e.delta != p.deltas[txid] {
			return fmt.Errorf("%v has fee delta %d, want %d", txid, e.delta, p.deltas[txid])
		}
		usage += usageOf(e.Tx) + objectUsage(e.object)
		if e.heapIndex >= len(p.worst) || p.worst[e.heapIndex] != e {
			return fmt.Errorf("%v is not where it should be in the heap", txid)
		}
		if e.ancestors != naiveSums(p, e, naiveParents) {
			return fmt.Errorf("%v has ancestors %+v, want %+v", txid, e.ancestors, naiveSums(p, e, naiveParents))
		}
		if e.descendants != naiveSums(p, e, naiveChildren) {
			return fmt.Errorf("%v has descendants %+v, want %+v", txid, e.descendants, naiveSums(p, e, naiveChildren))
		}
		for _, in := range e.Tx.Msg.TxIn {
			inputs++
			if p.spends[in.PreviousOutPoint] != e {
				return fmt.Errorf("%v is not known to spend %v", txid, in.PreviousOutPoint)
			}
		}
	}
	for i := 1; i < len(p.worst); i++ {
		if p.worst.Less(i, (i-1)/2) {
			return fmt.Errorf("the heap is out of order at %d", i)
		}
	}
	var dueWeight int64
	objects := 0
	for txid, e := range p.txs {
		if e.Due {
			dueWeight += e.Weight
		}
		if e.object.Kind != policy.NoObject {
			objects++
			if p.objects[e.object] != e {
				return fmt.Errorf("%v is not known to move %v", txid, e.object)
			}
		}
	}
	if dueWeight != p.dueWeight || objects != len(p.objects) || dueWeight > maxDueWeight {
		return fmt.Errorf("due weight %d, %d objects, want %d, %d", p.dueWeight, len(p.objects), dueWeight, objects)
	}
	for txid := range p.unbroadcast {
		if p.txs[txid] == nil {
			return fmt.Errorf("%v is to be announced and not here", txid)
		}
	}
	if vbytes != p.vbytes || feesUnits != p.feesUnits || usage != p.usage || inputs != len(p.spends) || len(p.txs) != len(p.worst) {
		return fmt.Errorf("totals %d %d %d %d, want %d %d %d %d", p.vbytes, p.feesUnits, p.usage, len(p.spends), vbytes, feesUnits, usage, inputs)
	}
	return nil
}

func naiveParents(p *Pool, e *Entry) (list []*Entry) {
	for _, other := range p.txs {
		for _, in := range e.Tx.Msg.TxIn {
			if in.PreviousOutPoint.Hash == other.Tx.Txid {
				list = append(list, other)
			}
		}
	}
	return list
}

func naiveChildren(p *Pool, e *Entry) (list []*Entry) {
	for _, other := range p.txs {
		for _, in := range other.Tx.Msg.TxIn {
			if in.PreviousOutPoint.Hash == e.Tx.Txid {
				list = append(list, other)
			}
		}
	}
	return list
}

func naiveSums(p *Pool, e *Entry, next func(*Pool, *Entry) []*Entry) (s sums) {
	seen := map[*Entry]bool{}
	var walk func(*Entry)
	walk = func(e *Entry) {
		if seen[e] {
			return
		}
		seen[e] = true
		s.add(e)
		for _, n := range next(p, e) {
			walk(n)
		}
	}
	walk(e)
	return s
}

// naivePool is a pool that thinks everything through from the beginning each
// time.
type naivePool struct {
	w    *world
	txs  []*state.Tx
	fees map[chainhash.Hash]int64 // of all that were ever made
}

// valid reports whether tx can follow txs on the tip: each input is there,
// unspent and ripe.
func (n *naivePool) valid(tx *state.Tx, txs []*state.Tx) bool {
	made := map[wire.OutPoint]bool{}
	spent := map[wire.OutPoint]bool{}
	for _, other := range txs {
		if other.Txid == tx.Txid {
			return false
		}
		for i := range other.Msg.TxOut {
			made[out(other, i)] = true
		}
		for _, in := range other.Msg.TxIn {
			spent[in.PreviousOutPoint] = true
		}
	}
	for _, in := range tx.Msg.TxIn {
		op := in.PreviousOutPoint
		coin := n.w.coins[op]
		ripe := coin != nil && (!coin.Coinbase || n.w.tip.Height+1-coin.Height >= params.CoinbaseMaturity)
		if spent[op] || !(made[op] || ripe) {
			return false
		}
		if lock := in.Sequence; lock < 1<<16 { // a relative lock in blocks
			made := n.w.tip.Height + 1
			if coin != nil {
				made = coin.Height
			}
			if n.w.tip.Height+1 < made+int32(lock) {
				return false
			}
		}
	}
	return tx.Msg.LockTime == 0 || int32(tx.Msg.LockTime) < n.w.tip.Height+1
}

// accept takes what is valid beside the pool, or beside what is left of it
// when all that stands against it has gone and its fees are paid.
func (n *naivePool) accept(tx *state.Tx) bool {
	if n.valid(tx, n.txs) {
		n.txs = append(n.txs, tx)
		return true
	}
	stay, leave := n.split(tx)
	if len(leave) == 0 || !n.valid(tx, stay) || !n.pays(tx, leave) || n.addsUnconfirmed(tx, stay, leave) {
		return false
	}
	n.txs = append(stay, tx)
	return true
}

// split parts the pool by what must go for tx: rivals and what depends on them.
func (n *naivePool) split(tx *state.Tx) (stay, leave []*state.Tx) {
	gone := map[chainhash.Hash]bool{}
	for changed := true; changed; {
		changed = false
		for _, other := range n.txs {
			goes := rivals(tx, other)
			for _, in := range other.Msg.TxIn {
				goes = goes || gone[in.PreviousOutPoint.Hash]
			}
			if goes && !gone[other.Txid] {
				gone[other.Txid], changed = true, true
			}
		}
	}
	for _, other := range n.txs {
		if gone[other.Txid] {
			leave = append(leave, other)
		} else {
			stay = append(stay, other)
		}
	}
	return stay, leave
}

func rivals(a, b *state.Tx) bool {
	for _, in := range a.Msg.TxIn {
		for _, other := range b.Msg.TxIn {
			if in.PreviousOutPoint == other.PreviousOutPoint && a.Txid != b.Txid {
				return true
			}
		}
	}
	return false
}

// pays holds tx against each rival's rate, and the sum of what leaves.
func (n *naivePool) pays(tx *state.Tx, leave []*state.Tx) bool {
	var sum int64
	for _, other := range leave {
		sum += n.fees[other.Txid]
		if rivals(tx, other) && n.fees[tx.Txid]*other.VBytes() <= n.fees[other.Txid]*tx.VBytes() {
			return false
		}
	}
	return n.fees[tx.Txid] >= sum+tx.VBytes() // 1 unit for each virtual byte
}

// addsUnconfirmed reports an unconfirmed parent that no rival had.
func (n *naivePool) addsUnconfirmed(tx *state.Tx, stay, leave []*state.Tx) bool {
	had := map[chainhash.Hash]bool{}
	for _, other := range leave {
		for _, in := range other.Msg.TxIn {
			had[in.PreviousOutPoint.Hash] = had[in.PreviousOutPoint.Hash] || rivals(tx, other)
		}
	}
	for _, in := range tx.Msg.TxIn {
		for _, other := range stay {
			if other.Txid == in.PreviousOutPoint.Hash && !had[other.Txid] {
				return true
			}
		}
	}
	return false
}

// add takes what is valid beside the pool.
func (n *naivePool) add(tx *state.Tx) bool {
	if !n.valid(tx, n.txs) {
		return false
	}
	n.txs = append(n.txs, tx)
	return true
}

// rebuild lets lost transactions in first, then all others that still fit.
func (n *naivePool) rebuild(lost []*state.Tx) {
	old := n.txs
	n.txs = nil
	for _, tx := range lost {
		n.add(tx)
	}
	for changed := true; changed; { // children may stand before parents
		changed = false
		for _, tx := range old {
			if n.add(tx) {
				changed = true
			}
		}
	}
}

func (n *naivePool) ids() map[chainhash.Hash]bool {
	ids := map[chainhash.Hash]bool{}
	for _, tx := range n.txs {
		ids[tx.Txid] = true
	}
	return ids
}

// TestRandomHistories lets pool and naive pool live through the same blocks,
// reorganisations and transactions.
func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{w: newWorld(rt, 6, nil), rt: rt}
		h.naive = &naivePool{w: h.w, fees: map[chainhash.Hash]int64{}}
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			h.step()
			h.compare()
		}
	})
}

type history struct {
	w     *world
	rt    *rapid.T
	naive *naivePool
	made  []*state.Tx
	depth int // blocks that may be lost
}

func (h *history) step() {
	switch rapid.IntRange(0, 9).Draw(h.rt, "kind") {
	case 0, 1:
		h.mine()
	case 2:
		h.reorganise()
	default:
		h.send()
	}
}

// send offers a new or an old transaction.
func (h *history) send() {
	var tx *state.Tx
	if len(h.made) > 0 && rapid.IntRange(0, 3).Draw(h.rt, "again") == 0 {
		tx = rapid.SampledFrom(h.made).Draw(h.rt, "old")
	} else if tx = h.newTx(); tx == nil {
		return
	}
	_, err := h.w.pool.Accept(tx)
	if got, want := err == nil, h.naive.accept(tx); got != want {
		h.rt.Fatalf("accepted: %t (%v), want %t", got, err, want)
	}
}

// newTx spends one or two coins that the chain or any earlier transaction
// made, spent or not.
func (h *history) newTx() *state.Tx {
	if len(h.made) >= 20 {
		return nil // the bounds on chains are tested elsewhere
	}
	ops := append([]wire.OutPoint{}, h.w.ripe...)
	for _, tx := range h.made {
		for i := range tx.Msg.TxOut {
			ops = append(ops, out(tx, i))
		}
	}
	msg := wire.NewMsgTx(2)
	first := rapid.IntRange(0, len(ops)-1).Draw(h.rt, "coin")
	second := rapid.IntRange(0, len(ops)-1).Draw(h.rt, "second coin")
	for i, at := range []int{first, second} {
		if i == 0 || ops[at] != ops[first] {
			msg.AddTxIn(&wire.TxIn{PreviousOutPoint: ops[at], Sequence: wire.MaxTxInSequenceNum - 1})
		}
	}
	if rapid.IntRange(0, 5).Draw(h.rt, "relative lock") == 0 {
		msg.TxIn[0].Sequence = uint32(rapid.IntRange(0, 2).Draw(h.rt, "blocks"))
	}
	if rapid.IntRange(0, 5).Draw(h.rt, "lock") == 0 {
		msg.LockTime = uint32(h.w.tip.Height) + uint32(rapid.IntRange(0, 2).Draw(h.rt, "ahead")) - 1
	}
	for range rapid.IntRange(1, 3).Draw(h.rt, "outputs") {
		msg.AddTxOut(wire.NewTxOut(1000, anyone)) // more is added below
	}
	if !h.affordable(msg) {
		return nil
	}
	fee := int64(rapid.IntRange(1, 40).Draw(h.rt, "fee")) * 100
	tx := h.payFee(msg, fee)
	h.made = append(h.made, tx)
	return tx
}

// payFee leaves a fee, or as much as there is: what outputs hold is what all
// inputs held when they were made.
func (h *history) payFee(msg *wire.MsgTx, feeUnits int64) *state.Tx {
	var in int64
	for _, input := range msg.TxIn {
		in += h.valueOf(input.PreviousOutPoint)
	}
	rest := in - 1000*int64(len(msg.TxOut))
	fee := min(max(feeUnits, 500), rest)
	msg.TxOut[0].Value += rest - fee
	tx := state.NewTx(msg)
	h.naive.fees[tx.Txid] = fee
	return tx
}

func (h *history) valueOf(op wire.OutPoint) int64 {
	for _, tx := range h.made {
		if tx.Txid == op.Hash {
			return tx.Msg.TxOut[op.Index].Value
		}
	}
	return coinUnits
}

// affordable keeps to transactions whose inputs hold enough for outputs and
// fee, wherever those inputs are now.
func (h *history) affordable(msg *wire.MsgTx) bool {
	var in int64
	for _, input := range msg.TxIn {
		in += h.valueOf(input.PreviousOutPoint)
	}
	return in >= int64(len(msg.TxOut))*1000+500
}

// mine confirms some of the pool, and sometimes a transaction that the pool
// never saw.
func (h *history) mine() {
	var chosen []*state.Tx
	for _, e := range h.w.pool.Entries() {
		if rapid.Bool().Draw(h.rt, "confirm") && h.fits(e.Tx, chosen) {
			chosen = append(chosen, e.Tx)
		}
	}
	if tx := h.newTx(); tx != nil && h.fits(tx, chosen) {
		chosen = append(chosen, tx)
	}
	h.w.mine(chosen...)
	h.depth++
	h.naive.rebuild(nil)
}

func (h *history) fits(tx *state.Tx, chosen []*state.Tx) bool {
	return (&naivePool{w: h.w}).valid(tx, chosen)
}

// reorganise loses blocks and grows as many or more, telling the pool step by
// step or at the end.
func (h *history) reorganise() {
	depth := rapid.IntRange(0, min(h.depth, 3)).Draw(h.rt, "depth")
	h.w.hold = rapid.Bool().Draw(h.rt, "tell late")
	late := h.w.hold
	var lost []*state.Tx
	for range depth {
		b := h.w.drop()
		h.depth--
		var txs []*state.Tx
		for i := 1; i < len(b.Txids); i++ {
			txs = append(txs, b.Tx(i))
		}
		lost = append(txs, lost...)
		if !late {
			h.naive.rebuild(txs)
			lost = nil
		}
	}
	for range rapid.IntRange(0, depth+1).Draw(h.rt, "new blocks") {
		var chosen []*state.Tx
		for _, tx := range h.made {
			if rapid.IntRange(0, 3).Draw(h.rt, "confirm") == 0 && h.fits(tx, chosen) {
				chosen = append(chosen, tx)
			}
		}
		h.w.mine(chosen...)
		h.depth++
		if !late {
			h.naive.rebuild(nil)
		}
	}
	if late {
		h.w.release()
		h.naive.rebuild(lost)
	}
}

func (h *history) compare() {
	if err := poolError(h.w.pool); err != nil {
		h.rt.Fatal(err)
	}
	want := h.naive.ids()
	entries := h.w.pool.Entries()
	if len(entries) != len(want) {
		h.rt.Fatalf("%d entries, want %d", len(entries), len(want))
	}
	seen := map[chainhash.Hash]bool{}
	for _, e := range entries {
		if !want[e.Tx.Txid] {
			h.rt.Fatalf("%v is in the pool", e.Tx.Txid)
		}
		for _, in := range e.Tx.Msg.TxIn {
			if want[in.PreviousOutPoint.Hash] && !seen[in.PreviousOutPoint.Hash] {
				h.rt.Fatalf("%v comes before its parent", e.Tx.Txid)
			}
		}
		seen[e.Tx.Txid] = true
	}
}

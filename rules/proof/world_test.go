package proof_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/hash"
	"granary/params"
	"granary/rules/goods"
	"granary/rules/proof"
	"granary/state"
	"granary/state/tree"
)

// mapView is a goods state in a map, with the keys in order once they are
// asked for.
type mapView struct {
	values map[string][]byte
	keys   []string
}

func (m *mapView) Goods(key []byte) ([]byte, error) { return m.values[string(key)], nil }

func (m *mapView) SetGoods(key, value []byte) error {
	m.keys = nil
	if value == nil {
		delete(m.values, string(key))
	} else {
		m.values[string(key)] = value
	}
	return nil
}

func (m *mapView) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	if m.keys == nil {
		m.keys = slices.Sorted(maps.Keys(m.values))
	}
	at, _ := slices.BinarySearch(m.keys, string(from))
	for _, key := range m.keys[at:] {
		if to != nil && key >= string(to) || !f([]byte(key), m.values[key]) {
			return nil
		}
	}
	return nil
}

func keyScript(n byte) []byte { return append([]byte{0x00, 20}, bytes.Repeat([]byte{n}, 20)...) }

func demoCharter(t testing.TB) *params.Charter {
	t.Helper()
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{keyScript(1), keyScript(2)},
		Auditors:   [3][]byte{keyScript(3), keyScript(4), keyScript(5)},
		Council:    keyScript(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

// stateHeight is the height after which the made-up states hold.
const stateHeight = 1000

// world is a made-up state in which everything fits, as the rules would leave
// it, and the block that commits to it.
type world struct {
	t       testing.TB
	charter *params.Charter
	view    *mapView
	changes map[string][]byte
	rng     *rand.Rand

	standing []*state.Standing
	holdings map[[2]uint16]*state.Holding
	goods    []*goods.Good
	totals   state.Totals
	deadline map[string]int64
	fresh    map[string]int64
	outs     uint32
}

// newWorld makes a state of so many receipts, of which every third has a claim.
func newWorld(t testing.TB, seed uint64, receipts int) *world {
	return newWorldOf(t, demoCharter(t), 1, seed, receipts)
}

// newWorldOf makes one of a charter of its own; each custodian has so many
// bonds.
func newWorldOf(t testing.TB, charter *params.Charter, bonds int, seed uint64, receipts int) *world {
	w := &world{
		t: t, charter: charter, view: &mapView{values: map[string][]byte{}}, changes: map[string][]byte{},
		rng: rand.New(rand.NewPCG(seed, 0)), holdings: map[[2]uint16]*state.Holding{},
		deadline: map[string]int64{}, fresh: map[string]int64{},
		totals: state.Totals{CirculatingUnits: 500 * params.UnitsPerCoin, PoolUnits: 4500 * params.UnitsPerCoin},
	}
	w.launch(bonds)
	claims := uint64(0)
	for number := range uint64(receipts) {
		if w.receipt(number, claims) {
			claims++
		}
	}
	w.set(state.KeyNextReceipt(), state.EncodeNumber(uint64(receipts)+2))
	w.set(state.KeyNextClaim(), state.EncodeNumber(claims))
	// A closed receipt whose lot is never free again.
	w.set(state.KeyLot(goods.LotCommitment(0, "GONE")), state.EncodeNumber(uint64(receipts)+1))
	w.sums()
	w.proposals()
	w.commit()
	return w
}

func (w *world) set(key, value []byte) { w.changes[string(key)] = value }

func (w *world) out() wire.OutPoint {
	w.outs++
	return wire.OutPoint{Hash: chainhash.HashH(binary.LittleEndian.AppendUint32(nil, w.outs)), Index: w.outs % 7}
}

func (w *world) mean(op wire.OutPoint, m state.Meaning) { w.set(state.KeyOutpoint(op), m.Encode()) }

// launch writes what block 1 writes, an announced amendment and some bonds.
func (w *world) launch(bonds int) {
	c := w.charter
	w.set(state.KeyParameters(), c.Parameters.Encode())
	w.set(state.KeyCounts(), state.Counts{Goods: uint16(len(c.Goods)), Custodians: uint16(len(c.Custodians)), Auditors: uint16(len(c.Auditors))}.Encode())
	for i := range c.Goods {
		good := &goods.Good{GoodInForce: state.GoodInForce{Good: c.Goods[i], Since: 1}}
		w.goods = append(w.goods, good)
		w.set(state.KeyGood(uint16(i)), good.GoodInForce.Encode())
	}
	seat := func(role state.Role, index int, m *params.Member) {
		s := state.Seat{Role: role, Index: uint16(index), Name: m.Name, Script: m.Script, Out: w.out(), Height: 1, Since: 1}
		w.set(s.Key(), s.Encode())
		w.mean(s.Out, state.Meaning{Kind: state.MeansSeat, Role: role, Index: uint16(index)})
	}
	for i := range c.Custodians {
		seat(state.RoleCustodian, i, &c.Custodians[i].Member)
		for _, a := range c.Custodians[i].Allowances {
			w.set(state.KeyAllowance(uint16(i), a.Good), state.EncodeLimit(a.Limit))
		}
		standing := &state.Standing{ReturnScript: keyScript(9)}
		for range bonds {
			bond := state.Bond{Out: w.out(), Units: 1000}
			w.mean(bond.Out, state.Meaning{Kind: state.MeansBond, Index: uint16(i)})
			standing.Bonds = append(standing.Bonds, bond)
		}
		w.standing = append(w.standing, standing)
	}
	for i := range c.Auditors {
		seat(state.RoleAuditor, i, &c.Auditors[i])
	}
	seat(state.RoleCouncil, 0, &c.Council)
	last := w.standing[len(w.standing)-1]
	last.Suspend(stateHeight - 3)
	last.DebtUnits, last.DefaultAt = 5000, stateHeight+4
	w.set(state.KeyDefault(last.DefaultAt, uint16(len(w.standing)-1)), state.ExpiryMark())
}

// receipt adds one, and perhaps a claim.
func (w *world) receipt(number, claimNumber uint64) (claimed bool) {
	r := &state.Receipt{
		Number: number, ID: goods.ReceiptID(chainhash.Hash{1}, uint32(number)), Serial: fmt.Sprintf("LOT-%d", number),
		Custodian: uint16(number % uint64(len(w.standing))), Good: uint16(number % uint64(len(w.goods))),
		Document: chainhash.HashH([]byte{byte(number)}), Location: "Hall 7", Script: keyScript(byte(number)),
		HaircutBP: 1500, Opened: 200 + int32(number%700), Observed: 190 + int32(number%800), ValidUntil: 900 + int32(number%997),
		Undrawn: w.rng.Int64N(50), Free: w.rng.Int64N(50), Delivered: w.rng.Int64N(5), Lost: w.rng.Int64N(3),
	}
	at := [2]uint16{r.Custodian, r.Good}
	if w.holdings[at] == nil {
		w.holdings[at] = &state.Holding{}
	}
	h := w.holdings[at]
	if number%3 == 0 || r.Undrawn+r.Free == 0 {
		claimed = true
		r.Owed = 1 + w.rng.Int64N(20)
		w.claim(r, claimNumber)
	}
	r.OpenedWith = r.Quantity() + r.Delivered + r.Lost
	w.set(r.Key(), r.Encode())
	w.set(state.KeyLot(goods.LotCommitment(r.Registry, r.Serial)), state.EncodeNumber(number))
	h.Whole += r.Quantity()
	h.Free += r.Free
	if r.Fresh(stateHeight) && r.Free > 0 {
		h.Counted += r.Free
		w.fresh[string(state.KeyFresh(r.ValidUntil, r.Custodian, r.Good))] += r.Free
	}
	return claimed
}

func (w *world) claim(r *state.Receipt, number uint64) {
	c := &state.Claim{
		Number: number, Receipt: r.Number, Custodian: r.Custodian, Quantity: r.Owed, FeeBP: 50,
		Opened: 900, Deadline: 930 + int32(number%50), PickupBlocks: 15, GraceBlocks: 10,
		Token: w.out(), TokenHeight: 900, TokenScript: keyScript(0x44),
	}
	w.mean(c.Token, state.Meaning{Kind: state.MeansToken, Claim: number})
	if number%4 == 3 {
		c.Kind = state.ClaimReclaim
	} else {
		c.Escrow, c.EscrowUnits = w.out(), 1+w.rng.Int64N(1000)
		w.mean(c.Escrow, state.Meaning{Kind: state.MeansEscrow, Claim: number})
		w.totals.EscrowUnits += c.EscrowUnits
		w.holdings[[2]uint16{r.Custodian, r.Good}].Claimed += c.Quantity
	}
	if number%2 == 0 {
		c.Tendered = 950
	} else {
		w.standing[c.Custodian].Untendered++
		w.deadline[string(state.KeyUntendered(c.Custodian, c.Deadline))]++
	}
	w.set(c.Key(), c.Encode())
}

// sums writes everything that follows from receipts and claims.
func (w *world) sums() {
	for key, n := range w.fresh {
		w.set([]byte(key), state.EncodeLimit(n))
	}
	for key, n := range w.deadline {
		w.set([]byte(key), state.EncodeLimit(n))
	}
	var reserve state.Reserve
	for at, h := range w.holdings {
		w.set(state.KeyHolding(at[0], at[1]), h.Encode())
		s, good := w.standing[at[0]], w.goods[at[1]]
		s.Counted = s.Counted.Add(good.LowUnits(h.Counted))
		s.All = s.All.Add(good.HighUnits(h.Free))
		s.Claimed = s.Claimed.Add(good.HighUnits(h.Claimed))
		s.Whole = s.Whole.Add(good.HighUnits(h.Whole))
	}
	for i, s := range w.standing {
		if s.Counts() {
			reserve.Counted = reserve.Counted.Plus(s.Counted)
		}
		reserve.All = reserve.All.Plus(s.All)
		reserve.Claimed = reserve.Claimed.Plus(s.Claimed)
		w.set(state.KeyStanding(uint16(i)), s.Encode())
	}
	w.set(state.KeyReserve(), reserve.Encode())
	w.totals.UTXOUnits = w.totals.CirculatingUnits + w.totals.PoolUnits + w.totals.EscrowUnits
	w.set(state.KeyTotals(), w.totals.Encode())
}

func (w *world) proposals() {
	hash := chainhash.HashH([]byte("proposal"))
	w.set(state.KeyAttestation(hash, 1), state.Attestation{Height: 990, Until: stateHeight}.Encode())
	w.set(state.KeyExpiry(stateHeight+1, hash, 1), state.ExpiryMark())
	w.set(state.KeyUsed(hash), state.EncodeHeight(1050))
	w.set(state.KeyExpiry(1051, hash, state.UsedAuditor), state.ExpiryMark())
}

// commit brings the changes into the view and its tree.
func (w *world) commit() []state.GoodsChange {
	w.t.Helper()
	var changes []state.GoodsChange
	for _, key := range slices.Sorted(maps.Keys(w.changes)) {
		old, now := w.view.values[key], w.changes[key]
		if bytes.Equal(old, now) && (old == nil) == (now == nil) {
			continue
		}
		changes = append(changes, state.GoodsChange{Key: []byte(key), Old: old, New: now})
		if err := w.view.SetGoods([]byte(key), now); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := tree.Update(w.view, changes); err != nil {
		w.t.Fatal(err)
	}
	w.changes = map[string][]byte{}
	return changes
}

// block makes a block at stateHeight + 1 that commits to the state, with some
// transactions beside the coinbase, and the work of regtest.
func (w *world) block(others int) *state.Block {
	w.t.Helper()
	return blockOf(w.t, w.charter, w.view, stateHeight+1, chainhash.Hash{7}, others)
}

func blockOf(t testing.TB, charter *params.Charter, view state.GoodsView, height int32, parent chainhash.Hash, others int) *state.Block {
	t.Helper()
	outs, err := goods.CoinbaseOutputs(charter, height, view, 5000, 100, keyScript(8))
	if err != nil {
		t.Fatal(err)
	}
	coinbase := wire.NewMsgTx(2)
	script := binary.LittleEndian.AppendUint32([]byte{4}, uint32(height))
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, SignatureScript: script,
		Witness: wire.TxWitness{make([]byte, 32)},
	})
	coinbase.TxOut, coinbase.LockTime = outs, uint32(height-1)
	msg := &wire.MsgBlock{Transactions: []*wire.MsgTx{coinbase}}
	for i := range others {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, nil, nil))
		tx.AddTxOut(wire.NewTxOut(int64(i), keyScript(3)))
		msg.AddTransaction(tx)
	}
	var txids []chainhash.Hash
	for _, tx := range msg.Transactions {
		txids = append(txids, tx.TxHash())
	}
	msg.Header = wire.BlockHeader{Version: 4, PrevBlock: parent, Bits: 0x207fffff, Timestamp: time.Unix(1_700_000_000+int64(height)*600, 0)}
	msg.Header.MerkleRoot, _ = hash.MerkleRoot(txids)
	mine(&msg.Header)
	return state.NewBlock(msg)
}

func mine(h *wire.BlockHeader) {
	target, _ := state.TargetOf(h.Bits)
	for id := h.BlockHash(); !state.HashMeets(&id, &target); id = h.BlockHash() {
		h.Nonce++
	}
}

func (w *world) anchor(others int) *proof.Anchor {
	w.t.Helper()
	root, err := goods.Root(w.view)
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := proof.NewAnchor(w.charter.ID(), w.block(others), root)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// prove makes the proof of a receipt and its claims.
func (w *world) prove(receipt uint64, claims ...uint64) *proof.Proof {
	w.t.Helper()
	keys, err := proof.Keys(w.charter, w.view, proof.Subject{Receipt: &receipt, Claims: claims})
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := proof.Make(w.anchor(40), w.view, keys)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/params"
	"granary/state"
)

// errDiffers marks what was read without an error and is wrong.
var errDiffers = errors.New("silent divergence")

// world is the naive oracle: it makes synthetic blocks on a Store and knows,
// for every header, the whole state after it, as plain maps.
type world struct {
	rng    *rand.Rand
	states map[chainhash.Hash]*snapshot
	blocks map[chainhash.Hash][]byte
	undos  map[chainhash.Hash]*state.Undo
	made   []wire.OutPoint // all coins ever, on any branch
	serial uint64
}

// snapshot is a state without any cleverness.
type snapshot struct {
	parent  *snapshot
	delta   *state.Delta // from parent
	coins   map[wire.OutPoint]*state.Coin
	goods   map[string]string
	ordered []wire.OutPoint // of coins, in order of creation
}

func newWorld(seed uint64) *world {
	genesis := params.RegTest().GenesisHash()
	w := &world{
		rng:    rand.New(rand.NewPCG(seed, 7)),
		states: map[chainhash.Hash]*snapshot{genesis: {coins: map[wire.OutPoint]*state.Coin{}, goods: map[string]string{}}},
		blocks: map[chainhash.Hash][]byte{}, undos: map[chainhash.Hash]*state.Undo{},
	}
	return w
}

func testOptions(fs vfs.FS) Options {
	return Options{Dir: "data/regtest", FS: fs, Net: params.RegTest(), CacheBytes: 16 << 20}
}

// mint makes a block on parent: a header nobody mined, some bytes, and what it
// does to the state.
func (w *world) mint(parent *state.Header, spends, creates, bodyBytes int) (*state.Header, *state.Delta, *state.Undo) {
	w.serial++
	raw := wire.BlockHeader{
		Version: 4, PrevBlock: parent.Hash, Bits: 0x207fffff, Nonce: uint32(w.serial),
		Timestamp: time.Unix(1_600_000_000+int64(w.serial), 0),
	}
	binary.LittleEndian.PutUint64(raw.MerkleRoot[:], w.rng.Uint64())
	h := state.NewHeader(&raw, parent)
	h.Status, h.TxCount, h.Sequence = state.StatusHeaderValid|state.StatusBlockValid, 2, w.serial
	var block bytes.Buffer
	if err := raw.Serialize(&block); err != nil {
		panic(err)
	}
	body := make([]byte, bodyBytes)
	for i := range body {
		body[i] = byte(w.rng.Uint32())
	}
	block.Write(body)
	w.blocks[h.Hash] = block.Bytes()
	before := w.states[parent.Hash]
	d := w.delta(before, h.Height, spends, creates)
	u := &state.Undo{Spent: [][]*state.Coin{{}}, Goods: d.Goods}
	for _, spent := range d.Spent {
		u.Spent[0] = append(u.Spent[0], spent.Coin)
	}
	w.undos[h.Hash] = u
	w.states[h.Hash] = before.after(d)
	return h, d, u
}

func (w *world) delta(before *snapshot, height int32, spends, creates int) *state.Delta {
	d := &state.Delta{}
	for _, i := range w.rng.Perm(len(before.ordered))[:min(spends, len(before.ordered))] {
		op := before.ordered[i]
		d.Spent = append(d.Spent, state.CoinChange{Out: op, Coin: before.coins[op]})
	}
	var txid chainhash.Hash
	for i := range txid {
		txid[i] = byte(w.rng.Uint32())
	}
	for i := range creates {
		script := make([]byte, []int{22, 25, 34, 0, 40}[w.rng.IntN(5)])
		for j := range script {
			script[j] = byte(w.rng.Uint32()) | 0x80
		}
		d.Created = append(d.Created, state.CoinChange{
			Out:  wire.OutPoint{Hash: txid, Index: uint32(i)},
			Coin: &state.Coin{ValueUnits: w.rng.Int64N(5_000_000_000), Script: script, Height: height, Coinbase: i == 0},
		})
	}
	if w.rng.IntN(20) == 0 && len(d.Spent) > 0 {
		// As before BIP34: a coinbase over a coin that is still there.
		old := d.Spent[0]
		d.Created = append(d.Created, state.CoinChange{Out: old.Out, Coin: &state.Coin{ValueUnits: 1, Height: height, Coinbase: true}})
	}
	for i := range d.Created {
		w.made = append(w.made, d.Created[i].Out)
	}
	w.goodsChanges(before, d)
	return d
}

func (w *world) goodsChanges(before *snapshot, d *state.Delta) {
	touched := map[string]bool{}
	for range w.rng.IntN(6) {
		key := fmt.Sprintf("%c%02d", "AGOS\x00\x00"[w.rng.IntN(6)], w.rng.IntN(30))
		if touched[key] {
			continue
		}
		touched[key] = true
		change := state.GoodsChange{Key: []byte(key)}
		if old, ok := before.goods[key]; ok {
			change.Old = []byte(old)
		}
		if change.Old == nil || w.rng.IntN(3) > 0 {
			change.New = fmt.Appendf(nil, "%d", w.rng.Uint32())
		}
		if state.IsNodeKey(change.Key) {
			d.Nodes = append(d.Nodes, change)
		} else {
			d.Goods = append(d.Goods, change)
		}
	}
	slices.SortFunc(d.Goods, func(a, b state.GoodsChange) int { return bytes.Compare(a.Key, b.Key) })
}

func (s *snapshot) after(d *state.Delta) *snapshot {
	next := &snapshot{parent: s, delta: d, coins: map[wire.OutPoint]*state.Coin{}, goods: map[string]string{}}
	for op, coin := range s.coins {
		next.coins[op] = coin
	}
	for key, value := range s.goods {
		next.goods[key] = value
	}
	for _, spent := range d.Spent {
		delete(next.coins, spent.Out)
	}
	for _, created := range d.Created {
		next.coins[created.Out] = created.Coin
	}
	for _, changes := range [][]state.GoodsChange{d.Goods, d.Nodes} {
		for _, c := range changes {
			if c.New == nil {
				delete(next.goods, string(c.Key))
			} else {
				next.goods[string(c.Key)] = string(c.New)
			}
		}
	}
	for _, op := range s.ordered {
		if next.coins[op] != nil {
			next.ordered = append(next.ordered, op)
		}
	}
	for _, created := range d.Created {
		if s.coins[created.Out] == nil {
			next.ordered = append(next.ordered, created.Out)
		}
	}
	return next
}

// reverse is the delta that takes the block of this snapshot back.
func (s *snapshot) reverse() *state.Delta {
	d := &state.Delta{Spent: s.delta.Created, Created: s.delta.Spent}
	turn := func(changes []state.GoodsChange) (turned []state.GoodsChange) {
		for _, c := range changes {
			turned = append(turned, state.GoodsChange{Key: c.Key, Old: c.New, New: c.Old})
		}
		return turned
	}
	d.Goods, d.Nodes = turn(s.delta.Goods), turn(s.delta.Nodes)
	return d
}

// headerAbove gives a fresh node for the block with that hash if it belongs on
// parent.
func (w *world) headerAbove(parent *state.Header, hash chainhash.Hash) *state.Header {
	var raw wire.BlockHeader
	if err := raw.Deserialize(bytes.NewReader(w.blocks[hash])); err != nil || raw.PrevBlock != parent.Hash {
		return nil
	}
	return state.NewHeader(&raw, parent)
}

// connect mints a block on the tip and connects it.
func (w *world) connect(s *Store, spends, creates, bodyBytes int) error {
	h, d, u := w.mint(s.Tip(), spends, creates, bodyBytes)
	pos, err := s.AppendBlock(w.blocks[h.Hash])
	if err != nil {
		return err
	}
	h.DataPos = pos
	h.Status |= state.StatusHaveData
	return s.Connect(h, d, u)
}

func (w *world) disconnect(s *Store) error {
	h := s.Tip()
	return s.Disconnect(h, w.states[h.Hash].reverse())
}

// same compares the whole Store with the snapshot of its tip, and where nothing
// waits for a commit the Store's own Snapshot too.
func (w *world) same(s *Store) error {
	want := w.states[s.Tip().Hash]
	if want == nil {
		return fmt.Errorf("%w: tip %s was never made", errDiffers, s.Tip().Hash)
	}
	for _, op := range w.made {
		if got, err := s.Coin(op); err != nil {
			return err
		} else if !sameCoin(got, want.coins[op]) {
			return fmt.Errorf("%w: coin %v reads %+v, not %+v", errDiffers, &op, got, want.coins[op])
		}
	}
	if err := want.sameGoods(s); err != nil || s.pending() {
		return err
	}
	frozen, err := s.Snapshot(nil)
	if err != nil {
		return err
	}
	return errors.Join(w.sameFrozen(frozen), frozen.Close())
}

// sameFrozen compares a Snapshot with the snapshot of the tip that it names.
func (w *world) sameFrozen(s *Snapshot) error {
	want := w.states[s.Tip().Hash]
	return errors.Join(want.sameCoins(s), want.sameGoods(s))
}

func (s *snapshot) sameCoins(frozen *Snapshot) error {
	var last *wire.OutPoint
	n, bad := 0, error(nil)
	err := frozen.RangeCoins(func(op wire.OutPoint, c *state.Coin) bool {
		n++
		if !sameCoin(c, s.coins[op]) {
			bad = fmt.Errorf("%w: coin %v is %+v, not %+v", errDiffers, &op, c, s.coins[op])
		}
		if last != nil && (bytes.Compare(last.Hash[:], op.Hash[:]) > 0 || (last.Hash == op.Hash && last.Index >= op.Index)) {
			bad = fmt.Errorf("%w: coin %v is out of order", errDiffers, &op)
		}
		last = &op
		return bad == nil
	})
	if err := errors.Join(bad, err); err != nil {
		return err
	}
	if n != len(s.coins) {
		return fmt.Errorf("%w: %d coins, not %d", errDiffers, n, len(s.coins))
	}
	return nil
}

func (s *snapshot) sameGoods(view state.GoodsView) error {
	got := map[string]string{}
	last := ""
	if err := view.GoodsRange(nil, nil, func(key, value []byte) bool {
		if last != "" && last >= string(key) {
			got["out of order"] = string(key)
		}
		last = string(key)
		got[last] = string(value)
		return true
	}); err != nil {
		return err
	}
	if fmt.Sprint(got) != fmt.Sprint(s.goods) {
		return fmt.Errorf("%w: goods are %v, not %v", errDiffers, got, s.goods)
	}
	for key, want := range s.goods {
		if value, err := view.Goods([]byte(key)); err != nil {
			return err
		} else if string(value) != want {
			return fmt.Errorf("%w: goods %q reads %q", errDiffers, key, value)
		}
	}
	return nil
}

func sameCoin(a, b *state.Coin) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ValueUnits == b.ValueUnits && a.Height == b.Height && a.Coinbase == b.Coinbase && bytes.Equal(a.Script, b.Script)
}

// files reads the block and the undo of every header that claims to have them.
func (w *world) files(s *Store, headers []*state.Header) error {
	for _, h := range headers {
		if h.Status&state.StatusHaveData != 0 && h.Height > 0 {
			raw, err := s.ReadBlock(h)
			if err != nil {
				return err
			}
			if !bytes.Equal(raw, w.blocks[h.Hash]) {
				return fmt.Errorf("%w: block %s", errDiffers, h.Hash)
			}
		}
		if h.Status&state.StatusHaveUndo != 0 {
			u, err := s.ReadUndo(h)
			if err != nil {
				return err
			}
			if !bytes.Equal(encodeUndo(u), encodeUndo(w.undos[h.Hash])) {
				return fmt.Errorf("%w: undo of %s", errDiffers, h.Hash)
			}
		}
	}
	return nil
}

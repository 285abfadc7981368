package chain

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/base/hash"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

var opTrue = []byte{txscript.OP_TRUE}

// world is a regtest engine over a file system of its own, with a builder of
// blocks that anyone can spend.
type world struct {
	tb      testing.TB
	fs      vfs.FS
	dir     string
	net     *params.Network
	clock   *clock.Mock
	rules   block.Rules
	scripts *script.Checker
	// batchBytes is the engine's option of that name.
	batchBytes int64
	follow     []Follower

	store  *store.Store
	engine *Engine
}

// newWorld opens an engine on a fresh memory file system.
func newWorld(tb testing.TB, followers ...Follower) *world {
	w := bareWorld(tb, vfs.NewMem(), "data")
	w.follow = followers
	w.open()
	return w
}

// bareWorld is a world whose engine is not open yet.
func bareWorld(tb testing.TB, fs vfs.FS, dir string) *world {
	net := params.RegTest()
	w := &world{
		tb: tb, fs: fs, dir: dir, net: net, clock: &clock.Mock{},
		rules:   block.Rules{Net: net},
		scripts: script.NewChecker(script.Options{Workers: 2, CacheBytes: 1 << 20}),
	}
	w.clock.Set(net.Chain.GenesisBlock.Header.Timestamp.Add(30 * 24 * time.Hour))
	tb.Cleanup(func() {
		w.close()
		w.scripts.Close()
	})
	return w
}

func (w *world) open() {
	w.tb.Helper()
	if err := w.tryOpen(); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *world) openStore() *store.Store {
	w.tb.Helper()
	s, err := store.Open(store.Options{Dir: w.dir, FS: w.fs, Net: w.net, CacheBytes: 16 << 20})
	if err != nil {
		w.tb.Fatal(err)
	}
	return s
}

func (w *world) tryOpen() (err error) {
	w.store, err = store.Open(store.Options{Dir: w.dir, FS: w.fs, Net: w.net, CacheBytes: 16 << 20})
	if err != nil {
		return err
	}
	w.engine, err = Open(Options{
		Store: w.store, Rules: w.rules, Scripts: w.scripts, Clock: w.clock, Followers: w.follow, BatchBytes: w.batchBytes,
	})
	if err != nil {
		w.store.Close()
		w.store = nil
	}
	return err
}

func (w *world) close() {
	if w.engine != nil {
		w.engine.Close()
		w.engine = nil
	}
	if w.store != nil {
		if err := w.store.Close(); err != nil {
			w.tb.Errorf("closing the store: %v", err)
		}
		w.store = nil
	}
}

// stateHash is the store's hash of everything that the tip determines.
func (w *world) stateHash() string {
	w.tb.Helper()
	hash, err := w.engine.StateHash()
	if err != nil {
		w.tb.Fatal(err)
	}
	return hash.String()
}

// genesis is the block at height 0.
func (w *world) genesis() *state.Block { return state.NewBlock(w.net.Chain.GenesisBlock) }

// draft is a block in the making.
type draft struct {
	parent  *state.Block
	height  int32
	name    string // makes the coinbase, and so the block, unique
	txs     []*wire.MsgTx
	fees    int64
	seconds int64                // after the parent; 0 means 60
	mess    func(*wire.MsgBlock) // last change before the merkle root
	break_  func(*wire.MsgBlock) // after the merkle root, before the work
}

// make solves the block.
func (w *world) make(d draft) *state.Block {
	if d.seconds == 0 {
		d.seconds = 60
	}
	msg := &wire.MsgBlock{Header: wire.BlockHeader{
		Version: 4, PrevBlock: d.parent.Hash, Bits: w.net.PowLimitBits,
		Timestamp: time.Unix(d.parent.Msg.Header.Timestamp.Unix()+d.seconds, 0),
	}}
	msg.Transactions = append([]*wire.MsgTx{w.coinbase(d)}, d.txs...)
	if d.mess != nil {
		d.mess(msg)
	}
	msg.Header.MerkleRoot = merkleRoot(msg)
	if d.break_ != nil {
		d.break_(msg)
	}
	w.solve(msg)
	return state.NewBlock(msg)
}

func merkleRoot(msg *wire.MsgBlock) chainhash.Hash {
	ids := make([]chainhash.Hash, len(msg.Transactions))
	for i, tx := range msg.Transactions {
		ids[i] = tx.TxHash()
	}
	root, _ := hash.MerkleRoot(ids)
	return root
}

func (w *world) solve(msg *wire.MsgBlock) {
	target, _ := state.TargetOf(msg.Header.Bits)
	for {
		if id := msg.BlockHash(); state.HashMeets(&id, &target) {
			return
		}
		msg.Header.Nonce++
	}
}

// coinbase pays subsidy and fees to anyone.
func (w *world) coinbase(d draft) *wire.MsgTx {
	h := fnv.New64a()
	h.Write([]byte(d.name))
	extra := binary.BigEndian.AppendUint64([]byte{8}, h.Sum64())
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  append(block.HeightScript(d.height), extra...),
		Sequence:         wire.MaxTxInSequenceNum,
	})
	tx.AddTxOut(wire.NewTxOut(w.net.SubsidyUnits(d.height)+d.fees, opTrue))
	return tx
}

// spend pays output 0 of tx to anyone, in two halves, less a fee.
func spend(tx *wire.MsgTx, feeUnits int64) *wire.MsgTx {
	out := wire.NewMsgTx(2)
	out.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Hash: tx.TxHash()}, Sequence: wire.MaxTxInSequenceNum,
	})
	value := tx.TxOut[0].Value - feeUnits
	out.AddTxOut(wire.NewTxOut(value/2, opTrue))
	out.AddTxOut(wire.NewTxOut(value-value/2, opTrue))
	return out
}

// run builds n empty blocks on parent, which is at height.
func (w *world) run(name string, parent *state.Block, height int32, n int) []*state.Block {
	blocks := make([]*state.Block, 0, n)
	for i := range n {
		b := w.make(draft{parent: parent, height: height + 1 + int32(i), name: fmt.Sprint(name, i+1)})
		blocks = append(blocks, b)
		parent = b
	}
	return blocks
}

// accept hands blocks to the engine, each of which must be accepted.
func (w *world) accept(blocks ...*state.Block) {
	w.tb.Helper()
	for _, b := range blocks {
		if _, err := w.engine.AcceptBlock(b); err != nil {
			w.tb.Fatalf("block %v: %v", b.Hash, err)
		}
	}
}

// mustTip checks where the engine stands.
func (w *world) mustTip(want *state.Block) {
	w.tb.Helper()
	if tip := w.engine.Tip(); tip.Hash != want.Hash {
		w.tb.Fatalf("the tip is %d %v, want %v", tip.Height, tip.Hash, want.Hash)
	}
}

// blockFile is the form of Core's block files.
func blockFile(magic [4]byte, blocks ...*state.Block) []byte {
	var file bytes.Buffer
	for _, b := range blocks {
		file.Write(magic[:])
		file.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(b.Raw))))
		file.Write(b.Raw)
	}
	return file.Bytes()
}

// recorder is a Follower that writes down what it is told.
type recorder struct {
	steps []string
	tip   *state.Header
	fail  error // given by every call where it is not nil
	name  func(h *state.Header) string
}

func (r *recorder) Connect(event *Event) error { return r.note("connect", event, event.Header) }
func (r *recorder) Disconnect(event *Event) error {
	return r.note("disconnect", event, event.Header.Parent)
}

func (r *recorder) Prune(height int32) error {
	r.steps = append(r.steps, fmt.Sprint("prune ", height))
	return r.fail
}

func (r *recorder) note(verb string, event *Event, tip *state.Header) error {
	if r.fail != nil {
		return r.fail
	}
	if event.Block.Hash != event.Header.Hash || len(event.Undo.Spent) != len(event.Block.Txids)-1 {
		return fmt.Errorf("an event of block %d carries other data", event.Header.Height)
	}
	name := event.Header.Hash.String()
	if r.name != nil {
		name = r.name(event.Header)
	}
	r.steps = append(r.steps, verb+" "+name)
	r.tip = tip
	return nil
}

package cpu

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"granary/base/check"
	"granary/base/clock"
	"granary/chain"
	"granary/mempool"
	"granary/mine/template"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a real chain in memory with a pool and a miner.
type node struct {
	engine  *chain.Engine
	pool    *mempool.Pool
	builder *template.Builder
	miner   *Miner
	clock   *clock.Mock
}

func newNode(t *testing.T, rules block.Rules) *node {
	t.Helper()
	n := &node{clock: &clock.Mock{}}
	n.clock.Set(rules.Net.Chain.GenesisBlock.Header.Timestamp.Add(time.Hour))
	o := store.Options{Dir: "data", FS: vfs.NewMem(), Net: rules.Net, CacheBytes: 8 << 20}
	if rules.Charter != nil {
		o.CharterID = rules.Charter.ID()
	}
	s, err := store.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	scripts := script.NewChecker(script.Options{Workers: 1, CacheBytes: 1 << 20})
	n.engine, err = chain.Open(chain.Options{Store: s, Rules: rules, Scripts: scripts, Clock: n.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.engine.Close()
		s.Close()
		scripts.Close()
	})
	n.pool = mempool.New(mempool.Options{Chain: n.engine, Rules: rules, Scripts: scripts, Clock: n.clock})
	if err := n.engine.Follow(t.Context(), n.pool, n.engine.Tip().Hash, nil); err != nil {
		t.Fatal(err)
	}
	n.builder = template.NewBuilder(template.Options{
		Chain: n.engine, Pool: n.pool, Rules: rules, Scripts: scripts, Clock: n.clock,
	})
	n.miner = NewMiner(Options{Builder: n.builder, Chain: n.engine, Clock: n.clock})
	return n
}

func demo(t *testing.T) block.Rules {
	holder := func(b byte) []byte { return append([]byte{txscript.OP_0, 20, b}, make([]byte, 19)...) }
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{holder(1), holder(2)}, Auditors: [3][]byte{holder(3), holder(4), holder(5)}, Council: holder(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	net, err := charter.Network()
	if err != nil {
		t.Fatal(err)
	}
	return block.Rules{Net: net, Charter: charter}
}

// TestGenerate mines on a real engine, plain and with a charter.
func TestGenerate(t *testing.T) {
	for name, rules := range map[string]block.Rules{"plain": {Net: params.RegTest()}, "charter": demo(t)} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, rules)
			ids, err := n.miner.Generate(t.Context(), 105, opTrue, DefaultTries)
			if err != nil || len(ids) != 105 {
				t.Fatalf("%d blocks, %v", len(ids), err)
			}
			if tip := n.engine.Tip(); tip.Height != 105 || tip.Hash != ids[104] {
				t.Errorf("the tip is %d %v", tip.Height, tip.Hash)
			}
		})
	}
}

// opTrue is bare on purpose: the pool of these tests does not ask for more.
var opTrue = []byte{txscript.OP_TRUE}

// TestReorganisation loses mined blocks with transactions and mines them
// again: scripts are real, ids of old blocks never come back.
func TestReorganisation(t *testing.T) {
	n := newNode(t, block.Rules{Net: params.RegTest()})
	ids, err := n.miner.Generate(t.Context(), 102, opTrue, DefaultTries)
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.engine.Block(n.engine.Header(ids[0]))
	if err != nil {
		t.Fatal(err)
	}
	tx := spend(b, 1000)
	if _, err := n.pool.Accept(tx); err != nil {
		t.Fatal(err)
	}
	mined, err := n.miner.Generate(t.Context(), 1, opTrue, DefaultTries)
	if err != nil || n.pool.Info().Count != 0 {
		t.Fatalf("%d left, %v", n.pool.Info().Count, err)
	}
	if err := n.engine.Invalidate(mined[0]); err != nil {
		t.Fatal(err)
	}
	if n.pool.Get(tx.Txid) == nil {
		t.Fatal("the transaction did not come back")
	}
	again, err := n.miner.Generate(t.Context(), 2, opTrue, DefaultTries)
	if err != nil || again[0] == mined[0] || n.pool.Info().Count != 0 {
		t.Errorf("mined %v after %v, %d left, %v", again, mined, n.pool.Info().Count, err)
	}
}

func TestGenerateBlock(t *testing.T) {
	n := newNode(t, block.Rules{Net: params.RegTest()})
	ids, err := n.miner.Generate(t.Context(), 101, opTrue, DefaultTries)
	if err != nil {
		t.Fatal(err)
	}
	first, err := n.engine.Block(n.engine.Header(ids[0]))
	if err != nil {
		t.Fatal(err)
	}
	tx := spend(first, 0)
	b, err := n.miner.GenerateBlock(t.Context(), opTrue, []*state.Tx{tx}, false)
	if err != nil || b.Txids[1] != tx.Txid || n.engine.Tip().Height != 101 {
		t.Fatalf("not submitted: %v", err)
	}
	b, err = n.miner.GenerateBlock(t.Context(), opTrue, []*state.Tx{tx}, true)
	if err != nil || n.engine.Tip().Hash != b.Hash {
		t.Errorf("submitted: %v", err)
	}
	second, err := n.engine.Block(n.engine.Header(ids[1]))
	if err != nil {
		t.Fatal(err)
	}
	bad := spend(second, 0).Msg.Copy()
	bad.TxIn[0].SignatureScript = []byte{txscript.OP_RETURN}
	_, err = n.miner.GenerateBlock(t.Context(), opTrue, []*state.Tx{state.NewTx(bad)}, true)
	if check.CodeOf(err) != "mandatory-script-verify-flag-failed" {
		t.Errorf("a failing script: %v", err)
	}
}

// spend takes the coinbase of b to anyone.
func spend(b *state.Block, feeUnits int64) *state.Tx {
	coinbase := b.Msg.Transactions[0]
	msg := coinbase.Copy()
	msg.TxIn[0].PreviousOutPoint.Hash, msg.TxIn[0].PreviousOutPoint.Index = b.Txids[0], 0
	msg.TxIn[0].SignatureScript, msg.TxIn[0].Witness, msg.LockTime = nil, nil, 0
	msg.TxOut = msg.TxOut[:1]
	msg.TxOut[0].Value -= feeUnits
	msg.TxOut[0].PkScript = append([]byte{txscript.OP_0, 20}, make([]byte, 20)...)
	return state.NewTx(msg)
}

func TestGenerateStops(t *testing.T) {
	n := newNode(t, block.Rules{Net: params.RegTest()})
	if ids, err := n.miner.Generate(t.Context(), 10, opTrue, 1); err != nil || len(ids) > 1 {
		t.Errorf("one hash gave %d blocks, %v", len(ids), err)
	}
	if ids, err := n.miner.Generate(t.Context(), 10, opTrue, 0); err != nil || len(ids) != 0 {
		t.Errorf("no hash gave %d blocks, %v", len(ids), err)
	}
	if ids, err := n.miner.Generate(t.Context(), -1, opTrue, 10); err != nil || len(ids) != 0 {
		t.Errorf("no block gave %d blocks, %v", len(ids), err)
	}
}

func TestSealedSignet(t *testing.T) {
	n := newNode(t, block.Rules{Net: params.SigNet([]byte{txscript.OP_FALSE})})
	_, err := n.miner.Generate(t.Context(), 1, opTrue, 10)
	if !errors.Is(err, template.ErrSealed) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if _, err := n.miner.MineOne(t.Context(), opTrue); !errors.Is(err, template.ErrSealed) {
		t.Errorf("MineOne: got %v", err)
	}
}

func TestMineOne(t *testing.T) {
	n := newNode(t, block.Rules{Net: params.RegTest()})
	id, err := n.miner.MineOne(t.Context(), opTrue)
	if err != nil || n.engine.Tip().Hash != id || n.engine.Tip().Height != 1 {
		t.Errorf("mined %v, %v; the tip is %v", id, err, n.engine.Tip().Hash)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.miner.MineOne(ended, opTrue); !errors.Is(err, context.Canceled) || n.engine.Tip().Height != 1 {
		t.Errorf("after the end of its context: %v, height %d", err, n.engine.Tip().Height)
	}
	hard := newNode(t, block.Rules{Net: params.MainNet()})
	short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := hard.miner.MineOne(short, opTrue); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a search without end: %v", err)
	}
}

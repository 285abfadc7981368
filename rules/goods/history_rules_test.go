package goods_test

import (
	"bytes"
	"encoding/hex"
	"maps"
	"slices"
	"testing"

	"granary/params"
	"granary/rules/goods"
	"granary/state"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// chain is the side of the rules in a history.
type chain struct {
	w *world
	// hex is the text of values that compare met: most stay from block to block.
	hex map[string]hexValue
}

// hexValue is a key and a value, and both as the model writes them.
type hexValue struct{ value, keyText, text string }

func newChain(t testing.TB, charter *params.Charter) *chain {
	w := worldOf(t, charter)
	w.lean = true
	return &chain{w: w, hex: map[string]hexValue{}}
}

// texts are a key and its value in hex.
func (c *chain) texts(key string, value []byte) hexValue {
	known, ok := c.hex[key]
	if !ok {
		known.keyText = hex.EncodeToString([]byte(key))
	}
	if !ok || known.value != string(value) {
		known.value, known.text = string(value), hex.EncodeToString(value)
		c.hex[key] = known
	}
	return known
}

// copy is the same chain for another history; blocks below it cannot be taken
// back.
func (c *chain) copy(t testing.TB) *chain {
	w := *c.w
	w.t, w.coins, w.goods, w.undo = t, maps.Clone(w.coins), maps.Clone(w.goods), nil
	return &chain{w: &w, hex: maps.Clone(c.hex)}
}

func (c *chain) tip() string    { return hex.EncodeToString(c.w.tip.Hash[:]) }
func (c *chain) subsidy() int64 { return c.w.subsidy() }

func (c *chain) disconnect() { c.w.disconnect() }

func (c *chain) grant(units int64) (wire.OutPoint, string) {
	op := c.w.grant(units)
	return op, hex.EncodeToString(c.w.coins[op].Script)
}

// judge compares the verdicts of a block's transactions and of some
// coinbases, and mines what is valid. It gives the coinbase.
func (c *chain) judge(h *history, next *model, trials []trial, subsidy int64) *wire.MsgTx {
	var accepted []*wire.MsgTx
	again := func() *attempt { // the block without what was refused
		a := c.w.begin()
		for _, msg := range accepted {
			if err := a.tx(msg); err != nil {
				h.t.Fatalf("seed %d height %d: accepted once, then %v", h.seed, next.height, err)
			}
		}
		return a
	}
	a := c.w.begin()
	for _, trial := range trials {
		h.verdict(next.height, a.tx(trial.tx.msg), trial.code, trial.tx.msg)
		c.decodes(h, next, trial.tx.msg)
		if rec := trial.tx.rec; rec != nil && trial.code != "" {
			h.run.refused[rec.name()+" "+trial.code]++
		}
		if trial.code == "" {
			accepted = append(accepted, trial.tx.msg)
		}
	}
	if next.height%2 == 1 { // a refusal leaves the block as it was; every other block shows it by going on
		a = again()
	}
	spoiled := h.rng.IntN(5) / 4
	if next.height == 1 {
		spoiled = 200
	}
	for range spoiled {
		bad := a.coinbase()
		h.spoil(next, bad)
		h.verdict(next.height, a.g.Coinbase(txOf(bad), subsidy, a.fees), next.coinbaseCode(bad, subsidy, a.fees, h.root), bad)
		a = again()
	}
	cb := a.coinbase()
	if _, err := a.finish(cb); err != nil {
		h.t.Fatalf("seed %d height %d: %v", h.seed, next.height, err)
	}
	return cb
}

// decodes: the rules read a record where the model does, and write it back.
func (c *chain) decodes(h *history, next *model, msg *wire.MsgTx) {
	h.t.Helper()
	script := msg.TxOut[len(msg.TxOut)-1].PkScript
	body, isRecord := recordOf(hex.EncodeToString(script))
	record, ok, err := goods.DecodeRecord(script)
	good := false
	if len(body) > 0 && len(body) <= 2*8_001 && body[:2] >= "01" && body[:2] <= "13" {
		_, good = parseModel(body)
	}
	if ok != isRecord || (ok && err == nil) != good || good && !bytes.Equal(goods.RecordScript(record), script) {
		h.t.Fatalf("seed %d height %d: record %x is read as %v, %v (%v); the model: %v, %v", h.seed, next.height, script, record, ok, err, isRecord, good)
	}
}

// compare: every state byte is what the model says, and now and then the tree
// over them is built anew. It gives the root.
func (c *chain) compare(h *history, want map[string]string) chainhash.Hash {
	h.t.Helper()
	if h.chance(12) {
		if !slices.Equal(c.w.sorted, slices.Sorted(maps.Keys(c.w.goods))) {
			h.t.Fatalf("seed %d height %d: the harness lost keys", h.seed, c.w.height)
		}
		c.w.check()
	}
	have := 0
	for key, value := range c.w.goods {
		if state.IsNodeKey([]byte(key)) {
			continue
		}
		have++
		texts := c.texts(key, value)
		if text, ok := want[texts.keyText]; !ok || text != texts.text {
			h.t.Fatalf("seed %d height %d: key %x is %x, the model says %s", h.seed, c.w.height, key, value, text)
		}
	}
	if have != len(want) {
		for key := range want {
			raw, _ := hex.DecodeString(key)
			if _, ok := c.w.goods[string(raw)]; !ok {
				h.t.Errorf("key %s is missing, the model says %s", key, want[key])
			}
		}
		h.t.Fatalf("seed %d height %d: %d keys, the model has %d", h.seed, c.w.height, have, len(want))
	}
	root, err := goods.Root(c.w)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.chance(7) {
		if built := modelRoot(want); root != built {
			h.t.Fatalf("seed %d height %d: root %x, the model says %x", h.seed, c.w.height, root, built)
		}
	}
	return root
}

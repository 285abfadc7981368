package goods_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"granary/base/check"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// failedOnce are seeds that found something; they run always.
var failedOnce = []uint64{3, 497, 554, 20527, 100333}

// unreachable are codes of docs/goods-rules.md that the histories cannot
// meet, with the reason.
var unreachable = map[check.Code]string{}

// TestRandomHistories runs random blocks, bad ones among them, and random
// reorganisations through the rules and the model: the same verdicts, codes
// and state bytes. GRANARY_LONG=1 runs 2,000 of them, GRANARY_HISTORIES=N as
// many, GRANARY_SEED=N from seed N on. From 2,000 on every record must have
// been accepted and every code given. More than 100 run on all processors; a
// seed makes the same history in every run.
func TestRandomHistories(t *testing.T) {
	number := func(variable, usual string) uint64 {
		n, err := strconv.ParseUint(cmp.Or(os.Getenv(variable), usual), 10, 32)
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return n
	}
	usual := "30"
	if os.Getenv("GRANARY_LONG") != "" {
		usual = "2000"
	}
	histories, first := number("GRANARY_HISTORIES", usual), number("GRANARY_SEED", "0")
	seeds := slices.Clone(failedOnce)
	for seed := range histories {
		seeds = append(seeds, first+seed)
	}
	run := newHistories(&prefixes{mined: map[string]*prefix{}})
	if histories <= 100 {
		for _, seed := range seeds {
			run.history(t, seed)
		}
	} else {
		run.runAll(t, seeds)
	}
	if !t.Failed() {
		run.report(t, histories)
	}
}

// prefix is the beginning that histories of one charter share.
type prefix struct {
	chain *chain
	m     *model
	root  chainhash.Hash
}

// prefixes are shared by the goroutines of a run.
type prefixes struct {
	mu    sync.Mutex
	mined map[string]*prefix
}

func (p *prefixes) of(name string, mine func() *prefix) *prefix {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mined[name] == nil {
		p.mined[name] = mine()
	}
	return p.mined[name]
}

// history is one random chain: the model beside the rules.
type history struct {
	t     testing.TB
	seed  uint64
	rng   *rand.Rand
	run   *manyHistories
	chain *chain
	m     *model
	root  chainhash.Hash
	past  []prefix
	moods map[string]int

	variant   *variant
	proposals []proposal
	lots      int
}

// trial is a transaction with the model's verdict.
type trial struct {
	tx   *modelTx
	code string
}

func (run *manyHistories) history(t testing.TB, seed uint64) {
	variant := &variants[seed%uint64(len(variants))]
	h := &history{variant: variant, t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 99)), run: run}
	start := int64(100)
	if seed%16 < 2 {
		start = 97
	}
	h.begin(start)
	h.moods = map[string]int{}
	for _, name := range []string{
		"attest", "act", "draw", "redeem", "reclaim", "bond", "unbond", "amend", "reseat", "other", "receive", "audit", "suspend", "council",
		"deliver", "settle", "lazy",
	} {
		h.moods[name] = pick(h, []int{1, 2, 2, 2, 4, 4})
	}
	maps.Copy(h.moods, variant.moods)
	for range max(variant.grants, h.rng.IntN(5)*h.rng.IntN(2)) {
		h.grant(int64(h.rng.IntN(100_000)))
	}
	for range variant.blocks {
		if len(h.past) > 0 && h.chance(14) {
			h.back(1 + h.rng.IntN(min(8, len(h.past))))
		}
		h.block(2 + h.rng.IntN(8) + 5*boolToInt(variant.huge))
	}
}

// begin takes a copy of the shared prefix, mining it at first.
func (h *history) begin(height int64) {
	p := h.run.prefixes.of(fmt.Sprint(h.variant.name, height), func() *prefix { return h.minePrefix(height) })
	h.chain, h.m, h.root, h.past = p.chain.copy(h.t), p.m.clone(), p.root, nil
	h.m.seen = h.run.seen
}

// minePrefix leaves nothing to the seed that needs it first.
func (h *history) minePrefix(height int64) *prefix {
	own := h.rng
	h.rng = rand.New(rand.NewPCG(uint64(height), 98))
	charter := h.variant.charter(h.t)
	h.chain, h.m = newChain(h.t, charter), newModel(charter)
	h.m.seen = h.run.seen
	for h.m.height < height {
		h.block(0)
	}
	h.rng = own
	return &prefix{h.chain, h.m, h.root}
}

// back takes blocks back.
func (h *history) back(n int) {
	for range n {
		h.chain.disconnect()
		last := h.past[len(h.past)-1]
		h.past = h.past[:len(h.past)-1]
		h.m, h.root = last.m, last.root
	}
	h.run.back += n
	h.chain.compare(h, h.m.stateBytes())
}

// block judges random transactions with both, and ends with a block that is
// valid.
func (h *history) block(transactions int) {
	next := h.m.clone()
	next.begin(h.chain.tip())
	var trials []trial
	if transactions > 0 {
		h.newProposals(next)
	}
	for range transactions {
		trial := h.transaction(next)
		if trial == nil {
			continue
		}
		trials = append(trials, *trial)
		if trial.code == "" {
			next.apply(trial.tx)
		}
	}
	subsidy := h.chain.subsidy()
	cb := h.chain.judge(h, next, trials, subsidy)
	if code := next.coinbaseCode(cb, subsidy, next.fees.Int64(), h.root); code != "" {
		h.t.Fatalf("seed %d height %d: the model refuses a built coinbase: %s", h.seed, next.height, code)
	}
	next.coinbase(cb, subsidy)
	h.past = append(h.past, prefix{m: h.m, root: h.root})
	h.m = next
	if broken := next.wrong(); broken != "" {
		h.t.Fatalf("seed %d height %d: the model itself: %s", h.seed, next.height, broken)
	}
	h.root = h.chain.compare(h, next.stateBytes())
	h.run.blocks++
}

// verdict compares one.
func (h *history) verdict(height int64, err error, want string, msg *wire.MsgTx) {
	h.t.Helper()
	got := check.CodeOf(err)
	h.run.codes[got]++
	if string(got) != want || err != nil && got == "" {
		h.t.Fatalf("seed %d height %d: verdict %v, the model says %q, of %s", h.seed, height, err, want, describe(msg))
	}
}

// describe shows a transaction to whoever has to find out.
func describe(msg *wire.MsgTx) string {
	text := msg.TxHash().String()
	for _, in := range msg.TxIn {
		text += fmt.Sprintf("\n  in  %v sig %x wit %x", in.PreviousOutPoint, in.SignatureScript[:min(40, len(in.SignatureScript))], in.Witness)
	}
	for _, out := range msg.TxOut {
		text += fmt.Sprintf("\n  out %d %x", out.Value, out.PkScript[:min(400, len(out.PkScript))])
	}
	return text
}

// grant puts an ordinary coin into circulation that no draw released.
func (h *history) grant(units int64) {
	op, script := h.chain.grant(units)
	h.m.coins = append(h.m.coins, modelCoin{op, big.NewInt(units), script})
	h.m.mint(big.NewInt(units))
	h.m.moved = plus(h.m.moved, big.NewInt(units))
	h.root = h.chain.compare(h, h.m.stateBytes())
}

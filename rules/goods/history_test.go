package goods_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
// been accepted and every code given.
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
	run := &manyHistories{codes: map[check.Code]int{}, refused: map[string]int{}, seen: map[string]int{}, prefixes: map[string]*prefix{}}
	for _, seed := range failedOnce {
		run.history(t, seed)
	}
	for seed := range histories {
		run.history(t, first+seed)
	}
	run.report(t, histories)
}

// manyHistories is one run of many histories.
type manyHistories struct {
	codes    map[check.Code]int
	refused  map[string]int // by record and code
	seen     map[string]int
	prefixes map[string]*prefix
	blocks   int
	back     int // blocks taken back
}

func (run *manyHistories) report(t *testing.T, histories uint64) {
	t.Helper()
	list := func(counts map[string]int) string {
		text := ""
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			text += fmt.Sprintf("\n%9d %s", counts[name], name)
		}
		return text
	}
	codes := ""
	for _, code := range slices.Sorted(maps.Keys(run.codes)) {
		codes += fmt.Sprintf("\n%9d %s", run.codes[code], cmp.Or(string(code), "accepted"))
	}
	t.Logf("%d histories, %d blocks, %d taken back. Happened:%s\nVerdicts:%s", histories, run.blocks, run.back, list(run.seen), codes)
	if testing.Verbose() {
		t.Logf("Refused:%s", list(run.refused))
	}
	if histories < 2_000 {
		if len(run.codes) < 60 {
			t.Errorf("the histories met %d codes only", len(run.codes))
		}
		return
	}
	for _, name := range recordNames {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(run.seen)), func(seen string) bool { return strings.HasPrefix(seen, name) }) {
			t.Errorf("no %s was ever accepted", name)
		}
	}
	for _, name := range []string{
		"deliver 00", "deliver 01", "unbond 00", "unbond 01", "unbond 02", "amend 00", "amend 01", "reseat 00", "reseat 01", "reseat 02",
		"reseat 03", "in default", "in force, slot 00", "in force, slot 01", "in force, slot 02", "par in force", "custodian joined",
		"auditor joined", "good joined", "acts, after joining", "acts, after a reseat", "slash, from bonds", "slash, from anybody's coins",
		"delivered, claim of kind 00", "delivered, claim of kind 01", "lapsed, claim of kind 00", "lapsed, claim of kind 01",
		"lost, claim of kind 00", "lost, claim of kind 01", "lot reserved for ever", "receipt closed", "suspended by an audit",
		"redeem from one in default", "passed over in a list", "debt held at 2^63-1",
	} {
		if run.seen[name] == 0 {
			t.Errorf("never happened: %s", name)
		}
	}
	if name := "bonds asked for more than 2^63-1"; run.seen[name] == 0 && histories >= 20_000 { // one in some thousands
		t.Errorf("never happened: %s", name)
	}
	page, err := os.ReadFile("../../docs/goods-rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile("`?goods-[a-z]+(-[a-z]+)*").FindAllString(string(page), -1) {
		code := check.Code(strings.TrimPrefix(found, "`"))
		if code != "goods-rules" && run.codes[code] == 0 && unreachable[code] == "" {
			t.Errorf("the code %s was never given", code)
			run.codes[code]++ // once is enough
		}
	}
}

// prefix is the beginning that histories of one charter share.
type prefix struct {
	chain *chain
	m     *model
	root  chainhash.Hash
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
	key := fmt.Sprint(h.variant.name, height)
	p := h.run.prefixes[key]
	if p == nil {
		charter := h.variant.charter(h.t)
		h.chain, h.m = newChain(h.t, charter), newModel(charter)
		h.m.seen = h.run.seen
		for h.m.height < height {
			h.block(0)
		}
		p = &prefix{h.chain, h.m, h.root}
		h.run.prefixes[key] = p
	}
	h.chain, h.m, h.root, h.past = p.chain.copy(h.t), p.m.clone(), p.root, nil
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

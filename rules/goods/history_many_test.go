package goods_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"granary/base/check"
)

// manyHistories is one run of many histories, by one goroutine.
type manyHistories struct {
	codes    map[check.Code]int
	refused  map[string]int // by record and code
	seen     map[string]int
	prefixes *prefixes
	blocks   int
	back     int // blocks taken back
}

func newHistories(shared *prefixes) *manyHistories {
	return &manyHistories{codes: map[check.Code]int{}, refused: map[string]int{}, seen: map[string]int{}, prefixes: shared}
}

// runAll lets each processor run the next seed, and adds up. The first failure
// ends all.
func (run *manyHistories) runAll(t *testing.T, seeds []uint64) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // little lives long
	queue := &seedQueue{seeds: seeds, started: time.Now()}
	parts := make([]*manyHistories, runtime.GOMAXPROCS(0))
	t.Run("all", func(t *testing.T) { // which waits for its parts
		for i := range parts {
			parts[i] = newHistories(run.prefixes)
			t.Run(fmt.Sprint("processor ", i), func(t *testing.T) {
				t.Parallel()
				defer func() { // Fatalf ends the goroutine
					if t.Failed() {
						queue.stop()
					}
				}()
				for seed, ok := queue.pop(); ok; seed, ok = queue.pop() {
					parts[i].history(t, seed)
				}
			})
		}
	})
	for _, part := range parts {
		run.add(part)
	}
}

// seedQueue hands out seeds, and tells now and then how far it is.
type seedQueue struct {
	seeds   []uint64
	next    atomic.Int64
	started time.Time
}

func (q *seedQueue) pop() (uint64, bool) {
	at := int(q.next.Add(1) - 1)
	if at >= len(q.seeds) {
		return 0, false
	}
	if at > 0 && at%5_000 == 0 {
		fmt.Fprintf(os.Stderr, "%d of %d histories after %v\n", at, len(q.seeds), time.Since(q.started).Round(time.Second))
	}
	return q.seeds[at], true
}

func (q *seedQueue) stop() { q.next.Store(int64(len(q.seeds))) }

func (run *manyHistories) add(part *manyHistories) {
	for code, n := range part.codes {
		run.codes[code] += n
	}
	for what, n := range part.refused {
		run.refused[what] += n
	}
	for what, n := range part.seen {
		run.seen[what] += n
	}
	run.blocks += part.blocks
	run.back += part.back
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

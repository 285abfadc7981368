package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"granary/base/clock"
	"granary/door/web"
	history "granary/index/goods"
	"granary/node/life"
	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// lifeWorld is a chain on which people have lived for some hundred blocks,
// with its history and its page. Tests share one and only read it.
type lifeWorld struct {
	house   *stage.House
	index   *history.Index
	clock   *clock.Mock
	server  *web.Server
	page    *httptest.Server
	charter *params.Charter
}

// lifeBlocks is how long they live at least; the draw of block 288 is then a
// while ago. They go on, up to mostLifeBlocks, until there is much to see.
const (
	lifeBlocks     = 200
	mostLifeBlocks = 320
	lifeSeed       = 9
)

var (
	lived     *lifeWorld
	livedOnce sync.Once
	livedErr  error
	livedDirs []string
	closing   []func() error
)

// theLife gives the shared world.
func theLife(t *testing.T) *lifeWorld {
	t.Helper()
	livedOnce.Do(func() { lived, livedErr = live() })
	if livedErr != nil {
		t.Fatal(livedErr)
	}
	return lived
}

func TestMain(m *testing.M) {
	code := m.Run()
	var errs []error
	for i := len(closing) - 1; i >= 0; i-- {
		errs = append(errs, closing[i]())
	}
	for _, dir := range livedDirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	if err := errors.Join(errs...); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

type lifeKeys struct{}

func (lifeKeys) SeatKey(role state.Role, index uint16, generation uint32) *btcec.PrivateKey {
	digest := sha256.Sum256(fmt.Appendf(nil, "page %s %d %d", role, index, generation))
	key, _ := btcec.PrivKeyFromBytes(digest[:])
	return key
}

// lifeCharter is the demo's with windows that pass within a test.
func lifeCharter() (*params.Charter, error) {
	script := func(role state.Role, index uint16) []byte { return stage.ScriptOf(lifeKeys{}.SeatKey(role, index, 0)) }
	demo, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{script(state.RoleCustodian, 0), script(state.RoleCustodian, 1)},
		Auditors:   [3][]byte{script(state.RoleAuditor, 0), script(state.RoleAuditor, 1), script(state.RoleAuditor, 2)},
		Council:    script(state.RoleCouncil, 0),
	})
	if err != nil {
		return nil, err
	}
	c := *demo
	p := &c.Parameters
	p.DeliveryWindowBlocks, p.PickupWindowBlocks, p.GraceWindowBlocks = 8, 5, 5
	p.AttestationLifeBlocks, p.AmendmentDelayBlocks = 30, 16
	p.UnbondedAllowanceUnits = 200 * params.UnitsPerCoin
	c.Low, c.High = *p, *p
	c.Low.RedemptionFeeBP, c.High.RedemptionFeeBP = 0, 100
	for i := range c.Goods {
		c.Goods[i].MaxAgeBlocks = 60 + 20*int64(i) // so that some go stale
	}
	return params.NewCharter(c)
}

// live plays blocks, ten minutes apart more or less. The same code plays
// the same life.
func live() (*lifeWorld, error) {
	charter, err := lifeCharter()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "granary-page-")
	if err != nil {
		return nil, err
	}
	livedDirs = append(livedDirs, dir)
	w := &lifeWorld{charter: charter, clock: &clock.Mock{}}
	first := time.Date(2030, 3, 1, 8, 0, 0, 0, time.UTC)
	at := func(h int32) {
		w.clock.Set(first.Add(time.Duration(h)*10*time.Minute + time.Duration(h*37%500)*time.Second))
	}
	at(0)
	ctx := context.Background()
	if w.house, err = stage.OpenHouse(ctx, dir+"/chain", charter, w.clock, nil); err != nil {
		return nil, err
	}
	closing = append(closing, w.house.Close)
	if w.index, err = history.Open(history.Options{Dir: dir + "/history", Net: w.house.Net, CharterID: charter.ID()}); err != nil {
		return nil, err
	}
	closing = append(closing, w.index.Close)
	if err := w.index.Sync(ctx, w.house.Chain, nil); err != nil {
		return nil, err
	}
	people := life.New(life.Options{
		Charter: charter, Chain: w.house.Chain, Keys: lifeKeys{}, Secret: []byte("page"), Seed: lifeSeed,
		Give: func(tx *state.Tx) error { _, err := w.house.Pool.Accept(tx); return err },
	})
	w.house.MinerScript = people.Miner().Script
	for h := int32(1); h < params.GoodsStartHeight+mostLifeBlocks; h++ {
		if h >= params.GoodsStartHeight+lifeBlocks {
			if enough, err := w.enough(); err != nil || enough {
				break
			}
			w.announce()
		}
		at(h)
		if h >= params.GoodsStartHeight {
			if err := people.Step(); err != nil {
				return nil, err
			}
		}
		if err := w.house.Mine(ctx, 1); err != nil {
			return nil, err
		}
	}
	if err := people.Step(); err != nil { // so that something waits
		return nil, err
	}
	w.clock.Set(w.house.Chain.Tip().Raw.Timestamp.Add(83 * time.Second))
	w.server, err = web.New(web.Options{
		Chain: w.house.Chain, Pool: w.house.Pool, Net: w.house.Net, Charter: charter, Clock: w.clock, Version: "test",
		History: w.index, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	w.page = httptest.NewServer(w.server)
	closing = append(closing, func() error { w.page.Close(); return nil })
	return w, nil
}

// enough reports that a par is about to change and that a claim is open.
func (w *lifeWorld) enough() (enough bool, err error) {
	err = w.house.Chain.View(func(tip *state.Header, v state.View) error {
		claims := 0
		if err := goods.RangeClaims(v, func(*state.Claim) bool { claims++; return true }); err != nil {
			return err
		}
		p, err := goods.ReadPending(v, state.SlotAmend)
		if err != nil || p == nil || p.Effective-tip.Height < 3 {
			return err
		}
		record, err := goods.DecodeChange(state.SlotAmend, p)
		enough = err == nil && len(record.(goods.Amend).Goods) > 0 && claims > 0
		return err
	})
	return enough, err
}

// announce lets the council announce another par, if it can now.
func (w *lifeWorld) announce() {
	seat, err := w.house.Cast.Seat(state.RoleCouncil, 0)
	if err != nil {
		return
	}
	for generation := range uint32(500) {
		key := lifeKeys{}.SeatKey(state.RoleCouncil, 0, generation)
		if bytes.Equal(stage.ScriptOf(key), seat.Script) {
			w.house.Cast.Hold(seat.Name, key)
			break
		}
	}
	dearer := w.charter.Goods[1]
	dearer.ParNum = dearer.ParNum * 11 / 10
	change := goods.Amend{Goods: []goods.GoodChange{{Index: 1, Good: dearer}}}
	// Refused while something else waits, or the council acts already.
	_, _ = w.house.Give(w.house.Cast.Act(state.RoleCouncil, 0, change))
}

// find gives the first address with a beginning that a page leads to.
func (w *lifeWorld) find(t *testing.T, page, beginning string) string {
	t.Helper()
	_, body, _ := fetch(t, w.server, page)
	match := regexp.MustCompile(`href="(` + regexp.QuoteMeta(beginning) + `[^"]+)"`).FindStringSubmatch(body)
	if match == nil {
		t.Fatalf("%s leads to no %s", page, beginning)
	}
	return html.UnescapeString(match[1])
}

// livedPages are the pages of a lived-in chain with what they must say.
func livedPages(t *testing.T, w *lifeWorld) map[string][]string {
	t.Helper()
	open, closed := w.find(t, "/receipts", "/receipt/"), w.find(t, "/receipts?show=closed", "/receipt/")
	return map[string][]string{
		"/": {
			"What stands behind the coins", "Coverage over time", "minimum 110", `class="curve"`, `class="release"`, "Releases", "Par and other changes",
			"What moved it", "Goods in custody", "Claims that wait", "Custodians and auditors", "last audit", "Where the coins are", "In escrow",
		},
		"/reserve": {
			"By good", "By custodian", "Milling wheat", "1\u00a0kg = ", "Undrawn", "Owed", "at par", "in the reserve", "last 2016",
			"block ", "Redemption", "receipt ",
		},
		"/reserve?span=all":             {"Coverage over time", fmt.Sprint("block ", w.house.Height())},
		"/receipts":                     {"receipts open", "lot <span", "counts until", "Next →"},
		"/receipts?show=all&from=5":     {"Receipt 5", "← First"},
		"/receipts?show=closed&good=0":  {"closed at"},
		"/receipts?custodian=1&good=2":  {"Silver", "Harbour vault"},
		open:                            {"attested by", "proved by the chain", "Brought in", "Last seen", "Released for it", "History", "granary proof make"},
		closed:                          {"Nothing is left of it", "closed at", "Closed", "attested by"},
		"/claims":                       {"Claim ", "of <a href"},
		"/claims?show=all":              {"delivered", "of <a href"},
		w.find(t, "/claims", "/claim/"): {"What may happen next", "anyone may", "Escrow", "Claimed", "Holder", "in "},
		w.find(t, "/claims?show=closed&from=5", "/claim/"): {"How it went", "Claimed", "Ended by", "History"},
		"/custodians":             {"Tendered", "in time of", "Bonds", "Shortfalls"},
		"/custodian/0":            {"of its limit of", "From claim to tender", "blocks on average", "Debt paid", "What it holds", "Bond", "History"},
		"/auditors":               {"Attested", "Recounted", "Last audit", "Between audits", "blocks on average", "Asked first"},
		"/auditor/0":              {"Its seat", "What it did", "Stands behind proposal"},
		"/changes":                {"instead of 1", "it may be withdrawn before", "about ", "with a delay of 16 blocks", "Change announced", "from block"},
		"/inspections":            {"The next draw is at block", "Drawn by block <a href=\"/block/288\">", w.at(288), "asked first", "recounted after"},
		"/charter":                {"Parameters in force", "at launch", "Goods in force"},
		"/seats":                  {"/custodian/0", "/auditor/1"},
		"/blocks":                 {"and "},
		"/search?q=nothing":       {"Nothing here is called"},
		"/receipt/99999":          {"the newest has the number"},
		"/receipts?show=all&lot=": {"Receipt 0"},
	}
}

func (w *lifeWorld) at(height int32) string { return w.house.Chain.AtHeight(height).Hash.String() }

// TestLivedPages looks at every page of a chain on which all records occurred.
func TestLivedPages(t *testing.T) {
	w := theLife(t)
	for path, wants := range livedPages(t, w) {
		began := time.Now()
		response, body, _ := fetch(t, w.server, path)
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s took %v", path, took)
		}
		if response.StatusCode == http.StatusInternalServerError {
			t.Errorf("%s: %s", path, response.Status)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		wellFormed(t, path, body)
	}
}

// TestEveryLinkLeads follows every link of the goods' pages one step.
func TestEveryLinkLeads(t *testing.T) {
	w := theLife(t)
	seen := map[string]bool{}
	for path := range livedPages(t, w) {
		_, body, _ := fetch(t, w.server, path)
		for _, match := range regexp.MustCompile(`href="(/[^"]*)"`).FindAllStringSubmatch(body, -1) {
			target, _, _ := strings.Cut(html.UnescapeString(match[1]), "#")
			if seen[target] || strings.HasPrefix(target, "/static/") {
				continue
			}
			seen[target] = true
			response, text, _ := fetch(t, w.server, target)
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s leads to %s: %s", path, target, response.Status)
			}
			wellFormed(t, target, text)
		}
	}
	t.Logf("%d links", len(seen))
}

// TestRecordPages opens the page of a transaction of every kind of record.
func TestRecordPages(t *testing.T) {
	w := theLife(t)
	seen := map[goods.RecordType]bool{}
	for h := w.house.Chain.Tip(); h.Height > params.GoodsStartHeight; h = h.Parent {
		block, err := w.house.Chain.Block(h)
		if err != nil {
			t.Fatal(err)
		}
		for i, tx := range block.Msg.Transactions {
			record, ok, err := goods.DecodeRecord(tx.TxOut[len(tx.TxOut)-1].PkScript)
			if !ok || err != nil || seen[record.Type()] {
				continue
			}
			seen[record.Type()] = true
			path := "/tx/" + block.Txids[i].String() + "?block=" + h.Hash.String()
			response, body, _ := fetch(t, w.server, path)
			if response.StatusCode != http.StatusOK || !strings.Contains(body, "card words") || !strings.Contains(body, "It says: "+record.Type().String()) {
				t.Errorf("%s: %s is not told: %s", path, record.Type(), response.Status)
			}
			_, list, _ := fetch(t, w.server, "/block/"+h.Hash.String())
			wellFormed(t, "/block/"+h.Hash.String(), list)
		}
	}
	for kind := goods.TypeRotate; kind <= goods.TypeReseat; kind++ {
		if !seen[kind] {
			t.Logf("no %s in this life", kind)
		}
	}
	if len(seen) < 16 {
		t.Errorf("only %d kinds of records occurred", len(seen))
	}
}

// TestFiguresAgree compares what the page says with the state.
func TestFiguresAgree(t *testing.T) {
	w := theLife(t)
	_, body, _ := fetch(t, w.server, "/reserve")
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, "")
	err := w.house.Chain.View(func(_ *state.Header, v state.View) error {
		totals, err := goods.ReadTotals(v)
		if err != nil {
			return err
		}
		reserve, err := goods.ReadReserve(v)
		if err != nil {
			return err
		}
		bp := history.CoverageBP(reserve.Counted.Units(), totals.CirculatingUnits)
		for what, want := range map[string]string{
			"circulating": fmt.Sprintf("%d.%08d", totals.CirculatingUnits/1e8, totals.CirculatingUnits%1e8),
			"reserve":     fmt.Sprintf("%d.%08d", reserve.Counted.Units()/1e8, reserve.Counted.Units()%1e8),
			"coverage":    fmt.Sprintf("%d.%02d", bp/100, bp%100),
		} {
			if want = strings.TrimRight(want, "0"); !strings.Contains(text, want) {
				t.Errorf("%s is not %s", what, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// voidTags need no end.
var voidTags = map[string]bool{"meta": true, "link": true, "input": true, "br": true, "img": true, "hr": true}

// wellFormed checks that tags are closed in order, ids occur once, and nothing
// is there that the page's policy forbids.
func wellFormed(t *testing.T, path, body string) {
	t.Helper()
	var open []string
	for _, tag := range regexp.MustCompile(`<(/?)([a-zA-Z0-9]+)((?:"[^"]*"|'[^']*'|[^>"'])*?)(/?)>`).FindAllStringSubmatch(body, -1) {
		switch name := strings.ToLower(tag[2]); {
		case voidTags[name] || tag[4] == "/":
		case tag[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			t.Errorf("%s: </%s> closes %v", path, name, open)
			return
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: %v stay open", path, open)
	}
	ids := map[string]bool{}
	for _, match := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if ids[match[1]] {
			t.Errorf("%s: id %q occurs twice", path, match[1])
		}
		ids[match[1]] = true
	}
	for _, forbidden := range []string{" style=", "<style", "javascript:", "&lt;nil&gt;", "%!", "ZgotmplZ"} {
		if strings.Contains(body, forbidden) {
			t.Errorf("%s contains %q", path, forbidden)
		}
	}
}

package web_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"granary/door/web"
	"granary/params"
)

// fetch gets a path as a client that takes gzip, follows no redirect, and
// gives the body unpacked with the bytes that travelled.
func fetch(t *testing.T, handler http.Handler, path string) (response *http.Response, body string, onWire int) {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set("Accept-Encoding", "gzip, br")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	response = recorder.Result()
	onWire = recorder.Body.Len()
	var reader io.Reader = recorder.Body
	if response.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(recorder.Body)
		if err != nil {
			t.Fatal(err)
		}
		reader = unpacked
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text), onWire
}

func TestPages(t *testing.T) {
	w := newWorld(t, 112, nil)
	for path, wants := range map[string][]string{
		"/":        {"Height 112", "5600", "In the treasury", "Circulating", "proved by the chain", "North silo", "<svg"},
		"/blocks":  {"Blocks", "/block/112"},
		"/block/1": {"Height 1", "Into the treasury", "claimed"},
		"/block/0": {"Height 0", "this is the first"},
		"/seats":   {"Harbour vault", "2 of them together are a quorum", "claimed", "Demo council"},
		"/charter": {w.charter.ID().String(), "Milling wheat", "Haircut", "min_coverage_bp", "Everything is as it was at launch"},
		// A young chain, and a node without a history of its goods.
		"/reserve":     {"None is held by anybody"},
		"/receipts":    {"None."},
		"/claims":      {"None."},
		"/custodians":  {"keeps no history", "Harbour vault", "in good standing"},
		"/custodian/1": {"keeps no history", "of its limit of 100", "Green coffee"},
		"/auditors":    {"keeps no history", "Third auditor"},
		"/auditor/2":   {"Third auditor", "keeps no history"},
		"/changes":     {"Nothing is announced"},
		"/inspections": {"The next draw is at block <strong>144</strong>", "keeps no history"},
	} {
		response, body, _ := fetch(t, w.server, path)
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, response.Status)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
	}
}

func TestCoinbaseInWords(t *testing.T) {
	w := newWorld(t, 102, nil)
	first, err := w.chain.Block(w.chain.AtHeight(1))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := fetch(t, w.server, "/tx/"+first.Txids[0].String()+"?block="+first.Hash.String())
	for _, want := range []string{"Treasury", "Seat of North silo", "Seat of Demo council", "Goods commitment", "Witness commitment", "New coins"} {
		if !strings.Contains(body, want) {
			t.Errorf("the first coinbase lacks %q", want)
		}
	}
}

func TestNothingThere(t *testing.T) {
	w := newWorld(t, 102, nil)
	none := strings.Repeat("ab", 32)
	for _, path := range []string{
		"/nowhere", "/block/103", "/block/-1", "/block/" + none, "/block/x", "/tx/x", "/tx/" + none, "/tx/" + none + "?block=" + none,
		"/tx/" + none + "?block=" + w.chain.Tip().Hash.String(), "/static/app.css", "/blocks?from=x", "/search?q=nothing",
		"/search?q=bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "/search?q=999", "/search?q=lot+NO-SUCH-LOT",
		"/receipt/0", "/receipt/x", "/receipt/-1", "/receipt/18446744073709551615", "/claim/0", "/claim/x", "/custodian/2", "/custodian/x",
		"/auditor/3", "/auditor/65536", "/receipts?show=none", "/receipts?show=closed", "/receipts?custodian=9", "/receipts?from=x", "/receipts?lot=NONE",
		"/claims?show=all", "/claims?custodian=0",
	} {
		response, body, _ := fetch(t, w.server, path)
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, response.Status)
		}
		if strings.Contains(body, "could not be made") {
			t.Errorf("%s failed", path)
		}
	}
}

func TestSearchLeads(t *testing.T) {
	w := newWorld(t, 102, nil)
	tip := w.chain.Tip().Hash.String()
	_, seats, _ := fetch(t, w.server, "/seats")
	address := regexp.MustCompile(`bcrt1q[a-z0-9]+`).FindString(seats)
	for query, want := range map[string]string{
		"": "/", "57": "/block/57", "1%20%20": "/block/1", tip: "/block/" + tip, strings.Repeat("ab", 32): "/tx/" + strings.Repeat("ab", 32),
		address: "/seats#custodian-0", "receipt+7": "/receipt/7", "Claim+%237": "/claim/7", "receipts12": "/receipt/12", "custodian+1": "/custodian/1",
		"north+SILO": "/custodian/0", "third+auditor": "/auditor/2", "demo+council": "/changes", "wheat": "/reserve#good-0", "silver,+999+fine": "/reserve#good-2",
	} {
		response, _, _ := fetch(t, w.server, "/search?q="+query)
		if got := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%q leads to %s %q, want %q", query, response.Status, got, want)
		}
	}
}

// TestHostileStrings: whatever a charter or a visitor writes is shown as text.
func TestHostileStrings(t *testing.T) {
	const nasty = `<script>alert(1)</script>"'><img src=x>`
	w := newWorld(t, 102, func(c *params.Charter) {
		c.Name = nasty
		c.Goods[0].Name = nasty
		c.Auditors[0].Name = nasty
		c.Registries = []string{nasty}
	})
	escaped := strings.NewReplacer("/", "%2F", "<", "%3C", ">", "%3E", `"`, "%22", " ", "%20").Replace(nasty)
	for _, path := range []string{
		"/", "/seats", "/charter", "/blocks", "/block/1", "/live", "/search?q=" + escaped, "/block/" + escaped, "/tx/" + escaped,
		"/blocks?from=" + escaped, "/live?state=" + escaped, "/reserve", "/receipts", "/claims", "/custodians", "/custodian/0", "/auditors",
		"/auditor/0", "/changes", "/inspections", "/receipt/" + escaped, "/claim/" + escaped, "/custodian/" + escaped, "/auditor/" + escaped,
		"/receipts?show=" + escaped, "/receipts?custodian=" + escaped, "/receipts?lot=" + escaped, "/receipts?from=" + escaped,
		"/claims?show=" + escaped, "/reserve?span=" + escaped, "/changes?before=" + escaped, "/inspections?before=" + escaped,
	} {
		_, body, _ := fetch(t, w.server, path)
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") || strings.Contains(body, `"'>`) {
			t.Errorf("%s shows a hostile string as it is", path)
		}
	}
	_, body, _ := fetch(t, w.server, "/charter")
	if !strings.Contains(body, "&lt;script&gt;") {
		t.Error("the charter's name is gone instead of escaped")
	}
}

func TestOnlyReading(t *testing.T) {
	w := newWorld(t, 101, nil)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
		recorder := httptest.NewRecorder()
		w.server.ServeHTTP(recorder, httptest.NewRequest(method, "/", strings.NewReader("x")))
		if recorder.Code != http.StatusMethodNotAllowed || recorder.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, recorder.Code)
		}
	}
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, httptest.NewRequest(http.MethodHead, "/", nil))
	if recorder.Code != http.StatusOK || recorder.Body.Len() != 0 {
		t.Errorf("HEAD: %d with %d bytes", recorder.Code, recorder.Body.Len())
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, 101, nil)
	for _, path := range []string{"/", "/nowhere", "/live", "/search?q=1"} {
		response, body, _ := fetch(t, w.server, path)
		policy := response.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, response.Header)
		}
		for _, forbidden := range []string{" style=", "<style", "onclick", "javascript:", "//cdn", `href="http`, `src="http`} {
			if strings.Contains(body, forbidden) {
				t.Errorf("%s contains %q, which its policy forbids", path, forbidden)
			}
		}
	}
}

// TestFirstLoad follows every file that the first page names: all are there,
// named by content, kept for ever, and small together.
func TestFirstLoad(t *testing.T) {
	w := newWorld(t, 112, nil)
	_, body, total := fetch(t, w.server, "/")
	files := regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(files) != 6 {
		t.Errorf("the first page names %d files", len(files))
	}
	for _, match := range files {
		response, text, onWire := fetch(t, w.server, match[1])
		sum := sha256.Sum256([]byte(text))
		if response.StatusCode != http.StatusOK || !strings.Contains(match[1], hex.EncodeToString(sum[:6])) {
			t.Errorf("%s: %s, content is %x", match[1], response.Status, sum[:6])
		}
		if !strings.Contains(response.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s is not kept", match[1])
		}
		total += onWire
	}
	const most = 110_000
	if total > most {
		t.Errorf("the first load takes %d bytes, at most %d are wanted", total, most)
	}
	t.Logf("the first load takes %d bytes", total)
}

// TestForeignFiles compares the files of others with the hashes in the notice.
func TestForeignFiles(t *testing.T) {
	notice, err := os.ReadFile("static/THIRD-PARTY.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^(\S+\.min\.\S+)\s+\S+.*?([0-9a-f]{64})$`).FindAllStringSubmatch(string(notice), -1)
	if len(rows) != 3 {
		t.Fatalf("the notice lists %d files", len(rows))
	}
	for _, row := range rows {
		content, err := os.ReadFile("static/" + row[1])
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != row[2] {
			t.Errorf("%s is not the file of the notice", row[1])
		}
	}
}

func TestLivePartRestsUntilSomethingHappens(t *testing.T) {
	w := newWorld(t, 102, nil)
	_, body, _ := fetch(t, w.server, "/")
	state := regexp.MustCompile(`hx-get="(/live\?state=[^"]+)"`).FindStringSubmatch(body)
	if state == nil {
		t.Fatal("the page does not refresh itself")
	}
	if response, text, _ := fetch(t, w.server, state[1]); response.StatusCode != http.StatusNoContent || text != "" {
		t.Errorf("nothing happened, and the live part says %s", response.Status)
	}
	w.clock.Set(w.clock.Now().Add(time.Minute))
	if _, err := w.miner.Generate(t.Context(), 1, w.keys.MinerScript(), 1<<30); err != nil {
		t.Fatal(err)
	}
	response, text, _ := fetch(t, w.server, state[1])
	if response.StatusCode != http.StatusOK || !strings.Contains(text, "Height 103") || strings.Contains(text, "<html") {
		t.Errorf("a block came, and the live part says %s", response.Status)
	}
}

// TestPlainBitcoin: without a charter the page speaks of blocks only.
func TestPlainBitcoin(t *testing.T) {
	w := newWorld(t, 101, nil)
	server, err := web.New(web.Options{Chain: w.chain, Net: params.RegTest()})
	if err != nil {
		t.Fatal(err)
	}
	response, body, _ := fetch(t, server, "/")
	if response.StatusCode != http.StatusOK || !strings.Contains(body, "Bitcoin regtest") || strings.Contains(body, "/charter") {
		t.Errorf("%s:\n%s", response.Status, body)
	}
	if response, _, _ := fetch(t, server, "/charter"); response.StatusCode != http.StatusNotFound {
		t.Errorf("a charter is shown: %s", response.Status)
	}
}

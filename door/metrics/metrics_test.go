package metrics

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"granary/base/clock"
	"granary/mempool"
	"granary/p2p"
	"granary/params"
	"granary/state"
)

type fakeChain struct {
	tip  *state.Header
	err  error
	done chan struct{}
}

func (f *fakeChain) Tip() *state.Header        { return f.tip }
func (f *fakeChain) BestHeader() *state.Header { return f.tip }
func (f *fakeChain) SizeOnDisk() int64         { return 12345 }
func (f *fakeChain) Err() error                { return f.err }
func (f *fakeChain) Done() <-chan struct{}     { return f.done }

type fakePool struct{}

func (fakePool) Info() mempool.Info { return mempool.Info{Count: 3, VBytes: 700, TotalFeeUnits: 2_500} }

type fakeNetwork struct{}

func (fakeNetwork) Connections() (inbound, outbound int) { return 2, 8 }
func (fakeNetwork) Totals() p2p.Totals                   { return p2p.Totals{ReceivedBytes: 99, SentBytes: 44} }

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// TestDoor: the figures are those of the parts at the moment of the question,
// and the two words for machines follow the engine.
func TestDoor(t *testing.T) {
	genesis := params.RegTest().Chain.GenesisBlock.Header
	now := &clock.Mock{}
	now.Set(genesis.Timestamp.Add(90 * time.Second))
	engine := &fakeChain{tip: state.NewHeader(&genesis, nil), done: make(chan struct{})}
	syncing := true
	h := New(Options{
		Chain: engine, Pool: fakePool{}, Network: fakeNetwork{}, Version: "0.1", Clock: now,
		Syncing: func() bool { return syncing },
	})
	status, body := get(t, h, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", status, body)
	}
	for _, line := range []string{
		`granary_info{version="0.1"} 1`, "granary_chain_height_blocks 0", "granary_chain_tip_age_seconds 90",
		"granary_chain_files_bytes 12345", "granary_mempool_transactions 3", "granary_mempool_vbytes 700",
		"granary_mempool_fees_units 2500", `granary_peers{direction="inbound"} 2`, `granary_peers{direction="outbound"} 8`,
		`granary_network_bytes_total{direction="received"} 99`, `granary_network_bytes_total{direction="sent"} 44`,
		"go_goroutines ",
	} {
		if !strings.Contains(body, "\n"+line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if status, body := get(t, h, "/ready"); status != http.StatusServiceUnavailable || !strings.Contains(body, "catching up") {
		t.Errorf("/ready while it syncs: %d %s", status, body)
	}
	syncing = false
	for _, path := range []string{"/ready", "/health"} {
		if status, body := get(t, h, path); status != http.StatusOK || body != "ok\n" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	engine.err = errors.New("the disk is full")
	close(engine.done)
	for _, path := range []string{"/ready", "/health"} {
		if status, body := get(t, h, path); status != http.StatusServiceUnavailable || !strings.Contains(body, "the disk is full") {
			t.Errorf("%s of a dead engine: %d %s", path, status, body)
		}
	}
	if status, _ := get(t, h, "/"); status != http.StatusNotFound {
		t.Errorf("/: %d", status)
	}
}

// TestWithoutNetwork has no figures of peers.
func TestWithoutNetwork(t *testing.T) {
	genesis := params.RegTest().Chain.GenesisBlock.Header
	h := New(Options{Chain: &fakeChain{tip: state.NewHeader(&genesis, nil), done: make(chan struct{})}, Pool: fakePool{}})
	if _, body := get(t, h, "/metrics"); strings.Contains(body, "granary_peers") || !strings.Contains(body, "granary_chain_height_blocks 0") {
		t.Errorf("/metrics without a network:\n%s", body)
	}
}

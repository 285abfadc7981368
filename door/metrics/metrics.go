package metrics

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"granary/base/clock"
	"granary/chain"
	"granary/mempool"
	"granary/p2p"
	"granary/state"
)

// Chain is what the door asks the engine.
type Chain interface {
	Tip() *state.Header
	BestHeader() *state.Header
	SizeOnDisk() int64
	// Err is why the engine has stopped, Done is closed when it has.
	Err() error
	Done() <-chan struct{}
}

// Pool is what the door asks the mempool.
type Pool interface{ Info() mempool.Info }

// Network is what the door asks the peer-to-peer network.
type Network interface {
	Connections() (inbound, outbound int)
	Totals() p2p.Totals
}

var (
	_ Chain   = (*chain.Engine)(nil)
	_ Pool    = (*mempool.Pool)(nil)
	_ Network = (*p2p.Network)(nil)
)

// Options are what is watched.
type Options struct {
	Chain   Chain
	Pool    Pool
	Network Network // nil where the network is off
	Version string
	Clock   clock.Clock // nil: the machine's
	// Syncing, if set, reports the initial download: the node is not ready
	// then.
	Syncing func() bool
}

// New makes the handler of the three paths. It may be used by any number of
// goroutines as long as what is watched lives.
func New(o Options) http.Handler {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{o}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { say(w, o.health()) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) { say(w, o.ready()) })
	return mux
}

// say answers 200 and ok, or 503 and why not.
func say(w http.ResponseWriter, problem string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if problem == "" {
		fmt.Fprintln(w, "ok") //nolint:errcheck // the client has gone
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, problem) //nolint:errcheck // the client has gone
}

// health is what is wrong with the node, empty where nothing is.
func (o *Options) health() string {
	select {
	case <-o.Chain.Done():
		if err := o.Chain.Err(); err != nil {
			return "the chain engine has stopped: " + err.Error()
		}
		return "the chain engine has stopped"
	default:
		return ""
	}
}

// ready is why the node should not be asked yet, empty where it may be.
func (o *Options) ready() string {
	if problem := o.health(); problem != "" {
		return problem
	}
	if o.Syncing != nil && o.Syncing() {
		return fmt.Sprintf("catching up: block %d of %d", o.Chain.Tip().Height, o.Chain.BestHeader().Height)
	}
	return ""
}

// collector reads the figures when it is asked.
type collector struct{ o Options }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("granary_"+name, help, labels, nil)
}

var (
	descInfo         = desc("info", "Always 1; the label is the program's version.", "version")
	descHeight       = desc("chain_height_blocks", "Height of the active chain.")
	descHeaders      = desc("chain_headers_blocks", "Height of the best header.")
	descTipAge       = desc("chain_tip_age_seconds", "How old the time of the last block is.")
	descDisk         = desc("chain_files_bytes", "Length of the block and undo files.")
	descPoolTxs      = desc("mempool_transactions", "Transactions that wait for a block.")
	descPoolVBytes   = desc("mempool_vbytes", "Their virtual size.")
	descPoolUsage    = desc("mempool_memory_bytes", "Memory of the mempool.")
	descPoolMax      = desc("mempool_memory_limit_bytes", "Bound of that memory.")
	descPoolFees     = desc("mempool_fees_units", "Fees of what waits, in units of 0.00000001 coins.")
	descPoolMinFee   = desc("mempool_min_fee_units_per_kvb", "Least fee rate that is taken.")
	descPeers        = desc("peers", "Connected peers.", "direction")
	descNetworkBytes = desc("network_bytes_total", "Bytes over all connections.", "direction")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	tip, pool := c.o.Chain.Tip(), c.o.Pool.Info()
	gauge(descInfo, 1, c.o.Version)
	gauge(descHeight, float64(tip.Height))
	gauge(descHeaders, float64(c.o.Chain.BestHeader().Height))
	gauge(descTipAge, float64(c.o.Clock.Now().Sub(tip.Raw.Timestamp)/time.Second))
	gauge(descDisk, float64(c.o.Chain.SizeOnDisk()))
	gauge(descPoolTxs, float64(pool.Count))
	gauge(descPoolVBytes, float64(pool.VBytes))
	gauge(descPoolUsage, float64(pool.UsageBytes))
	gauge(descPoolMax, float64(pool.MaxBytes))
	gauge(descPoolFees, float64(pool.TotalFeeUnits))
	gauge(descPoolMinFee, float64(pool.MinUnitsPerKVB))
	if c.o.Network == nil {
		return
	}
	in, out := c.o.Network.Connections()
	gauge(descPeers, float64(in), "inbound")
	gauge(descPeers, float64(out), "outbound")
	totals := c.o.Network.Totals()
	for direction, bytes := range map[string]uint64{"received": totals.ReceivedBytes, "sent": totals.SentBytes} {
		ch <- prometheus.MustNewConstMetric(descNetworkBytes, prometheus.CounterValue, float64(bytes), direction)
	}
}

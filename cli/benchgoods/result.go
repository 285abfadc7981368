package benchgoods

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Times sums up durations, in milliseconds.
type Times struct {
	Median float64 `json:"median_ms"`
	Least  float64 `json:"least_ms"`
	P99    float64 `json:"p99_ms"` // the longest of less than a hundred
}

func timesOf(all []time.Duration) (t Times) {
	if len(all) == 0 {
		return t
	}
	sorted := slices.Sorted(slices.Values(all))
	ms := func(i int) float64 { return float64(sorted[i].Microseconds()) / 1000 }
	return Times{Median: ms((len(sorted) - 1) / 2), Least: ms(0), P99: ms((len(sorted)*99 - 1) / 100)}
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// Stage is what was measured at one size of the chain.
type Stage struct {
	Receipts int   `json:"receipts"`
	Claims   int   `json:"claims"`
	Height   int32 `json:"height"`

	// CoreBlocks are blocks of the mix given to the engine alone, NodeBlocks
	// to a whole node, Rules judged by the rules without scripts and disk.
	CoreBlocks Times `json:"block_engine"`
	Processor  Times `json:"block_engine_processor"` // of both threads, decoding and compactions included
	NodeBlocks Times `json:"block_node"`
	Rules      Times `json:"block_rules"`

	OpenCore     float64 `json:"open_engine_s"`
	OpenNode     float64 `json:"open_node_s"`
	BuildHistory float64 `json:"build_history_s"` // the node's first start

	Reserve    Times `json:"getreserve"`
	Proof      Times `json:"getgoodsproof"`
	FirstProof Times `json:"getgoodsproof_first_of_block"`
	ProofBytes int   `json:"proof_bytes"` // the longest seen

	StateBytes   int64 `json:"state_disk_bytes"`
	BlockBytes   int64 `json:"blocks_disk_bytes"`
	HistoryBytes int64 `json:"history_disk_bytes"`
	PeakBytes    int64 `json:"peak_memory_bytes"` // while measuring; 0 where unknown

	coreBlocks, processor, nodeBlocks, rules, reserves, proofs, firstProofs []time.Duration
}

// Result is what was measured.
type Result struct {
	RecordsPerBlock int   `json:"records_per_block"`
	Blocks          int   `json:"blocks_measured"`
	Calls           int   `json:"calls_measured"`
	Processors      int   `json:"processors"`
	Custodians      int   `json:"custodians"`
	CharterBytes    int   `json:"charter_bytes"` // which every proof holds
	Small           Stage `json:"small"`
	Full            Stage `json:"full"`
	// Ratios of the medians, full over small.
	EngineRatio    float64 `json:"block_engine_ratio"`
	ProcessorRatio float64 `json:"block_engine_processor_ratio"`
	NodeRatio      float64 `json:"block_node_ratio"`
	RulesRatio     float64 `json:"block_rules_ratio"`
}

// sum fills the sums in.
func (s *Stage) sum() {
	s.CoreBlocks, s.NodeBlocks, s.Rules = timesOf(s.coreBlocks), timesOf(s.nodeBlocks), timesOf(s.rules)
	s.Processor = timesOf(s.processor)
	s.Reserve, s.Proof, s.FirstProof = timesOf(s.reserves), timesOf(s.proofs), timesOf(s.firstProofs)
}

func (r *Result) ratios() {
	of := func(full, small Times) float64 {
		if small.Median == 0 {
			return 0
		}
		return float64(int(100*full.Median/small.Median+0.5)) / 100
	}
	r.EngineRatio = of(r.Full.CoreBlocks, r.Small.CoreBlocks)
	r.ProcessorRatio = of(r.Full.Processor, r.Small.Processor)
	r.NodeRatio = of(r.Full.NodeBlocks, r.Small.NodeBlocks)
	r.RulesRatio = of(r.Full.Rules, r.Small.Rules)
}

// sizes looks at the disk and the memory.
func (b *bench) sizes(s *Stage) (err error) {
	s.sum()
	s.PeakBytes = peakMemory()
	for path, into := range map[string]*int64{"state": &s.StateBytes, "blocks": &s.BlockBytes, "indexes": &s.HistoryBytes} {
		size, failed := diskBytes(filepath.Join(b.config.NetDir, path))
		*into, err = size, errors.Join(err, failed)
	}
	return err
}

// diskBytes is the length of all files below dir.
func diskBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		total += info.Size()
		return err
	})
	return total, err
}

// processorTime is that of this process.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// resetPeakMemory lets the peak begin anew, where the system can (Linux).
func resetPeakMemory() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) //nolint:errcheck // the peak is then that of the whole run
}

// peakMemory is the highest resident memory of this process.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// Print writes the table.
func (r *Result) Print(w io.Writer) error {
	var b strings.Builder
	line := func(what, small, full, more string) {
		fmt.Fprintf(&b, "%-52s %14s %14s  %s\n", what, small, full, more)
	}
	blocks := func(what string, t func(*Stage) Times, ratio float64) {
		line(what, msOf(t(&r.Small)), msOf(t(&r.Full)), fmt.Sprintf("%.2f times", ratio))
		line("    the fastest of them", leastOf(t(&r.Small)), leastOf(t(&r.Full)), "")
	}
	each := func(what string, of func(*Stage) string) { line(what, of(&r.Small), of(&r.Full), "") }
	each("receipts", func(s *Stage) string { return strconv.Itoa(s.Receipts) })
	each("open claims", func(s *Stage) string { return strconv.Itoa(s.Claims) })
	blocks(fmt.Sprintf("block of %d records, engine", r.RecordsPerBlock), func(s *Stage) Times { return s.CoreBlocks }, r.EngineRatio)
	blocks("the same, processor time", func(s *Stage) Times { return s.Processor }, r.ProcessorRatio)
	blocks("the same, whole node with its history", func(s *Stage) Times { return s.NodeBlocks }, r.NodeRatio)
	blocks("the same, rules alone, without scripts and disk", func(s *Stage) Times { return s.Rules }, r.RulesRatio)
	each("opening the engine", func(s *Stage) string { return fmt.Sprintf("%.2f s", s.OpenCore) })
	each("opening a whole node", func(s *Stage) string { return fmt.Sprintf("%.2f s", s.OpenNode) })
	each("building the history of the goods, first start", func(s *Stage) string { return fmt.Sprintf("%.2f s", s.BuildHistory) })
	each("getreserve, median", func(s *Stage) string { return msOf(s.Reserve) })
	each("getreserve, 99 % are below", func(s *Stage) string { return fmt.Sprintf("%.1f ms", s.Reserve.P99) })
	each("getgoodsproof of a receipt, median", func(s *Stage) string { return msOf(s.Proof) })
	each("getgoodsproof, 99 % are below", func(s *Stage) string { return fmt.Sprintf("%.1f ms", s.Proof.P99) })
	each("getgoodsproof, the first after a block", func(s *Stage) string { return msOf(s.FirstProof) })
	each("the longest proof", func(s *Stage) string { return fmt.Sprintf("%d bytes", s.ProofBytes) })
	each(fmt.Sprintf("of it the charter, with its %d custodians", r.Custodians), func(*Stage) string { return fmt.Sprintf("%d bytes", r.CharterBytes) })
	each("state on disk", func(s *Stage) string { return mibOf(s.StateBytes) })
	each("blocks on disk", func(s *Stage) string { return mibOf(s.BlockBytes) })
	each("history on disk", func(s *Stage) string { return mibOf(s.HistoryBytes) })
	each("peak memory while measuring", func(s *Stage) string { return mibOf(s.PeakBytes) })
	_, err := io.WriteString(w, b.String())
	return err
}

func msOf(t Times) string { return fmt.Sprintf("%.1f ms", t.Median) }

func leastOf(t Times) string { return fmt.Sprintf("%.1f ms", t.Least) }

func mibOf(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

package chain

import (
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// BenchmarkImport imports the regtest block file named by GRANARY_BENCH_FILE,
// as `granary bench chain` writes them.
func BenchmarkImport(b *testing.B) {
	path := os.Getenv("GRANARY_BENCH_FILE")
	if path == "" {
		b.Skip("GRANARY_BENCH_FILE names no block file: write one with granary bench chain")
	}
	for b.Loop() {
		b.StopTimer()
		w := bareWorld(b, vfs.Default, b.TempDir())
		w.clock.Set(w.clock.Now().AddDate(20, 0, 0))
		w.open()
		b.StartTimer()
		var last Progress
		if _, err := w.engine.Import(b.Context(), []string{path}, func(p Progress) { last = p }); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		b.ReportMetric(last.BlocksPerSecond(), "blocks/s")
		b.ReportMetric(last.SignaturesPerSecond(), "signatures/s")
		w.close()
		b.StartTimer()
	}
}

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"granary/cli/benchgoods"
	"granary/params"
)

type benchGoodsFlags struct {
	options benchgoods.Options
	json    bool
}

func newBenchGoods(io *streams) *cobra.Command {
	flags := &benchGoodsFlags{}
	cmd := &cobra.Command{
		Use:   "goods",
		Short: "Measure a node with many receipts and open claims",
		Long: "Makes a chain with a charter on regtest through the real engine, first small (1,000\n" +
			"receipts, 600 claims), then full, and measures at both sizes: the connection of blocks\n" +
			"of 500 goods records of mixed kinds, in the engine alone and in a whole node; the\n" +
			"opening of the node; getreserve and getgoodsproof over JSON-RPC; disk and memory. A\n" +
			"million receipts take some minutes and 4 GiB of disk. --datadir keeps the chain.",
		Example: "  granary bench goods\n  granary bench goods --receipts 10000 --claims 2000 --json",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return benchGoods(ctx, io, flags)
		},
	}
	o := &flags.options
	cmd.Flags().IntVar(&o.Receipts, "receipts", 1_000_000, "Open receipts of the full chain")
	cmd.Flags().IntVar(&o.Claims, "claims", 60_000, "Open claims of the full chain")
	cmd.Flags().StringVar(&o.Dir, "datadir", "", "Empty or new folder for the chain, which is kept; without it a temporary one")
	cmd.Flags().IntVar(&o.Blocks, "blocks", 15, "Blocks that are measured of each kind")
	cmd.Flags().IntVar(&o.Calls, "calls", 500, "Calls that are measured of each method")
	cmd.Flags().IntVar(&o.DBCacheMiB, "dbcache", params.DefaultDBCacheMiB, "Memory for the coin cache and the database, in MiB")
	cmd.Flags().StringVar(&o.ProfileDir, "profile", "", "Folder for processor profiles of what is measured, for go tool pprof")
	cmd.Flags().BoolVar(&flags.json, "json", false, "Print JSON")
	return cmd
}

func benchGoods(ctx context.Context, io *streams, flags *benchGoodsFlags) (err error) {
	o := flags.options
	if err := o.Check(); err != nil {
		return &usageError{err}
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "granary-bench-"); err != nil {
			return fmt.Errorf("cannot make a folder for the bench: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	} else if err := emptyFolder(o.Dir); err != nil {
		return err
	}
	said := &steps{out: io.err}
	o.Version, o.Progress = version, said.tell
	result, err := benchgoods.Run(ctx, o)
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	if !flags.json {
		return result.Print(io.out)
	}
	encoder := json.NewEncoder(io.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

// emptyFolder makes dir where it is missing, and refuses one that holds
// anything.
func emptyFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make a folder for the bench: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read the folder of the bench: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: the bench needs a folder of its own", filepath.Clean(dir))
	}
	return nil
}

// steps prints what is being done: a line for each new step, and one now and
// then while it goes on.
type steps struct {
	out io.Writer

	mu    sync.Mutex
	doing string
	since time.Time
}

func (s *steps) tell(doing string, done, of int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if doing == s.doing && time.Since(s.since) < lineEvery && done < of {
		return
	}
	s.doing, s.since = doing, time.Now()
	if of == 0 {
		fmt.Fprintf(s.out, "%s\n", doing)
		return
	}
	fmt.Fprintf(s.out, "%s: %d of %d\n", doing, done, of)
}

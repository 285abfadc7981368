package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"granary/cli/benchchain"
)

func newBenchChain(io *streams) *cobra.Command {
	var options benchchain.Options
	var out string
	cmd := &cobra.Command{
		Use:   "chain --out FILE",
		Short: "Write a regtest chain full of real signatures",
		Long: "Writes a block file (magic, length, block) of a regtest chain: coinbases that mature, a\n" +
			"pool of coins, and full blocks of two-input transactions over P2WPKH, P2PKH, P2TR and\n" +
			"P2WSH 2-of-3 coins. The same seed and shape give the same bytes; any Bitcoin node\n" +
			"takes the file (granary import, btcd's addblock, bitcoind -loadblock).",
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return &usageError{fmt.Errorf("say where to write: --out FILE")}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return benchChain(ctx, io, options, out)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&options.FullBlocks, "blocks", 200, "Full blocks")
	flags.IntVar(&options.TxsPerBlock, "txs", 1500, "Two-input transactions in each full block")
	flags.IntVar(&options.Coins, "coins", 0, "Coins in the pool before the first full block (default 100000, or two per transaction of a block)")
	flags.Uint64Var(&options.Seed, "seed", 1, "Seed of keys and choices")
	flags.StringVar(&out, "out", "", "File to write")
	return cmd
}

func benchChain(ctx context.Context, io *streams, options benchchain.Options, out string) error {
	file, err := os.Create(out)
	if err != nil {
		return fmt.Errorf("cannot write the chain: %w", err)
	}
	start, said := time.Now(), time.Now()
	options.Progress = func(height, of int) {
		if time.Since(said) > 2*time.Second {
			said = time.Now()
			fmt.Fprintf(io.err, "block %d of %d\n", height, of)
		}
	}
	result, err := benchchain.Generate(ctx, file, options)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(out) // half a chain is of no use
		return fmt.Errorf("cannot write the chain: %w", err)
	}
	fmt.Fprintf(io.err, "wrote %d blocks, %d transactions, %d signatures, %d bytes in %.1f s\n",
		result.Blocks, result.Transactions, result.Signatures, result.Bytes, time.Since(start).Seconds())
	_, err = fmt.Fprintf(io.out, "tip %d %s\n", result.Blocks, result.Tip)
	return err
}

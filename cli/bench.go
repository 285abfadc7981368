package cli

import "github.com/spf13/cobra"

func newBench(io *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast a chain is imported, and a node with many receipts",
		Args:  arguments(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBenchChain(io), newBenchImport(io), newBenchGoods(io))
	return cmd
}

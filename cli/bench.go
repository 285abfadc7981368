package cli

import "github.com/spf13/cobra"

func newBench(io *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure imports, synchronisation, and a node with many receipts",
		Args:  arguments(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBenchChain(io), newBenchImport(io), newBenchSync(io), newBenchGoods(io))
	return cmd
}

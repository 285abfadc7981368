package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"granary/config"
)

func newConfig(io *streams) *cobra.Command {
	return &cobra.Command{
		Use:     "config",
		Short:   "Print a configuration file with every option, commented out",
		Args:    arguments(cobra.NoArgs),
		Example: "  granary config > ~/.granary/granary.conf",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(io.out, config.Sample())
			return err
		},
	}
}

// load reads the configuration for a command whose flags have the table's.
func (io *streams) load(cmd *cobra.Command) (*config.Config, error) {
	return config.Load(cmd.Flags(), io.environ)
}

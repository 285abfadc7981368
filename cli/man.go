package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan(io *streams) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man pages into a folder",
		Args:    arguments(cobra.ExactArgs(1)),
		Example: "  granary man /usr/local/share/man/man1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // for everybody to read
				return fmt.Errorf("cannot make the folder: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			// A fixed date keeps the pages the same from build to build.
			date := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
			header := &doc.GenManHeader{Section: "1", Source: "granary " + version, Manual: "Granary", Date: &date}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("cannot write the man pages: %w", err)
			}
			_, err := fmt.Fprintf(io.err, "man pages written to %s\n", args[0])
			return err
		},
	}
}

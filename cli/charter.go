package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"granary/params"
	"granary/rules/goods"
)

func newCharter(io *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "charter",
		Short: "Write, check and read charters",
		Long: "A charter is the constitution of one chain: a TOML file. Its canonical bytes hash to\n" +
			"the charter id, which stands in the treasury script of every block.",
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "new", Short: "Print a charter to start from", Args: arguments(cobra.NoArgs),
			Example: "  granary charter new > charter.toml",
			RunE: func(*cobra.Command, []string) error {
				_, err := io.out.Write(params.TemplateCharter())
				return err
			},
		},
		&cobra.Command{
			Use: "check FILE", Short: "Say everything that is wrong with a charter", Args: arguments(cobra.ExactArgs(1)),
			RunE: func(_ *cobra.Command, args []string) error { return checkCharter(io, args[0]) },
		},
		&cobra.Command{
			Use: "id FILE", Short: "Print the charter id", Args: arguments(cobra.ExactArgs(1)),
			RunE: func(_ *cobra.Command, args []string) error {
				charter, err := readCharter(io, args[0])
				if err == nil {
					_, err = fmt.Fprintln(io.out, charter.ID())
				}
				return err
			},
		},
		&cobra.Command{
			Use: "show FILE", Short: "Print what a charter means: id, treasury script, network, canonical bytes", Args: arguments(cobra.ExactArgs(1)),
			RunE: func(_ *cobra.Command, args []string) error { return showCharter(io, args[0]) },
		},
	)
	return cmd
}

// readCharter reads FILE, or standard input for "-".
func readCharter(streams *streams, path string) (*params.Charter, error) {
	var text []byte
	var err error
	if path == "-" {
		text, err = io.ReadAll(io.LimitReader(streams.in, params.MaxCharterBytes+1))
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the charter: %w", err)
	}
	charter, err := params.ParseCharter(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return charter, nil
}

// checkCharter prints every problem on a line of its own, warnings too.
func checkCharter(io *streams, path string) error {
	charter, err := readCharter(io, path)
	var problems *params.CharterError
	if errors.As(err, &problems) {
		for _, problem := range problems.Problems {
			fmt.Fprintf(io.err, "%s: %s\n", path, problem)
		}
		return &exitError{code: exitFailed}
	}
	if err != nil {
		return err
	}
	for _, warning := range charter.Warnings() {
		fmt.Fprintf(io.err, "%s: warning: %s\n", path, warning)
	}
	_, err = fmt.Fprintf(io.out, "ok %s\n", charter.ID())
	return err
}

func showCharter(io *streams, path string) error {
	charter, err := readCharter(io, path)
	if err != nil {
		return err
	}
	net, err := charter.Network()
	if err != nil {
		return err
	}
	canonical := charter.Canonical()
	fmt.Fprintf(io.out, "name            %s\n", charter.Name)
	fmt.Fprintf(io.out, "id              %s\n", charter.ID())
	fmt.Fprintf(io.out, "treasury script %x\n", goods.TreasuryScript(charter.ID()))
	fmt.Fprintf(io.out, "ticker          %s, %d decimals\n", charter.Ticker, charter.Decimals)
	fmt.Fprintf(io.out, "network         %s, genesis %s\n", net.Name, net.GenesisHash())
	if net.SignetChallenge != nil {
		fmt.Fprintf(io.out, "challenge       %x\n", net.SignetChallenge)
	}
	fmt.Fprintf(io.out, "seats           %d: %d custodians, %d auditors, council\n", charter.SeatCount(), len(charter.Custodians), len(charter.Auditors))
	for i := range charter.Goods {
		good := &charter.Goods[i]
		fmt.Fprintf(io.out, "good            %s (%s), %d units for %d %s\n", good.Code, good.Name, good.ParNum, good.ParDen, good.Measure)
	}
	_, err = fmt.Fprintf(io.out, "canonical       %d bytes\n%s\n", len(canonical), hex.EncodeToString(canonical))
	return err
}

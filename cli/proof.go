package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"granary/config"
)

func newProof(io *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "proof",
		Short: "Prove receipts and the reserve to someone who has no node",
		Long: "Every block commits to the goods state. A proof shows what one receipt's state is, or the\n" +
			"whole state, from the block's header alone. Making one asks a running node; checking one\n" +
			"needs this program and the file, and for its place in the chain a file of headers, which\n" +
			"holds the charter too.",
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newProofMake(io), newProofHeaders(io), newProofVerify(io))
	return cmd
}

type makeFlags struct {
	rpcFlags
	all, reserve bool
	claims       []int64
	depth        int
	receipt      *int64
}

func newProofMake(io *streams) *cobra.Command {
	flags := &makeFlags{}
	cmd := &cobra.Command{
		Use:   "make RECEIPT|--all > FILE",
		Short: "Write the proof of a receipt, or a whole audit",
		Long: "Asks a running node for a proof and writes it to standard output: with a number, what the\n" +
			"chain says of that receipt, in a few thousand bytes; with --all, every key of the goods\n" +
			"state, from which everything can be counted again; with --reserve, the sums alone. What\n" +
			"the node sends is checked on the way.",
		Example: "  granary proof make 17 > receipt-17.proof\n  granary proof make 17 --claim 3 --depth 6 > claim.proof\n  granary proof make --all > audit.proof",
		Args:    arguments(func(_ *cobra.Command, args []string) error { return flags.read(args) }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withNode(cmd, io, &flags.rpcFlags, func(n *nodeCalls) error { return makeProof(n, flags) })
		},
	}
	cmd.Flags().BoolVar(&flags.all, "all", false, "Write a whole audit")
	cmd.Flags().BoolVar(&flags.reserve, "reserve", false, "Prove the sums of the reserve alone")
	cmd.Flags().Int64SliceVar(&flags.claims, "claim", nil, "Prove this claim on the receipt too; may be repeated")
	cmd.Flags().IntVar(&flags.depth, "depth", 1, "Confirmations of the block that the proof is made at, 1 to 145")
	addNodeFlags(cmd, &flags.rpcFlags)
	return cmd
}

// read judges the words and switches.
func (f *makeFlags) read(args []string) error {
	ways := len(args)
	for _, given := range []bool{f.all, f.reserve} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return errors.New("give the number of one receipt, or --all, or --reserve")
	case f.depth < 1 || f.depth > 145:
		return fmt.Errorf("--depth %d is not from 1 to 145", f.depth)
	case len(args) == 0 && len(f.claims) > 0:
		return errors.New("--claim goes with the number of its receipt")
	case len(args) == 0:
		return nil
	}
	number, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || number < 0 {
		return fmt.Errorf("%q is not the number of a receipt: it is a number from 0 on", args[0])
	}
	f.receipt = &number
	return nil
}

func newProofHeaders(io *streams) *cobra.Command {
	flags := &rpcFlags{}
	cmd := &cobra.Command{
		Use:   "headers > FILE",
		Short: "Write the charter and the headers of the active chain",
		Long: "Asks a running node for its charter and the headers of its chain, from block 1 to the tip,\n" +
			"80 bytes each, and writes them to standard output. Proofs are checked against them offline.",
		Example: "  granary proof headers > chain.headers",
		Args:    arguments(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withNode(cmd, io, flags, makeHeaders)
		},
	}
	addNodeFlags(cmd, flags)
	return cmd
}

type verifyFlags struct {
	headers, charter string
	depth            int
	json             bool
}

func newProofVerify(io *streams) *cobra.Command {
	flags := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a proof offline and say what it proves",
		Long: "Checks a proof or a whole audit and prints every figure with who stands for it. No node\n" +
			"is asked. With --headers the proof's block must lie in that chain of headers, whose work\n" +
			"is checked from the charter's genesis on; without it the proof is NOT ANCHORED: it holds\n" +
			"if its block is in your chain, which you must compare yourself. A header file holds the\n" +
			"charter; without one --charter gives it. Without either only what the charter does not\n" +
			"tell can be checked: seal and limit of work are not, and names are missing. Charter and\n" +
			"headers are what you trust: take them from your own node. FILE may be - for standard\n" +
			"input. The exit code is 0 when everything asked for is right.",
		Example: "  granary proof verify receipt-17.proof --headers chain.headers\n  granary proof verify receipt-17.proof --charter charter.toml\n  granary proof verify audit.proof --headers chain.headers --depth 6 --json",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if flags.depth > 0 && flags.headers == "" {
				return &usageError{errors.New("--depth needs --headers: without a chain there is no depth")}
			}
			if flags.charter == "-" {
				return &usageError{errors.New("--charter names a file: standard input may be the proof")}
			}
			return verifyProof(io, args[0], flags)
		},
	}
	cmd.Flags().StringVar(&flags.headers, "headers", "", "A file of granary proof headers that the block must lie in")
	cmd.Flags().StringVar(&flags.charter, "charter", "", "A charter (TOML) that the proof must be of")
	cmd.Flags().IntVar(&flags.depth, "depth", 0, "Confirmations that the block must have")
	cmd.Flags().BoolVar(&flags.json, "json", false, "Print JSON")
	return cmd
}

// addNodeFlags adds what says where the node is.
func addNodeFlags(cmd *cobra.Command, flags *rpcFlags) {
	cmd.Flags().StringVar(&flags.connect, "rpcconnect", "127.0.0.1", "Host of the node, with an optional :PORT")
	cmd.Flags().IntVar(&flags.timeout, "rpcclienttimeout", 900, "Seconds to wait for an answer; 0 waits for ever")
	config.AddFlags(cmd.Flags())
}

// binaryOut refuses to write a file's bytes to a person.
func binaryOut(out io.Writer) error {
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return &usageError{errors.New("this writes a binary file: send it to one with > FILE")}
	}
	return nil
}

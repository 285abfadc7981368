package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"granary/base/desc"
	"granary/config"
	"granary/node"
	"granary/node/demo"
)

type upFlags struct {
	interval time.Duration
	open     bool
	mineTo   string
	live     bool
}

func newUp(io *streams) *cobra.Command {
	flags := &upFlags{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a chain with a charter, mine it and open its page",
		Long: "Starts a chain of your own in one step. Without --charter it is a demo on regtest: a\n" +
			"charter with three goods, two custodians, three auditors and a council, whose keys come\n" +
			"from one random seed in a file that only you can read. The first 101 blocks are mined\n" +
			"at once, then one a minute; each halving of the subsidy (150 blocks) lengthens the pause\n" +
			"by a minute more, so that the 15,000 coins of regtest last for days. People live on it:\n" +
			"goods come in, coins are paid and redeemed, auditors recount, a custodian fails now and\n" +
			"then. Ctrl-C stops; a second start goes on where it stopped.",
		Example: "  granary up\n  granary up --datadir /tmp/demo --interval 10s\n  granary up --charter charter.toml --mineto ADDRESS",
		Args:    arguments(noWords),
		RunE:    func(cmd *cobra.Command, _ []string) error { return up(cmd, io, flags) },
	}
	cmd.Flags().DurationVar(&flags.interval, "interval", demo.DefaultInterval, "Pause between blocks before the first halving")
	cmd.Flags().BoolVar(&flags.open, "open", true, "Open the page in a browser")
	cmd.Flags().BoolVar(&flags.live, "live", true, "Let the demo's people live: goods, coins, claims, recounts")
	cmd.Flags().StringVar(&flags.mineTo, "mineto", "", "Address that earns the fees (default on regtest: the demo's own)")
	config.AddFlags(cmd.Flags())
	return cmd
}

func up(cmd *cobra.Command, io *streams, flags *upFlags) error {
	if flags.interval <= 0 {
		return &usageError{errors.New("--interval must be longer than nothing, such as 30s")}
	}
	c, err := config.LoadWith(cmd.Flags(), io.environ, func(s *config.Settings) error {
		if s.CharterFile != "" {
			return nil
		}
		for _, name := range s.Networks() {
			if name != "regtest" {
				return fmt.Errorf("the demo runs on regtest only, since its keys lie in a plain file: drop --network %s, or bring a charter of your own (--charter FILE)", name)
			}
		}
		s.SetNetwork("regtest")
		return nil
	})
	if err != nil {
		return err
	}
	work := &demo.Work{Interval: flags.interval}
	if flags.mineTo != "" {
		if work.MinerScript, err = desc.AddressScript(flags.mineTo, c.Net.Chain); err != nil {
			return err
		}
	} else if c.Net.Name != "regtest" {
		return fmt.Errorf("say who earns the fees on %s: --mineto ADDRESS", c.Net.Name)
	}
	return node.Run(cmd.Context(), c, node.Options{
		Version: version, Console: io.err,
		BlockEvery: func(height int32) time.Duration {
			return demo.Every(flags.interval, height, c.Net.SubsidyHalvingInterval)
		},
		Prepare: func(c *config.Config) error { return prepareUp(c, flags, work) },
		Work: func(ctx context.Context, n *node.Node) error {
			greet(io, n, flags)
			return work.Run(ctx, demo.Parts{Net: c.Net, Chain: n.Chain, Pool: n.Pool, Miner: n.Miner, Log: n.Log})
		},
	})
}

// prepareUp fills in charter and keys once the directory is ours.
func prepareUp(c *config.Config, flags *upFlags, work *demo.Work) error {
	isDemo := c.Charter == nil
	if !isDemo && work.MinerScript != nil {
		return nil
	}
	keys, err := demo.OpenKeys(c.NetDir)
	if err != nil {
		return err
	}
	if work.MinerScript == nil {
		work.MinerScript = keys.MinerScript()
	}
	if !isDemo {
		return nil
	}
	if c.Charter, c.CharterFile, err = demo.OpenCharter(c.NetDir, keys); err != nil {
		return err
	}
	if flags.live {
		work.Keys, work.Charter = keys, c.Charter
	}
	return nil
}

// greet prints where the page is and opens it.
func greet(io *streams, n *node.Node, flags *upFlags) {
	if n.PageURL == "" {
		return
	}
	fmt.Fprintln(io.out, n.PageURL)
	if !flags.open || os.Getenv("DISPLAY")+os.Getenv("WAYLAND_DISPLAY") == "" {
		return
	}
	opener, err := exec.LookPath("xdg-open")
	if err != nil {
		return
	}
	browser := exec.Command(opener, n.PageURL)
	if err := browser.Start(); err != nil {
		n.Log.Debug("no browser was opened", "err", err)
		return
	}
	go func() { _ = browser.Wait() }() // its fate is not ours
}

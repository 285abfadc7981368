package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"granary/base/rpcclient"
	"granary/config"
	"granary/door/rpc"
)

// rpcFlagNames are the flags of `granary rpc` beside the table's, and whether
// each takes a value.
var rpcFlagNames = map[string]bool{
	"named": false, "stdin": false, "rpcwait": false,
	"rpcconnect": true, "rpcwaittimeout": true, "rpcclienttimeout": true,
}

type rpcFlags struct {
	named, stdin, wait   bool
	connect              string
	timeout, waitTimeout int
}

func newRPC(io *streams) *cobra.Command {
	flags := &rpcFlags{}
	cmd := &cobra.Command{
		Use:   "rpc [FLAGS] METHOD [ARGUMENT]...",
		Short: "Call a running node, as bitcoin-cli does",
		Long: "Calls a method of a node's JSON-RPC door. Arguments are converted by the method's\n" +
			"table: granary rpc help lists the methods, granary rpc help METHOD explains one.\n" +
			"Strings are printed raw, everything else as JSON. The exit code is bitcoin-cli's: the\n" +
			"absolute value of the node's error code, 1 where there was no answer.",
		Example: "  granary rpc --regtest getblockcount\n  granary rpc --regtest -named getblock blockhash=HASH verbosity=2",
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := io.load(cmd)
			if err != nil {
				return err
			}
			return callRPC(cmd.Context(), io, c, flags, args)
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&flags.named, "named", false, "Arguments are name=value")
	cmd.Flags().BoolVar(&flags.stdin, "stdin", false, "Read more arguments from standard input, one a line")
	cmd.Flags().StringVar(&flags.connect, "rpcconnect", "127.0.0.1", "Host of the node, with an optional :PORT")
	cmd.Flags().IntVar(&flags.timeout, "rpcclienttimeout", 900, "Seconds to wait for an answer; 0 waits for ever")
	cmd.Flags().BoolVar(&flags.wait, "rpcwait", false, "Wait for a node that is not up yet")
	cmd.Flags().IntVar(&flags.waitTimeout, "rpcwaittimeout", 0, "Seconds that rpcwait waits; 0 waits for ever")
	config.AddFlags(cmd.Flags())
	return cmd
}

// rpcClient makes a client for the node that the configuration describes.
func rpcClient(c *config.Config, flags *rpcFlags) (*rpcclient.Client, error) {
	address := flags.connect
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), strconv.Itoa(c.RPCPort))
	}
	options := rpcclient.Options{
		URL: "http://" + address, User: c.RPCUser, Password: c.RPCPassword, CookiePath: c.RPCCookieFile,
		Timeout: time.Duration(flags.timeout) * time.Second,
	}
	if flags.timeout == 0 {
		options.Timeout = -1
	}
	if flags.wait {
		options.WarmupWait = time.Duration(flags.waitTimeout) * time.Second
		if flags.waitTimeout == 0 {
			options.WarmupWait = 1 << 62
		}
	}
	return rpcclient.New(options)
}

func callRPC(ctx context.Context, io *streams, c *config.Config, flags *rpcFlags, args []string) error {
	method, words := args[0], args[1:]
	if flags.stdin {
		scanner := bufio.NewScanner(io.in)
		scanner.Buffer(nil, 64<<20)
		for scanner.Scan() {
			words = append(words, scanner.Text())
		}
		if err := scanner.Err(); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	convert := rpc.ConvertArgs
	if flags.named {
		convert = rpc.ConvertNamedArgs
	}
	params, err := convert(method, words)
	if err != nil {
		return err
	}
	client, err := rpcClient(c, flags)
	if err != nil {
		return err
	}
	defer client.Close()
	var result json.RawMessage
	if err := client.Call(ctx, method, params, &result); err != nil {
		return rpcFailure(err)
	}
	text, err := resultText(result)
	if err != nil || text == "" {
		return err
	}
	_, err = fmt.Fprintln(io.out, text)
	return err
}

// rpcFailure gives an error of the node the form and exit code that
// bitcoin-cli gives it.
func rpcFailure(err error) error {
	var answer *rpcclient.Error
	if !errors.As(err, &answer) {
		return err
	}
	code := answer.Code
	if code < 0 {
		code = -code
	}
	return &exitError{code & 0xff, fmt.Sprintf("error code: %d\nerror message:\n%s", answer.Code, answer.Message)}
}

// resultText prints strings raw, null as nothing, and the rest as JSON.
func resultText(result json.RawMessage) (string, error) {
	result = bytes.TrimSpace(result)
	if len(result) == 0 || string(result) == "null" {
		return "", nil
	}
	if result[0] == '"' {
		var text string
		err := json.Unmarshal(result, &text)
		return text, err
	}
	var pretty bytes.Buffer
	err := json.Indent(&pretty, result, "", "  ")
	return pretty.String(), err
}

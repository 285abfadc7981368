// Package cli is the command line: one file per subcommand, each of which
// parses, calls and prints. The work is done in the packages below.
//
// What a person sees of a failure is one line on standard error that says what
// happened and what to do. Exit codes: 0 done; 1 it failed; 2 the command line
// was not understood; `granary rpc` has bitcoin-cli's own.
package cli

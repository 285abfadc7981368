// Command granary is a goods-backed Bitcoin node: one binary for the node, its
// demo, its tools and its client.
package main

import (
	"os"

	"granary/cli"
)

func main() { os.Exit(cli.Main()) }

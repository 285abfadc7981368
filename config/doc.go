// Package config turns a configuration file, the environment and command line
// flags into the Options of every package below it. It is the only package
// that knows flags: services take plain structs.
//
// The conventions are Bitcoin Core's: a data directory (~/.granary) with
// granary.conf in it, key=value lines, one section per network, and a folder
// per network below the data directory. A later source overrides an earlier
// one: defaults, the top of the file, the file's section of the network, the
// environment (GRANARY_RPCPORT=...), flags. Options that may be given several
// times add up over the sources, as in Core.
//
// Every option stands once in the table of table.go; the flags, the file
// keys, the environment and the sample configuration all come from it.
package config

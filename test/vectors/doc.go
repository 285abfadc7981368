// Package vectors finds public test vectors: those beside the repository
// (../shared/vectors) and those that come inside Go modules of the module
// cache. Its tests run the script, transaction and signature vectors of
// Bitcoin through the real packages.
//
// It stands beside the river: only tests import it.
package vectors

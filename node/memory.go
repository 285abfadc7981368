package node

import (
	"os"
	"runtime/debug"

	"granary/config"
)

// runtimeBytes is what a node may use beside its caches: blocks in flight,
// the header tree, the Go runtime and its garbage.
const runtimeBytes = 200 << 20

// boundMemory tells the garbage collector where to work harder, so that
// garbage does not double what the caches hold. cachesBytes are those beside
// --dbcache. A person's GOMEMLIMIT wins.
func boundMemory(c *config.Config, cachesBytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(c.DBCacheMiB)<<20 + cachesBytes + runtimeBytes)
	}
}

package config

import (
	"net"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"granary/chain"
	"granary/door/rpc"
	"granary/index/filter"
	"granary/index/goods"
	"granary/index/tx"
	"granary/mempool"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/store"
)

// Memory that has no option of its own.
const (
	scriptCacheBytes = 32 << 20
	indexCacheBytes  = 16 << 20
)

// The functions below fill the Options of the packages with what a person
// chose; node adds the services, clocks and logs.

// Rules are the rules of the chain.
func (c *Config) Rules() block.Rules { return block.Rules{Net: c.Net, Charter: c.Charter} }

// CharterID is the id of the charter, zero where there is none.
func (c *Config) CharterID() params.CharterID {
	if c.Charter == nil {
		return params.CharterID{}
	}
	return c.Charter.ID()
}

// Store gives the store's Options.
func (c *Config) Store() store.Options {
	return store.Options{
		Dir: c.NetDir, Net: c.Net, CharterID: c.CharterID(),
		CacheBytes: int64(c.DBCacheMiB) << 20, Reindex: c.Reindex, CoreNames: c.LikeCore,
	}
}

// Script gives the script checker's Options.
func (c *Config) Script() script.Options {
	return script.Options{Workers: c.Workers(), CacheBytes: scriptCacheBytes}
}

// Chain gives the engine's Options.
func (c *Config) Chain() chain.Options {
	return chain.Options{Rules: c.Rules(), PruneTargetBytes: c.PruneTargetBytes()}
}

// Mempool gives the mempool's Options.
func (c *Config) Mempool() mempool.Options {
	settings := c.Policy
	if !c.DataCarrier {
		settings.DataCarrierBytes = 0
	}
	return mempool.Options{
		Rules: c.Rules(), MaxBytes: int64(c.MaxMempoolMB) * 1_000_000, Standard: !c.AcceptNonStd, Policy: &settings,
		Expiry: time.Duration(c.MempoolExpiryHours) * time.Hour, OptInReplacement: !c.FullReplacement,
	}
}

// TxIndexOptions gives the transaction index's Options.
func (c *Config) TxIndexOptions() tx.Options {
	return tx.Options{
		Dir: filepath.Join(c.NetDir, "indexes", "txindex"), Net: c.Net, CharterID: c.CharterID(), CacheBytes: indexCacheBytes,
	}
}

// FilterIndexOptions gives the Options of the index of block filters.
func (c *Config) FilterIndexOptions() filter.Options {
	return filter.Options{
		Dir: filepath.Join(c.NetDir, "indexes", "blockfilter", "basic"), Net: c.Net, CharterID: c.CharterID(), CacheBytes: indexCacheBytes,
	}
}

// GoodsIndexOptions gives the Options of the history of the goods, which a node
// on a chain with a charter keeps.
func (c *Config) GoodsIndexOptions() goods.Options {
	return goods.Options{
		Dir: filepath.Join(c.NetDir, "indexes", "goods"), Net: c.Net, CharterID: c.CharterID(), CacheBytes: indexCacheBytes,
	}
}

// RPC gives the JSON-RPC door's Options.
func (c *Config) RPC() rpc.Options {
	options := rpc.Options{
		Net: c.Net, User: c.RPCUser, Password: c.RPCPassword, Auth: c.RPCAuth, AllowIPs: c.RPCAllowIP,
		LogPath: c.DebugLogFile, Whitelist: c.RPCWhitelist, WhitelistDefault: c.RPCWhitelistDefault,
	}
	if c.RPCPassword == "" {
		options.CookiePath = c.RPCCookieFile
	}
	return options
}

// Workers gives the number of script threads that par means on this machine.
func (c *Config) Workers() int {
	cores := runtime.GOMAXPROCS(0)
	switch {
	case c.Par > 0:
		return c.Par
	case c.Par < 0:
		return max(1, cores+c.Par)
	}
	return cores
}

// PruneTargetBytes is 0 where the engine does not prune by itself.
func (c *Config) PruneTargetBytes() int64 {
	if c.PruneMiB <= 1 {
		return 0
	}
	return int64(c.PruneMiB) << 20
}

// RPCAddresses are where JSON-RPC listens: on this machine only, unless both
// rpcbind and rpcallowip are given (Core's rule).
func (c *Config) RPCAddresses() []string {
	if len(c.RPCBind) == 0 || len(c.RPCAllowIP) == 0 {
		return withPort([]string{"127.0.0.1", "::1"}, c.RPCPort)
	}
	return withPort(c.RPCBind, c.RPCPort)
}

// WebAddresses are where the page listens.
func (c *Config) WebAddresses() []string {
	if len(c.WebBind) == 0 {
		return withPort([]string{"127.0.0.1"}, c.WebPort)
	}
	return withPort(c.WebBind, c.WebPort)
}

// MetricsAddresses are where the metrics are served.
func (c *Config) MetricsAddresses() []string {
	if len(c.MetricsBind) == 0 {
		return withPort([]string{"127.0.0.1"}, c.MetricsPort)
	}
	return withPort(c.MetricsBind, c.MetricsPort)
}

// withPort adds the port to the addresses that have none.
func withPort(addresses []string, port int) []string {
	full := make([]string, len(addresses))
	for i, address := range addresses {
		if _, _, err := net.SplitHostPort(address); err == nil {
			full[i] = address
			continue
		}
		if len(address) > 1 && address[0] == '[' && address[len(address)-1] == ']' {
			address = address[1 : len(address)-1]
		}
		full[i] = net.JoinHostPort(address, strconv.Itoa(port))
	}
	return full
}

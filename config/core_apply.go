package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"granary/params"
)

// applyTo sets what the table knows, then the few options that mean something
// else in Core.
func (c *coreSettings) applyTo(s *Settings) error {
	for _, name := range slices.Sorted(maps.Keys(c.table)) {
		if coreSpecial[name] || isNetwork(name) || name == "datadir" || name == "conf" {
			continue
		}
		if err := c.applyOption(s, c.table[name]); err != nil {
			return err
		}
	}
	c.applyLog(s)
	if value, ok := c.one("reindex-chainstate"); ok && coreBool(value) && s.PruneMiB > 0 {
		return inCore("Prune mode is incompatible with -reindex-chainstate. Use full -reindex instead.")
	}
	return c.refuse()
}

// applyOption sets one option: every value of a list, the one that counts of
// others.
func (c *coreSettings) applyOption(s *Settings, option *Option) error {
	values := c.values(option.Name)
	if !option.Multiple() && len(values) > 1 {
		values = values[:1]
	}
	for _, v := range values {
		value := v.value
		switch {
		case option.Name == "connect" && v.negated:
			value = "0"
		case option.Multiple() && v.negated:
			continue // the list is empty
		case option.Name == "blockfilterindex" && v.value == "basic":
			value = "1"
		case option.Switch():
			value = "0"
			if coreBool(v.value) {
				value = "1"
			}
		case option.kind == kindInt && value == "":
			value = "0"
		}
		if err := coreBounds(option.Name, value); err != nil {
			return err
		}
		if err := option.set(s, value); err != nil {
			return fmt.Errorf("-%s %w", option.Name, err)
		}
	}
	return nil
}

// coreBounds refuses in Core's words what scripts are known to try.
func coreBounds(name, value string) error {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
	case name == "prune" && n < 0:
		return inCore("Prune cannot be configured with a negative value.")
	case name == "prune" && n > 1 && n < params.MinPruneTargetMiB:
		return inCore("Prune configured below the minimum of %d MiB.  Please use a higher number.", params.MinPruneTargetMiB)
	}
	return nil
}

// applyLog reads -debug and -loglevel: any category means the debug level.
func (c *coreSettings) applyLog(s *Settings) {
	for _, v := range c.values("debug") {
		if !v.negated && v.value != "0" && v.value != "none" {
			s.LogLevel = "debug"
		}
	}
	for _, v := range c.values("loglevel") {
		level := v.value[strings.LastIndexByte(v.value, ':')+1:]
		if level == "trace" || level == "debug" {
			s.LogLevel = "debug"
		}
	}
	if name, ok := c.one("debuglogfile"); ok && name == "" {
		s.DebugLogFile = "debug.log"
	}
}

// refuse says no to what cannot be had, rather than start without it.
func (c *coreSettings) refuse() error {
	for name, instead := range coreRefused {
		if value, ok := c.one(name); ok && coreBool(value) {
			return fmt.Errorf("-%s is not available here: %s", name, instead)
		}
	}
	return nil
}

// withoutEffect names the options of Core's that were given and do nothing.
func (c *coreSettings) withoutEffect() []string {
	named := map[string]bool{}
	note := func(all []coreValue) {
		for _, v := range all {
			if coreIgnored[v.name] && c.table[v.name] == nil && !coreSilent[v.name] {
				named["-"+v.name] = true
			}
		}
	}
	note(c.args)
	note(c.file[""])
	note(c.file[c.network])
	if len(named) == 0 {
		return nil
	}
	return []string{"no effect here: " + strings.Join(slices.Sorted(maps.Keys(named)), " ")}
}

// words makes a set of a list.
func words(list string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// coreSpecial are read here and not through the table.
var coreSpecial = words("? h help version chain regtest signet testnet testnet4 datadir conf includeconf debug loglevel")

// coreRefused are options of Core's whose absence a person would miss, with
// what to do instead.
var coreRefused = map[string]string{
	"daemon":     "run it under systemd, or in the background of your shell",
	"daemonwait": "run it under systemd, or in the background of your shell",
}

// coreNetworkOnly are options at the top of a file that hold for mainnet only.
var coreNetworkOnly = words("addnode bind connect port rpcbind rpcport wallet")

// coreSilent change how things are told or kept, never what is done: not
// worth a warning.
var coreSilent = words(`debugexclude logips logsourcelocations logthreadnames logtimemicros logtimestamps
	loglevelalways logratelimit shrinkdebugfile uacomment keypool fallbackfee disablewallet unsafesqlitesync rpcdoccheck
	listenonion fixedseeds upnp natpmp deprecatedrpc rpcthreads rpcworkqueue rpcservertimeout peertimeout discover dnsseed`)

// coreIgnored are the options of Bitcoin Core 28 that its users' scripts may
// give; those that the table has are the table's.
var coreIgnored = words(`acceptnonstdtxn acceptstalefeeestimates addnode addrmantest addresstype alertnotify allowignoredconf asmap
	assumevalid avoidpartialspends bantime bind blockfilterindex blockmaxweight blockmintxfee blocknotify blockreconstructionextratxn
	blocksdir blocksonly blocksxor blockversion bytespersigop capturemessages changetype checkaddrman checkblockindex checkblocks
	checklevel checkmempool checkpoints cjdnsreachable coinstatsindex connect consolidatefeerate daemon daemonwait datacarrier
	datacarriersize dbbatchsize dbcache dbcrashratio debugexclude debuglogfile deprecatedrpc disablewallet discardfee discover dns
	dnsseed dustrelayfee externalip fallbackfee fastprune fixedseeds flushwallet forcednsseed i2pacceptincoming i2psam
	incrementalrelayfee ipcbind keypool limitancestorcount limitancestorsize limitdescendantcount limitdescendantsize listen
	listenonion loadblock logips loglevelalways logratelimit logsourcelocations logthreadnames logtimemicros logtimestamps
	maxapsfee maxconnections maxmempool maxorphantx maxreceivebuffer maxsendbuffer maxsigcachesize maxtipage maxtxfee
	maxuploadtarget mempoolexpiry mempoolfullrbf minimumchainwork minrelaytxfee mintxfee mocktime natpmp networkactive onion onlynet
	par paytxfee peerblockfilters peerbloomfilters peertimeout permitbaremultisig persistmempool persistmempoolv1 pid port printpriority
	printtoconsole proxy proxyrandomize prune reindex reindex-chainstate rest rpcallowip rpcauth rpcbind rpcconnect
	rpccookiefile rpccookieperms rpcdoccheck rpcpassword rpcport rpcservertimeout rpcthreads rpcuser rpcwhitelist
	rpcwhitelistdefault rpcworkqueue seednode server settings shrinkdebugfile shutdownnotify signer signetchallenge
	signetseednode spendzeroconfchange startupnotify stopafterblockimport stopatheight swapbdbendian test testactivationheight timeout
	torcontrol torpassword txconfirmtarget txindex txreconciliation txspenderindex uacomment unsafesqlitesync upnp v2transport vbparams
	wallet walletbroadcast walletcrosschain walletdir walletimplicitsegwit walletnotify walletrbf walletrejectlongchains
	whitebind whitelist whitelistforcerelay whitelistrelay zmqpubhashblock zmqpubhashblockhwm zmqpubhashtx zmqpubhashtxhwm
	zmqpubrawblock zmqpubrawblockhwm zmqpubrawtx zmqpubrawtxhwm zmqpubsequence zmqpubsequencehwm`)

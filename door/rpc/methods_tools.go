package rpc

import (
	"log/slog"
	"slices"
	"time"
)

func toolMethods() []Method {
	return []Method{
		{
			Name: "getdescriptorinfo", Family: familyUtil,
			Summary: "Looks at a descriptor.",
			Params:  []Param{{Name: "descriptor", Type: Text, Help: "The descriptor; its checksum may be left out."}},
			Result:  "An object with descriptor (without private keys, with its checksum), checksum (of the text as given), isrange, issolvable, hasprivatekeys.",
			run:     getDescriptorInfo,
		},
		{
			Name: "getzmqnotifications", Family: "Zmq",
			Summary: "Lists what is published over ZMQ.",
			Result:  "An array of objects: type, address, hwm (messages that wait at most).",
			run: func(c *call) (any, error) {
				out := []object{}
				for _, n := range c.Notifications {
					out = append(out, object{{"type", n.Type}, {"address", n.Address}, {"hwm", n.HWM}})
				}
				return out, nil
			},
		},
		{
			Name: "logging", Family: familyControl,
			Summary: "Switches debug lines in the log on or off, and tells which are on.",
			Detail:  "The log has one level for all categories: to include any switches debug lines on, to exclude any switches them off. Exclude counts last.",
			Params: []Param{
				{Name: "include", Type: List, Optional: true, Help: "Categories to switch on; all or 1 for every one."},
				{Name: "exclude", Type: List, Optional: true, Help: "Categories to switch off."},
			},
			Result: "An object by category: whether its debug lines are on.",
			run:    logging,
		},
		{
			Name: "mockscheduler", Family: familyControl,
			Summary: "Moves the node's clock forward (regtest only).",
			Detail:  "What waits for a moment by the node's clock comes due at once.",
			Params:  []Param{{Name: "delta_time", Type: Integer, Help: "Seconds, 1 to 3600."}},
			Result:  "null",
			run:     mockScheduler,
		},
		{
			Name: "syncwithvalidationinterfacequeue", Family: familyChain,
			Summary: "Waits until everybody who follows the chain has heard of all that has happened.",
			Result:  "null",
			run:     func(c *call) (any, error) { return nil, c.Chain.Settle() },
		},
		{
			Name: "echojson", Family: familyControl,
			Summary: "Gives back what it was given, read as JSON by command lines.",
			Params:  jsonParams(),
			Result:  "An array of the arguments.",
			run:     echo,
		},
	}
}

// jsonParams are those of echo with another type.
func jsonParams() []Param {
	list := echoParams()
	for i := range list {
		list[i].Type = JSON
	}
	return list
}

// logCategories are Core's.
var logCategories = []string{
	"addrman", "bench", "blockstorage", "cmpctblock", "coindb", "estimatefee", "http", "i2p", "ipc", "leveldb",
	"libevent", "mempool", "mempoolrej", "net", "proxy", "prune", "qt", "rand", "reindex", "rpc", "scan", "selectcoins",
	"tor", "txpackages", "txreconciliation", "validation", "walletdb", "zmq",
}

func logging(c *call) (any, error) {
	for _, step := range []struct {
		name  string
		level slog.Level
	}{{"include", slog.LevelDebug}, {"exclude", slog.LevelInfo}} {
		items := c.arg(step.name).items
		for _, v := range items {
			if v.kind != String {
				return nil, errorf(CodeType, "%s", mismatch(v.kind, "string"))
			}
			if v.text != "all" && v.text != "1" && v.text != "" && !slices.Contains(logCategories, v.text) {
				return nil, errorf(CodeInvalidParameter, "unknown logging category %s", clip(v.text))
			}
		}
		if len(items) > 0 {
			if c.LogLevel == nil {
				return nil, errorf(CodeMisc, "this node's log cannot be steered from here")
			}
			c.LogLevel.Set(step.level)
		}
	}
	on := c.LogLevel != nil && c.LogLevel.Level() <= slog.LevelDebug
	out := object{}
	for _, name := range logCategories {
		out = append(out, member{name, on})
	}
	return out, nil
}

func mockScheduler(c *call) (any, error) {
	if !c.server.opts.Net.NoRetargeting {
		return nil, errorf(CodeMisc, "mockscheduler is for regression testing (-regtest mode) only")
	}
	delta, err := c.integer("delta_time", 0)
	if err != nil {
		return nil, err
	}
	if delta <= 0 || delta > 3600 {
		return nil, errorf(CodeMisc, "delta_time must be between 1 and 3600 seconds (1 hr)")
	}
	c.Clock.Advance(time.Duration(delta) * time.Second)
	return nil, nil
}

func echo(c *call) (any, error) {
	args := c.args
	if args[len(args)-1].text == "trigger_internal_bug" {
		return nil, errorf(CodeMisc, "Internal bug detected: CHECK_NONFATAL is what a test asked for here")
	}
	for len(args) > 0 && args[len(args)-1].IsNull() {
		args = args[:len(args)-1]
	}
	return Value{kind: Array, items: args}, nil
}

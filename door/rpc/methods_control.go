package rpc

import (
	"time"

	"granary/state"
)

const familyControl = "Control"

func controlMethods() []Method {
	return []Method{
		{
			Name: "help", Family: familyControl,
			Summary: "Lists the methods, or explains one.",
			Params:  []Param{{Name: "command", Type: Text, Optional: true, Help: "The method to explain."}},
			Result:  "A text.",
			run:     help,
		},
		{
			Name: "stop", Family: familyControl,
			Summary: "Ends the program in good order.",
			Params:  []Param{{Name: "wait", Type: Integer, Optional: true, Help: "How long to wait before the end, in milliseconds; for tests."}},
			Result:  "A line of text; the program ends after it.",
			run:     stop,
		},
		{
			Name: "uptime", Family: familyControl,
			Summary: "Gives how long the program has been running.",
			Result:  "Seconds.",
			run: func(c *call) (any, error) {
				return max(0, int64(c.server.now().Sub(c.server.started)/time.Second)), nil
			},
		},
		{
			Name: "getrpcinfo", Family: familyControl,
			Summary: "Lists the calls that are being answered.",
			Result:  "An object with active_commands (method, duration in microseconds) and logpath.",
			run:     getRPCInfo,
		},
		{
			Name: "getindexinfo", Family: familyControl,
			Summary: "Tells how far the optional indexes have come.",
			Params:  []Param{{Name: "index_name", Type: Text, Optional: true, Help: "Only this one: txindex, basic block filter index, or goods."}},
			Result:  "An object by index: synced, best_block_height.",
			run:     getIndexInfo,
		},
		{
			Name: "setmocktime", Family: familyControl,
			Summary: "Stops the node's clock at a time (regtest only).",
			Params:  []Param{{Name: "timestamp", Type: Integer, Help: "Unix seconds; 0 lets the clock run again."}},
			Result:  "null",
			run:     setMockTime,
		},
		{
			Name: "echo", Family: familyControl,
			Summary: "Gives back what it was given, to test a client.",
			Params:  echoParams(),
			Result:  "An array of the arguments.",
			run:     echo,
		},
	}
}

func echoParams() []Param {
	list := make([]Param, 10)
	for i := range list {
		list[i] = Param{Name: "arg" + itoa(i), Type: Anything, Optional: true, Help: "Any value."}
	}
	return list
}

func help(c *call) (any, error) {
	name := c.text("command", "")
	if name == "" {
		return overview(Methods()), nil
	}
	if m := c.server.table[name]; m != nil {
		return m.Help(), nil
	}
	return "help: unknown command: " + clip(name), nil
}

// maxStopWaitMs bounds the wait of stop.
const maxStopWaitMs = 60_000

func stop(c *call) (any, error) {
	if c.server.opts.Stop == nil {
		return nil, errorf(CodeMisc, "this node cannot be stopped from here")
	}
	wait, err := c.integer("wait", 0)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		select {
		case <-c.ctx.Done():
		case <-time.After(time.Duration(min(wait, maxStopWaitMs)) * time.Millisecond):
		}
	}
	// The answer must leave before the door closes: Close waits for it.
	go c.server.opts.Stop()
	return "Granary stopping", nil
}

func getRPCInfo(c *call) (any, error) {
	type active struct {
		Method   string `json:"method"`
		Duration int64  `json:"duration"`
	}
	list := []active{}
	for _, one := range c.server.running.list() {
		list = append(list, active{one.method, time.Since(one.since).Microseconds()})
	}
	return object{{"active_commands", list}, {"logpath", c.server.opts.LogPath}}, nil
}

func getIndexInfo(c *call) (any, error) {
	out := object{}
	if name := c.text("index_name", "txindex"); c.TxIndex != nil && name == "txindex" {
		_, height := c.TxIndex.Tip()
		out = append(out, member{"txindex", object{
			{"synced", c.indexSynced(c.Chain.Tip())}, {"best_block_height", height},
		}})
	}
	if name := c.text("index_name", filterIndexName); c.Filters != nil && name == filterIndexName {
		hash, height := c.Filters.Tip()
		out = append(out, member{filterIndexName, object{
			{"synced", hash == c.Chain.Tip().Hash}, {"best_block_height", height},
		}})
	}
	if name := c.text("index_name", "goods"); c.Goods != nil && name == "goods" {
		hash, height := c.Goods.Tip()
		out = append(out, member{"goods", object{
			{"synced", hash == c.Chain.Tip().Hash}, {"best_block_height", height},
		}})
	}
	return out, nil
}

// indexSynced reports whether the transaction index has come to the tip.
func (c *call) indexSynced(tip *state.Header) bool {
	at, _ := c.TxIndex.Tip()
	return at == tip.Hash || tip.Parent == nil // genesis is not indexed
}

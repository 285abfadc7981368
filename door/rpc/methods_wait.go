package rpc

import (
	"time"

	"granary/state"
)

func waitMethods() []Method {
	timeout := Param{Name: "timeout", Type: Integer, Optional: true, Default: "0", Help: "Milliseconds to wait at most; 0 waits without end."}
	result := "An object with hash and height of the tip, reached or not."
	return []Method{
		{
			Name: "waitfornewblock", Family: familyChain, Result: result,
			Summary: "Waits until the tip of the chain moves.",
			Params:  []Param{timeout},
			run: func(c *call) (any, error) {
				from := c.Chain.Tip()
				return c.waitUntil(func(tip *state.Header) bool { return tip != from })
			},
		},
		{
			Name: "waitforblock", Family: familyChain, Result: result,
			Summary: "Waits until a block is the tip.",
			Params:  []Param{{Name: "blockhash", Type: Hash, Help: "The block."}, timeout},
			run: func(c *call) (any, error) {
				hash, err := c.hash("blockhash")
				if err != nil {
					return nil, err
				}
				return c.waitUntil(func(tip *state.Header) bool { return tip.Hash == hash })
			},
		},
		{
			Name: "waitforblockheight", Family: familyChain, Result: result,
			Summary: "Waits until the chain has a height.",
			Params:  []Param{{Name: "height", Type: Integer, Help: "The least height, in blocks."}, timeout},
			run: func(c *call) (any, error) {
				height, err := c.int32("height", 0)
				if err != nil {
					return nil, err
				}
				return c.waitUntil(func(tip *state.Header) bool { return tip.Height >= height })
			},
		},
	}
}

// waitUntil answers with the tip once it is as wanted, the time is over, the
// client has gone or the door closes.
func (c *call) waitUntil(wanted func(tip *state.Header) bool) (any, error) {
	millis, err := c.integer("timeout", 0)
	if err != nil {
		return nil, err
	}
	if millis < 0 {
		return nil, errorf(CodeMisc, "Negative timeout")
	}
	var over <-chan time.Time
	if millis > 0 {
		timer := time.NewTimer(time.Duration(min(millis, int64(24*time.Hour/time.Millisecond))) * time.Millisecond)
		defer timer.Stop()
		over = timer.C
	}
	for {
		step, closed := c.server.tip.next()
		tip := c.Chain.Tip()
		if closed || wanted(tip) {
			return tipAnswer(tip), nil
		}
		select {
		case <-step:
		case <-over:
			return tipAnswer(c.Chain.Tip()), nil
		case <-c.ctx.Done():
			return tipAnswer(c.Chain.Tip()), nil
		}
	}
}

func tipAnswer(tip *state.Header) any {
	return object{{"hash", tip.Hash.String()}, {"height", tip.Height}}
}

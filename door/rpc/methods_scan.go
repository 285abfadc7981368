package rpc

import (
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/desc"
	"granary/state"
)

func scanMethods() []Method {
	return []Method{{
		Name: "scantxoutset", Family: familyChain,
		Summary: "Looks through all unspent outputs for those of some descriptors.",
		Detail:  "It reads every unspent output and may take minutes on a long chain; one scan runs at a time. A descriptor may be given as {\"desc\": text, \"range\": n or [first, last]}; a ranged one without a range is taken from 0 to 1000.",
		Params: []Param{
			{Name: "action", Type: Text, Help: "start, status or abort."},
			{Name: "scanobjects", Type: List, Optional: true, Help: "For start: descriptors, such as addr(ADDRESS) or raw(HEX)."},
		},
		Result: "start: an object with success, txouts (outputs looked at), height, bestblock, unspents (txid, vout, scriptPubKey, desc, amount in coins, coinbase, height, blockhash, confirmations), total_amount (coins). status: an object with progress (percent), or null where no scan runs. abort: whether there was one to end.",
		run:    scanTxOutSet,
	}}
}

// scan is the one that may run.
type scan struct {
	mu      sync.Mutex
	running bool

	percent atomic.Int32
	aborted atomic.Bool
}

func (s *scan) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return false
	}
	s.running = true
	s.percent.Store(0)
	s.aborted.Store(false)
	return true
}

func (s *scan) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
}

func (s *scan) isRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func scanTxOutSet(c *call) (any, error) {
	scan := &c.server.scan
	switch action := c.text("action", ""); action {
	case "status":
		if !scan.isRunning() {
			return nil, nil
		}
		return object{{"progress", scan.percent.Load()}}, nil
	case "abort":
		if !scan.isRunning() {
			return false, nil
		}
		scan.aborted.Store(true)
		return true, nil
	case "start":
		if c.arg("scanobjects").IsNull() {
			return nil, errorf(CodeMisc, "scanobjects argument is required for the start action")
		}
		scripts, err := c.scanScripts()
		if err != nil {
			return nil, err
		}
		if !scan.begin() {
			return nil, errorf(CodeInvalidParameter, `Scan already in progress, use action "abort" or "status"`)
		}
		defer scan.end()
		return c.scanFor(scripts)
	default:
		return nil, errorf(CodeInvalidParameter, "Invalid action '%s'", clip(action))
	}
}

// maxScanScripts bounds what one scan looks for.
const maxScanScripts = 1 << 20

// scanScripts expands the descriptors; the value is what to show as desc.
func (c *call) scanScripts() (map[string]string, error) {
	scripts := map[string]string{}
	for _, v := range c.arg("scanobjects").items {
		text, rangeOf := v, Value{}
		switch v.kind {
		case String:
		case Object:
			if text, _ = v.Get("desc"); text.kind != String {
				return nil, errorf(CodeInvalidParameter, "Descriptor needs to be provided in scan object")
			}
			rangeOf, _ = v.Get("range")
		default:
			return nil, errorf(CodeInvalidParameter, "Scan object needs to be either a string or an object")
		}
		d, err := c.parseDescriptor(text.text)
		if err != nil {
			return nil, err
		}
		if err := c.addScripts(scripts, d, rangeOf); err != nil {
			return nil, err
		}
	}
	return scripts, nil
}

func (c *call) addScripts(scripts map[string]string, d *desc.Descriptor, rangeOf Value) error {
	first, last := int64(0), int64(0)
	if d.IsRange() {
		last = 1000
		if !rangeOf.IsNull() {
			var err error
			if first, last, err = parseRange(rangeOf); err != nil {
				return err
			}
		}
	}
	for i := first; i <= last; i++ {
		script, err := d.Script(uint32(i))
		if err != nil {
			return errorf(CodeInvalidAddress, "%v", err)
		}
		if len(scripts) >= maxScanScripts {
			return errorf(CodeInvalidParameter, "one scan looks for at most %d scripts: split it", maxScanScripts)
		}
		shown := d.String()
		if d.IsRange() {
			shown = inferDescriptor(script, c.server.opts.Net.Chain)
		}
		scripts[string(script)] = shown
	}
	return nil
}

type unspentJSON struct {
	Txid          string `json:"txid"`
	Vout          uint32 `json:"vout"`
	Script        string `json:"scriptPubKey"`
	Desc          string `json:"desc"`
	Amount        amount `json:"amount"`
	Coinbase      bool   `json:"coinbase"`
	Height        int32  `json:"height"`
	BlockHash     string `json:"blockhash"`
	Confirmations int32  `json:"confirmations"`
}

// maxUnspents bounds the answer of one scan.
const maxUnspents = 1 << 20

func (c *call) scanFor(scripts map[string]string) (any, error) {
	scan := &c.server.scan
	unspents := []unspentJSON{}
	var tip *state.Header
	var seen, totalUnits int64
	tooMany := false
	err := c.Chain.WalkCoins(func(at *state.Header) { tip = at }, func(op wire.OutPoint, coin *state.Coin) bool {
		if seen++; seen%8192 == 0 {
			// Coins come in the order of their txids' bytes.
			scan.percent.Store((int32(op.Hash[0])<<8 | int32(op.Hash[1])) * 100 >> 16)
			if scan.aborted.Load() || c.ctx.Err() != nil {
				scan.aborted.Store(true)
				return false
			}
		}
		shown, wanted := scripts[string(coin.Script)]
		if !wanted {
			return true
		}
		if tooMany = len(unspents) == maxUnspents; tooMany {
			return false
		}
		totalUnits += coin.ValueUnits
		unspents = append(unspents, unspentJSON{
			Txid: op.Hash.String(), Vout: op.Index, Script: hexOf(coin.Script), Desc: shown,
			Amount: amount(coin.ValueUnits), Coinbase: coin.Coinbase, Height: coin.Height,
			BlockHash: tip.Ancestor(coin.Height).Hash.String(), Confirmations: tip.Height - coin.Height + 1,
		})
		return true
	})
	switch {
	case err != nil:
		return nil, err
	case tooMany:
		return nil, errorf(CodeOutOfMemory, "more than %d outputs match: scan for fewer scripts", maxUnspents)
	}
	return object{
		{"success", !scan.aborted.Load()},
		{"txouts", seen},
		{"height", tip.Height},
		{"bestblock", tip.Hash.String()},
		{"unspents", unspents},
		{"total_amount", amount(totalUnits)},
	}, nil
}

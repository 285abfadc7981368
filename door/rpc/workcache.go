package rpc

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"granary/mine/template"
	"granary/params"
)

// workAge is how long a template is handed out although the mempool moved on.
const workAge = 5 * time.Second

// workCache keeps the last template, so that many miners cost one build.
type workCache struct {
	mu       sync.Mutex
	t        *template.Template
	fixed    json.RawMessage // the members that do not change, without braces
	sequence uint64          // of the mempool
	made     time.Time

	// firstLook and nextLook say when a long poll looks at the mempool; 0 is
	// poolFirstLook and poolNextLook. Tests hurry.
	firstLook, nextLook time.Duration
}

func (w *workCache) last() *template.Template {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.t
}

// answer gives the template of now, made anew where the tip has moved or the
// mempool has for a while.
func (w *workCache) answer(c *call) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, sequence := c.Clock.Now(), c.Pool.Info().Sequence
	age := now.Sub(w.made)
	stale := w.t == nil || w.t.Parent != c.Chain.Tip() || sequence != w.sequence && (age > workAge || age < 0)
	if stale {
		if err := w.build(c, sequence); err != nil {
			return nil, err
		}
		w.made = now
	}
	w.t.SetTime(time.Unix(0, 0))
	earliest := w.t.Block.Header.Timestamp.Unix()
	w.t.SetTime(now)
	header := &w.t.Block.Header
	changing, err := marshal(object{
		{"target", targetHex(header.Bits)},
		{"mintime", earliest},
		{"curtime", header.Timestamp.Unix()},
		{"bits", fmt.Sprintf("%08x", header.Bits)},
	})
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(w.fixed)+len(changing))
	out = append(append(out, w.fixed[:len(w.fixed)-1]...), ',')
	return json.RawMessage(append(out, changing[1:]...)), nil
}

func (w *workCache) build(c *call, sequence uint64) error {
	t, err := c.Templates.Build(placeholder, 0)
	if err != nil {
		w.t = nil
		return errorf(CodeMisc, "%v", err)
	}
	scale := int64(1)
	if t.Height < c.Rules.Net.SegwitHeight {
		scale = params.WitnessScaleFactor
	}
	txs, err := templateTxs(t, scale)
	if err != nil {
		return err
	}
	id := t.Parent.Hash.String() + strconv.FormatUint(sequence, 10)
	if w.fixed, err = marshal(shownTemplate(t, c.Rules, id, txs)); err != nil {
		return err
	}
	w.t, w.sequence = t, sequence
	return nil
}

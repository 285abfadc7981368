package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"granary/chain"
)

// lineEvery is how often a plain progress line is printed.
const lineEvery = 10 * time.Second

// progress shows how far an import has come: a bar on a terminal, a line now
// and then elsewhere.
type progress struct {
	out  io.Writer
	verb string

	mu     sync.Mutex
	last   chain.Progress
	rates  rates
	bars   *mpb.Progress
	bar    *mpb.Bar
	lineAt time.Time
}

// rates are the speeds since the last look, smoothed.
type rates struct{ blocks, signatures float64 }

// newProgress chooses the form by what err is.
func newProgress(err io.Writer, verb string) *progress {
	p := &progress{out: err, verb: verb, lineAt: time.Now()}
	if file, ok := err.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(err), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
	p.bar = p.bars.AddBar(0,
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return p.heightText() })),
		mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.Any(func(decor.Statistics) string { return p.rateText() })),
	)
	return p
}

func (p *progress) heightText() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%s height %d ", p.verb, p.last.Height)
}

func (p *progress) rateText() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("  %.0f blocks/s  %.0f signatures/s", p.rates.blocks, p.rates.signatures)
}

// tell takes the next state; it is the callback of chain.Import.
func (p *progress) tell(now chain.Progress) {
	p.mu.Lock()
	if gone := (now.Elapsed - p.last.Elapsed).Seconds(); gone > 0.05 {
		const keep = 0.7
		p.rates.blocks = keep*p.rates.blocks + (1-keep)*float64(now.Blocks-p.last.Blocks)/gone
		p.rates.signatures = keep*p.rates.signatures + (1-keep)*float64(now.Signatures-p.last.Signatures)/gone
	}
	p.last = now
	bar, due := p.bar, time.Since(p.lineAt) >= lineEvery
	if due {
		p.lineAt = time.Now()
	}
	p.mu.Unlock()
	switch {
	case bar != nil && now.BytesTotal > 0:
		bar.SetTotal(now.BytesTotal, false)
		bar.SetCurrent(now.BytesRead)
	case bar != nil:
	case due:
		p.line()
	}
}

func (p *progress) line() {
	done := ""
	if p.last.BytesTotal > 0 {
		done = fmt.Sprintf(", %d %% of the files", 100*p.last.BytesRead/p.last.BytesTotal)
	}
	fmt.Fprintf(p.out, "%s height %d%s: %.0f blocks/s, %.0f signatures/s\n",
		p.verb, p.last.Height, done, p.last.BlocksPerSecond(), p.last.SignaturesPerSecond())
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bars.Wait()
	}
}

// end takes the bar away and prints the summary.
func (p *progress) end() {
	p.clear()
	last := p.last
	if last.BytesTotal == 0 { // a check reads no files from beginning to end
		fmt.Fprintf(p.out, "%s %d blocks in %.1f s: %.0f blocks/s\n", p.verb, last.Blocks, last.Elapsed.Seconds(), last.BlocksPerSecond())
		return
	}
	fmt.Fprintf(p.out, "%s %d blocks (%d known, %d refused), %d signatures in %.1f s: %.0f blocks/s, %.0f signatures/s\n",
		p.verb, last.Blocks, last.Skipped, last.Refused, last.Signatures, last.Elapsed.Seconds(),
		last.BlocksPerSecond(), last.SignaturesPerSecond())
}

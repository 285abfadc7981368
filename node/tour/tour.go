package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"granary/base/check"
	"granary/chain"
	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// Run tells the story on a new chain in dir, which must be empty, and writes
// it to out. It takes some seconds.
func Run(ctx context.Context, dir string, out io.Writer) (err error) {
	began := time.Now()
	t := &tour{ctx: ctx, out: out}
	if err := t.begin(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.house.Close()) }()
	for _, act := range []func() error{
		t.charterAct, t.miningAct, t.goodsInAct, t.coinsOutAct, t.paymentAct, t.redemptionAct,
		t.refusedAct, t.defaultAct, t.endAct,
	} {
		if err := act(); err != nil {
			return fmt.Errorf("the tour stopped in part %d: %w", t.part, err)
		}
	}
	t.say("")
	t.say("That took %s and %d blocks. Start a chain of your own with a page to look at: granary up",
		time.Since(began).Round(100*time.Millisecond), t.house.Height())
	return t.failed
}

// Places in the charter of the tour.
const (
	silo  = 0 // custodian
	vault = 1 // custodian
	wheat = 0 // good
)

type tour struct {
	ctx    context.Context
	out    io.Writer
	failed error // of a write
	part   int

	house   *stage.House
	charter *params.Charter
	farm    stage.Person // brings wheat
	bakery  stage.Person // wants wheat
	siloInc stage.Person // the purse of the silo's operator
	miner   stage.Person

	released []goods.Released        // seen in blocks
	standing []goods.StandingChanged // of the last block
}

// secret makes the keys of the tour the same every time: its coins mean
// nothing and are thrown away.
var secret = []byte("the tour's keys are for everyone to know")

func (t *tour) begin(dir string) (err error) {
	if t.charter, err = charter(); err != nil {
		return err
	}
	if t.house, err = stage.OpenHouse(t.ctx, dir, t.charter, nil, nil); err != nil {
		return err
	}
	for _, name := range seatNames {
		t.house.Cast.Person(secret, name)
	}
	t.farm = t.house.Cast.Person(secret, "the farm")
	t.bakery = t.house.Cast.Person(secret, "the bakery")
	t.siloInc = t.house.Cast.Person(secret, "the silo's operator")
	t.miner = t.house.Cast.Person(secret, "the miner")
	t.house.MinerScript = t.miner.Script
	t.house.Seen = t.see
	return nil
}

// see notes what the story tells of a block.
func (t *tour) see(e *chain.Event) {
	t.standing = nil
	for _, event := range e.Goods {
		switch event := event.(type) {
		case goods.Released:
			t.released = append(t.released, event)
		case goods.StandingChanged:
			t.standing = append(t.standing, event)
		}
	}
}

// seatNames are whose keys hold the seats, in charter order.
var seatNames = [6]string{"North silo", "Harbour vault", "First auditor", "Second auditor", "Third auditor", "Council"}

// charter is the demo's with shorter windows and a name of its own, so that a
// few dozen blocks hold a whole life.
func charter() (*params.Charter, error) {
	keys := stage.New(nil, nil)
	var scripts [6][]byte
	for i, name := range seatNames {
		scripts[i] = keys.Person(secret, name).Script
	}
	demo, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte(scripts[:2]), Auditors: [3][]byte(scripts[2:5]), Council: scripts[5],
	})
	if err != nil {
		return nil, err
	}
	c := *demo
	c.Name = "Granary tour"
	p := &c.Parameters
	p.DeliveryWindowBlocks, p.PickupWindowBlocks, p.GraceWindowBlocks = 6, 4, 3
	p.AttestationLifeBlocks, p.AmendmentDelayBlocks = 60, 20
	p.UnbondedAllowanceUnits = 20 * params.UnitsPerCoin
	c.Low, c.High = *p, *p
	return params.NewCharter(c)
}

// lineWidth is how long a line may be.
const lineWidth = 96

// say writes a line, folded at lineWidth; what is folded stands in as far as
// the text of the line begins, behind its label.
func (t *tour) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	body := strings.TrimLeft(text, " ")
	margin := len(text) - len(body)
	if label, rest, labelled := strings.Cut(body, "] "); labelled && body[0] == '[' {
		margin += len(label) + 2 + len(rest) - len(strings.TrimLeft(rest, " "))
	}
	for len(text) > lineWidth {
		cut := strings.LastIndexByte(text[:lineWidth+1], ' ')
		if cut <= margin {
			break
		}
		t.line(text[:cut])
		text = strings.Repeat(" ", margin) + text[cut+1:]
	}
	t.line(text)
}

func (t *tour) line(text string) {
	if _, err := fmt.Fprintln(t.out, text); err != nil && t.failed == nil {
		t.failed = err
	}
}

// act begins a part of the story.
func (t *tour) act(title string) {
	t.part++
	t.say("")
	t.say("%d. %s", t.part, title)
}

// give puts transactions into the mempool and mines them.
func (t *tour) give(txs ...func() (*state.Tx, error)) (last *state.Tx, err error) {
	for _, make := range txs {
		if last, err = t.house.Give(make()); err != nil {
			return nil, err
		}
	}
	return last, t.house.Mine(t.ctx, 1)
}

// attested lets two auditors stand behind a record, in a block of its own.
func (t *tour) attested(r goods.Record) error {
	_, err := t.give(
		func() (*state.Tx, error) { return t.house.Cast.Attest(0, r) },
		func() (*state.Tx, error) { return t.house.Cast.Attest(1, r) },
	)
	return err
}

// refused expects a block with exactly these transactions to be refused, and
// says why it was.
func (t *tour) refused(what string, txs ...*state.Tx) error {
	_, err := t.house.MineWith(t.ctx, txs...)
	var rule *check.RuleError
	if !errors.As(err, &rule) {
		return fmt.Errorf("%s was not refused: %v", what, err)
	}
	t.say("   - %s", what)
	t.say("     refused: %s", rule.Code)
	t.say("     %s", rule.Detail)
	for _, tx := range txs {
		t.house.Cast.Forget(tx)
	}
	return nil
}

// coins shows units of coin.
func (t *tour) coins(units int64) string {
	whole, rest := units/params.UnitsPerCoin, units%params.UnitsPerCoin
	text := fmt.Sprintf("%s.%08d", thousands(whole), rest)
	for text[len(text)-1] == '0' && text[len(text)-3] != '.' {
		text = text[:len(text)-1]
	}
	return text + " " + t.charter.Ticker
}

func thousands(n int64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

func (t *tour) kg(n int64) string { return thousands(n) + " kg" }

// figures reads the sums of the state.
func (t *tour) figures() (totals state.Totals, reserve state.Reserve, err error) {
	err = t.house.Chain.View(func(_ *state.Header, v state.View) error {
		if totals, err = goods.ReadTotals(v); err != nil {
			return err
		}
		reserve, err = goods.ReadReserve(v)
		return err
	})
	return totals, reserve, err
}

// balance is a line on where coins and goods stand.
func (t *tour) balance() error {
	totals, reserve, err := t.figures()
	if err != nil {
		return err
	}
	coverage := "nothing circulates"
	if totals.CirculatingUnits > 0 {
		bp := reserve.Counted.Units() * 10_000 / totals.CirculatingUnits
		coverage = fmt.Sprintf("coverage %d.%02d %%", bp/100, bp%100)
	}
	t.say("   [proved] circulating %s, goods that count %s, %s", t.coins(totals.CirculatingUnits), t.coins(reserve.Counted.Units()), coverage)
	return nil
}

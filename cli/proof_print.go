package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"granary/door/rpc"
	"granary/params"
	"granary/rules/proof"
	"granary/state"
)

// page prints what a proof proves. Every figure stands below a heading that
// says who stands for it.
type page struct {
	out     *tabwriter.Writer
	id      params.CharterID
	charter *params.Charter // nil: not given
	block   *proof.Block
	place   place
}

func newPage(out io.Writer, id params.CharterID, charter *params.Charter, block *proof.Block, at place) *page {
	return &page{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), id, charter, block, at}
}

// heading begins a section whose figures have one label.
func (p *page) heading(title, label string) {
	p.out.Flush() //nolint:errcheck // the last Flush tells
	fmt.Fprintf(p.out, "\n%s: %s\n", title, label)
}

func (p *page) line(name, format string, args ...any) {
	fmt.Fprintf(p.out, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
}

// coins gives an amount as the charter shows it, and in units.
func (p *page) coins(units int64) string {
	if p.charter == nil {
		return fmt.Sprintf("%d units", units)
	}
	digits, decimals := strconv.FormatInt(units, 10), int(p.charter.Decimals)
	if decimals > 0 {
		digits = strings.Repeat("0", max(0, decimals+1-len(digits))) + digits
		digits = digits[:len(digits)-decimals] + "." + digits[len(digits)-decimals:]
	}
	return fmt.Sprintf("%s %s (%d units)", digits, p.charter.Ticker, units)
}

// sum gives a sum of 128 bits as coins; one beyond all coins is held.
func (p *page) sum(s state.Sum) string { return p.coins(s.Units()) }

// start prints what was checked and where the block is.
func (p *page) start(what string) {
	b, w := p.block, p.out
	if p.charter != nil {
		fmt.Fprintf(w, "%s of %s (%s)\n", what, p.charter.Name, p.charter.Ticker)
		fmt.Fprintf(w, "charter\t%v\n", p.id)
	} else {
		fmt.Fprintf(w, "%s\n", what)
		fmt.Fprintf(w, "charter\t%v, NOT GIVEN: use --headers FILE or --charter FILE\n", p.id)
	}
	fmt.Fprintf(w, "block\t%d %v, %s\n", b.Height, b.Hash, b.Header.Timestamp.UTC().Format(time.DateTime))
	if p.charter == nil {
		fmt.Fprintf(w, "not checked\tseal and limit of work, which the charter tells; names and decimals are missing\n")
	} else if n := p.charter.Base.Sealed; len(n.Keys) > 0 {
		fmt.Fprintf(w, "seal\tsigned by %d of %d sealers\n", n.Required, len(n.Keys))
	}
	if !p.place.label.Anchored {
		fmt.Fprintf(w, "place\tNOT ANCHORED: compare charter, hash and height with your own node, or check with --headers FILE\n")
		return
	}
	tip := p.place.tip
	fmt.Fprintf(w, "place\t%s, in the chain of %d headers to %v\n", confirmations(p.place.label.Confirmations), tip.Height, tip.Hash)
	fmt.Fprintf(w, "work\t2^%d hashes behind that chain; one with more may exist\n", tip.Work.BitLen()-1)
}

func confirmations(n int32) string {
	if n == 1 {
		return "1 confirmation"
	}
	return fmt.Sprintf("%d confirmations", n)
}

// end writes everything out.
func (p *page) end() error {
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	return nil
}

// proof prints the facts of a reserve proof.
func (p *page) proof(f *proof.Facts) error {
	label := p.place.label.Label()
	p.start("Reserve proof")
	p.sums(label, &f.Totals, &f.Reserve, &f.Parameters)
	if f.Amendment != nil {
		p.line("pending", "an amendment, effective at height %d; until then the worse par counts", f.Amendment.Effective)
	}
	if r := f.Receipt; r != nil {
		p.receipt(label, r)
		p.heading("Lot", rpc.AttestedLabel(r))
		p.line("lot", "%s in %s", r.Serial, p.registry(r.Registry))
		p.line("document", "SHA-256 %x", r.Document[:])
		p.line("location", "%s", r.Location)
		p.custodian(label, r)
	}
	for _, c := range f.Claims {
		p.claim(label, c, f.Receipt.Good.Measure)
	}
	return p.end()
}

// registry names a registry, which only the charter does.
func (p *page) registry(index uint16) string {
	if p.charter == nil {
		return fmt.Sprintf("registry %d of the charter", index)
	}
	return p.charter.Registries[index]
}

// sums prints the figures of the chain as a whole.
func (p *page) sums(label string, totals *state.Totals, reserve *state.Reserve, parameters *params.Parameters) {
	p.heading(fmt.Sprintf("After block %d", p.block.StateHeight()), label)
	p.line("circulating", "%s", p.coins(totals.CirculatingUnits))
	p.line("pool", "%s", p.coins(totals.PoolUnits))
	p.line("escrow", "%s", p.coins(totals.EscrowUnits))
	p.line("reserve (R)", "%s: value of the goods that count", p.sum(reserve.Counted))
	p.line("redemption base (D)", "%s: all free goods but of custodians in default", p.sum(reserve.All))
	p.line("redeeming (C)", "%s: goods that open redemptions took", p.sum(reserve.Claimed))
	if bp, ok := proof.CoverageBP(totals, reserve); ok {
		p.line("coverage", "%s of circulating; a release needs %s", percent(bp), percent(parameters.MinCoverageBP))
	} else {
		p.line("coverage", "nothing circulates")
	}
}

// percent gives basis points as a percentage.
func percent(bp int64) string { return fmt.Sprintf("%d.%02d %%", bp/100, bp%100) }

func (p *page) receipt(label string, r *proof.ReceiptFacts) {
	measure := r.Good.Measure
	p.heading(fmt.Sprintf("Receipt %d", r.Number), label)
	p.line("id", "%x", r.ID[:])
	p.line("good", "%s, %s; %d units for %d %s", r.Good.Code, r.Good.Name, r.Good.ParNum, r.Good.ParDen, measure)
	p.line("quantity", "%d %s: %d undrawn, %d free, %d owed", r.Quantity(), measure, r.Undrawn, r.Free, r.Owed)
	p.line("opened", "with %d %s at height %d; delivered %d, lost %d", r.OpenedWith, measure, r.Opened, r.Delivered, r.Lost)
	p.line("free is worth", "%s", p.coins(r.Good.LowUnits(r.Free)))
	p.line("may release", "%s", p.coins(r.CreditUnits()))
	p.line("released", "%s", p.coins(r.ReleasedUnits))
	p.line("counts", "%s", p.counts(r))
	p.line("script", "%x", r.Script)
}

// counts says whether and until when a receipt is part of R, and why not.
func (p *page) counts(r *proof.ReceiptFacts) string {
	switch {
	case r.Standing.Defaulted:
		return "no: the custodian is in default"
	case r.Standing.Suspended:
		return "no: the custodian is suspended"
	case !r.Fresh(p.block.StateHeight()):
		return fmt.Sprintf("no: last seen at height %d, good until %d", r.Observed, r.ValidUntil)
	}
	return fmt.Sprintf("yes, until height %d", r.ValidUntil)
}

func (p *page) custodian(label string, r *proof.ReceiptFacts) {
	s := r.Standing
	p.heading("Custodian "+r.Custodian.Name, label)
	p.line("standing", "%s", standingWord(s))
	p.line("debt", "%s", p.coins(s.DebtUnits))
	p.line("bonds", "%s", p.coins(s.BondUnits()))
	p.line("holds", "%d %s of %s, %d of them free", r.Holding.Whole, r.Good.Measure, r.Good.Code, r.Holding.Free)
	p.line("claims", "%d not tendered yet", s.Untendered)
}

func standingWord(s *state.Standing) string {
	switch {
	case s.Defaulted:
		return "in default"
	case s.Suspended:
		return "suspended"
	}
	return "good"
}

func (p *page) claim(label string, c *state.Claim, measure string) {
	p.heading(fmt.Sprintf("Claim %d", c.Number), label)
	p.line("kind", "%s of %d %s, opened at height %d", c.Kind, c.Quantity, measure, c.Opened)
	p.line("escrow", "%s", p.coins(c.EscrowUnits))
	if c.Tendered > 0 {
		p.line("tendered", "at height %d, to be fetched until %d", c.Tendered, c.PickupEnd())
	} else {
		p.line("deadline", "height %d, with grace %d", c.Deadline, c.GraceEnd())
	}
	p.line("token", "%v", c.Token)
}

// audit prints the facts of a whole audit.
func (p *page) audit(f *proof.AuditFacts) error {
	label := p.place.label.Label()
	p.start("Whole audit")
	fmt.Fprintf(p.out, "counted\t%d keys in %d bytes: everything adds up\n", f.Keys, f.Bytes)
	p.sums(label, &f.Totals, &f.Reserve, &f.Parameters)
	p.line("open", "%d receipts, %d claims (%d not tendered)", f.Receipts, f.Claims, f.Untendered)
	p.line("lots", "%d of closed receipts, never free again", f.ReservedLots)
	for slot, change := range f.Pending {
		if change != nil {
			p.line("pending", "a change in slot %d, effective at height %d", slot, change.Effective)
		}
	}
	for _, g := range f.Goods {
		p.heading(fmt.Sprintf("%s, %s", g.Code, g.Name), label)
		p.line("receipts", "%d", g.Receipts)
		p.line("quantity", "%s undrawn, %s free, %s owed", p.measures(g.Undrawn, g), p.measures(g.Free, g), p.measures(g.Owed, g))
		p.line("in reserve", "%s, worth %s", p.measures(g.Counted, g), p.sum(g.CountedUnits))
		if g.Receipts > 0 {
			p.line("last seen", "between heights %d and %d, as custodians and a quorum of auditors attested", g.Oldest, g.Newest)
		}
	}
	for _, c := range f.Custodians {
		p.heading("Custodian "+c.Seat.Name, label)
		p.line("standing", "%s", standingWord(&c.Standing))
		p.line("holds", "%d receipts with %d claims, worth %s in all", c.Receipts, c.Claims, p.sum(c.Whole))
		p.line("debt", "%s", p.coins(c.DebtUnits))
		p.line("bonds", "%s", p.coins(c.BondUnits()))
	}
	return p.end()
}

func (p *page) measures(s state.Sum, g *proof.GoodFacts) string {
	return fmt.Sprintf("%d %s", s.Units(), g.Measure)
}

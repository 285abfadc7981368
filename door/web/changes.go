package web

import (
	"fmt"
	"net/http"

	"github.com/btcsuite/btcd/chainhash/v2"

	history "granary/index/goods"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// changeView is a change to the charter or to a seat in plain words.
type changeView struct {
	Title     string
	Words     []string // what will be different, or was made so
	Announced int32
	Effective int32
	Left      string // "in 12 blocks, about 2 h"
	TxURL     string
	ID        string
	// Progress is how much of the delay is over, in thousandths.
	Progress int64
}

type changesView struct {
	Height      int32
	DelayBlocks int64
	Delay       string // about how long that is
	Pending     []changeView
	Past        linesView
}

func (s *Server) changes(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	view := &changesView{
		Height: l.tip.Height, DelayBlocks: l.params.AmendmentDelayBlocks, Delay: l.pace.about(int32(min(l.params.AmendmentDelayBlocks, 1<<30))),
	}
	if view.Pending, err = s.pendingChanges(l); err != nil {
		return nil, err
	}
	if view.Past, err = s.lines(l, ofChanges(), "/changes", r.URL.Query().Get("before")); err != nil {
		return nil, err
	}
	s.tellChanges(l, view.Past.Lines)
	return &page{Title: "Changes", Template: "changes", Section: "changes", Body: view}, nil
}

// pendingChanges tells what was announced and does not hold yet.
func (s *Server) pendingChanges(l *ledger) (list []changeView, err error) {
	for slot, p := range l.pending {
		if p == nil {
			continue
		}
		record, err := goods.DecodeChange(state.Slot(slot), p)
		if err != nil {
			return nil, err
		}
		change := changeView{
			Title: slotWords(uint16(slot)), Words: s.changeWords(l, record), Announced: p.Announced, Effective: p.Effective,
			Left: l.in(p.Effective), TxURL: s.txURL(p.Txid, p.Announced), ID: fmt.Sprintf("%x", p.ID[:]),
		}
		if whole := int64(p.Effective) - int64(p.Announced); whole > 0 {
			change.Progress = min(max(int64(l.tip.Height)-int64(p.Announced), 0)*1000/whole, 1000)
		}
		list = append(list, change)
	}
	return list, nil
}

// changeWords says what an amendment or a reseat makes different, against what
// is in force now.
func (s *Server) changeWords(l *ledger, record goods.Record) (words []string) {
	say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	switch r := record.(type) {
	case goods.Amend:
		if r.Withdraw {
			say("The announced amendment %x is taken back.", r.ID[:])
		}
		now := l.params
		for _, p := range r.Parameters {
			rule := params.ParameterRules[p.Parameter]
			say("%s: %s instead of %s.", parameterWords[rule.Name], s.parameter(rule.Name, rule.Unit, p.Value), s.parameter(rule.Name, rule.Unit, *now.Values()[p.Parameter]))
		}
		for i := range r.Goods {
			words = append(words, s.goodChange(l, &r.Goods[i])...)
		}
		if len(r.Goods) > 0 {
			say("%s", parWaits)
		}
		for _, a := range r.Allowances {
			say("%s may hold %s, instead of %s.", l.custodian(a.Custodian), limitWords(l, a.Good, a.Limit), limitWords(l, a.Good, l.limits[place{a.Custodian, a.Good}]))
		}
		for _, c := range r.Custodians {
			say("%s joins as a custodian.", c.Name)
			for _, a := range c.Allowances {
				say("%s may hold %s.", c.Name, limitWords(l, a.Good, a.Limit))
			}
		}
		for _, name := range r.Auditors {
			say("%s joins as an auditor.", name)
		}
	case goods.Reseat:
		if !r.Announces() {
			say("The announced change %x of a seat is taken back.", r.ID[:])
			return words
		}
		role, index := r.Seat()
		who := "the council"
		switch role {
		case state.RoleCustodian:
			who = l.custodian(index)
		case state.RoleAuditor:
			who = l.auditor(index)
		}
		say("The seat of %s goes to another holder: %s.", who, s.scriptWords(r.Script))
		if role == state.RoleAuditor {
			say("What was attested from that seat before counts no more then.")
		}
	}
	return words
}

// parWaits is what an announced par means before it holds.
const parWaits = "Until then coins are given out at the lower par and taken in at the higher."

// limitWords says a limit: "up to 500 kg of Milling wheat".
func limitWords(l *ledger, good uint16, limit int64) string {
	if limit == 0 {
		return "no " + l.good(good).Name
	}
	return "up to " + l.of(good, limit)
}

// goodChange says what is different about a good.
func (s *Server) goodChange(l *ledger, c *goods.GoodChange) (words []string) {
	g := &c.Good
	if int(c.Index) >= len(l.goods) {
		return []string{fmt.Sprintf("%s (%s) joins the goods at %s.", g.Name, g.Code, s.par(g))}
	}
	was := &l.goods[c.Index].Good
	differ := func(what, now, before string) {
		if now != before {
			words = append(words, fmt.Sprintf("%s, %s: %s instead of %s.", was.Name, what, now, before))
		}
	}
	differ("name", g.Name, was.Name)
	differ("code", g.Code, was.Code)
	differ("par", s.par(g), s.par(was))
	differ("haircut", percentBP(g.HaircutBP), percentBP(was.HaircutBP))
	differ("an attestation counts for", plural(g.MaxAgeBlocks, "block"), plural(was.MaxAgeBlocks, "block"))
	differ("smallest receipt", measures(g.MinReceipt, g.Measure), measures(was.MinReceipt, was.Measure))
	differ("smallest redemption", measures(g.MinRedemption, g.Measure), measures(was.MinRedemption, was.Measure))
	if len(words) == 0 {
		words = []string{was.Name + " stays as it is: " + s.par(was) + "."}
	}
	return words
}

// parameter says a parameter's value.
func (s *Server) parameter(name, unit string, value int64) string {
	switch {
	case isMoney(name):
		return s.money.text(value)
	case isBasisPoints(name):
		return percentBP(value)
	}
	return count(value) + " " + unit
}

func (s *Server) scriptWords(script []byte) string {
	view := s.script(script)
	if view.Address != "" {
		return view.Address
	}
	return view.Kind + " " + short(view.Hex)
}

// tellChanges adds what was announced to the lines about it, where the block
// is still kept. What came into force names the transaction that announced it.
func (s *Server) tellChanges(l *ledger, lines []lineView) {
	told := map[chainhash.Hash][]string{}
	for i := len(lines) - 1; i >= 0; i-- { // the oldest first
		switch line := &lines[i]; line.kind {
		case history.KindChangeAnnounced:
			line.Details = s.announcement(l, line)
			told[line.txid] = line.Details
		case history.KindChangeEffective:
			line.Details = told[line.txid]
		}
	}
}

// announcement reads what the transaction of a line announced.
func (s *Server) announcement(l *ledger, line *lineView) []string {
	h := s.options.Chain.AtHeight(line.Height)
	if h == nil {
		return nil
	}
	block, err := s.options.Chain.Block(h)
	if err != nil {
		return nil // pruned
	}
	for i, id := range block.Txids {
		if id != line.txid {
			continue
		}
		outs := block.Msg.Transactions[i].TxOut
		record, ok, err := goods.DecodeRecord(outs[len(outs)-1].PkScript)
		if err != nil || !ok {
			return nil
		}
		return s.announcedWords(l, record)
	}
	return nil
}

// announcedWords says what an old announcement set, without what was before:
// that may have changed since.
func (s *Server) announcedWords(l *ledger, record goods.Record) (words []string) {
	r, is := record.(goods.Amend)
	if !is {
		return s.changeWords(l, record)
	}
	say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	for _, p := range r.Parameters {
		rule := params.ParameterRules[p.Parameter]
		say("%s: %s.", parameterWords[rule.Name], s.parameter(rule.Name, rule.Unit, p.Value))
	}
	for i := range r.Goods {
		say("%s: %s.", r.Goods[i].Good.Name, s.par(&r.Goods[i].Good))
	}
	for _, a := range r.Allowances {
		say("%s: %s.", l.custodian(a.Custodian), limitWords(l, a.Good, a.Limit))
	}
	for _, c := range r.Custodians {
		say("%s joins as a custodian.", c.Name)
	}
	for _, name := range r.Auditors {
		say("%s joins as an auditor.", name)
	}
	return words
}

package rpc

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	history "granary/index/goods"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

func attestedMethods() []Method {
	return []Method{
		{
			Name: "listattestations", Family: familyGoods,
			Summary: "Lists which auditors stand behind which proposals.",
			Detail:  "Without an auditor: the proposals that somebody stands behind now, or the one that is given. With one: what it attested, the newest first.",
			Params: []Param{
				{Name: "proposal", Type: Hex, Optional: true, Help: "A proposal hash, 64 hex digits in the order of its bytes."},
				{Name: "auditor", Type: Anything, Optional: true, Help: "Only of this auditor (name or index)."},
				pageParam(),
				{Name: "from", Type: Text, Optional: true, Help: "What next of the page before was."},
			},
			Result: "An object: height, quorum (auditors that are needed), and proposals (an array of objects: proposal, attested (auditor, name, height, until), counting (how many stand behind it in the next block), quorum, enough, used (the last height at which it may not be used again; absent where it was not used), label) or, with an auditor, events (see listgoodsevents); next (give it as from to see more; absent on the last page).",
			run:    listAttestations,
		},
		{
			Name: "getproposalhash", Family: familyGoods,
			Summary: "Gives the hash of a record that auditors attest, and says what the record means.",
			Params: []Param{
				{Name: "record", Type: Hex, Help: "The record: its output script, or what it pushes, or type and body alone."},
			},
			Result: "An object: proposal (hex, in the order of its bytes), type, attested (whether the rules want a quorum for such a record), script (hex, of the record's output), record (what it says; quantities in measures, amounts in coins).",
			run:    getProposalHash,
		},
		{
			Name: "getpendingchanges", Family: familyGoods,
			Summary: "Gives the changes that were announced and are not effective yet.",
			Result:  "An object: height, changes (an array of objects: slot, id (hex), txid, announced and effective (heights), blocks (left after the tip), change (what it says; parameters in their own units), outputs (that wait to be seats: vout, scriptPubKey), label).",
			run:     getPendingChanges,
		},
		{
			Name: "listinspections", Family: familyGoods,
			Summary: "Lists the receipts that auditors were asked to recount, the newest draw first.",
			Detail:  "After every 144th block up to 4 open receipts are drawn by the hash of the block, each with a chance as large as its value at the par in force (index/goods/inspect.go says how, to the byte). No rule depends on it.",
			Params:  []Param{pageParam(), beforeParam()},
			Result:  "An object: height, every (blocks between draws), inspections (an array of objects: height of the draw, receipt, custodian, name, good, quantity in measure at the draw, auditor (asked first), auditor_name, answered (the first audit that saw the goods since: height, txid, auditor, loss in measures; absent where none came), label), next (give it as before to see more; absent on the last page).",
			run:     listInspections,
		},
	}
}

func listAttestations(c *call) (any, error) {
	count, err := c.pageArg()
	if err != nil {
		return nil, err
	}
	if !c.arg("auditor").absent() {
		return c.attestationsOf(count)
	}
	var from []byte
	one := !c.arg("proposal").absent()
	if one || c.text("from", "") != "" {
		name := "from"
		if one {
			name, count = "proposal", 1
		}
		hash, err := proposalArg(c.arg(name))
		if err != nil {
			return nil, err
		}
		from = hash[:]
	}
	var out object
	err = c.goodsView(func(b *book, v state.View) error {
		out, err = c.liveProposals(b, v, from, one, count)
		return err
	})
	return out, err
}

// attestationsOf is the history of what one auditor attested. A page has as
// many as are among the auditor's last count events.
func (c *call) attestationsOf(count int) (any, error) {
	x, err := c.history()
	if err != nil {
		return nil, err
	}
	before, err := cursorOf(c.text("from", ""))
	if err != nil {
		return nil, err
	}
	var b *book
	var auditor uint16
	var quorum int64
	err = c.goodsView(func(found *book, v state.View) error {
		b = found
		p, err := c.parameters(v)
		if err != nil {
			return err
		}
		quorum = p.QuorumAuditors
		auditor, err = c.auditorArg("auditor", b, history.None)
		return err
	})
	if err != nil {
		return nil, err
	}
	events, more, err := x.Events(history.OfAuditor(auditor), before, count)
	if err != nil {
		return nil, err
	}
	list := []object{}
	for i := range events {
		if events[i].Kind == history.KindAttested {
			list = append(list, b.event(&events[i]))
		}
	}
	out := object{{"height", b.tip.Height}, {"quorum", quorum}, {"events", list}}
	if more {
		last := &events[len(events)-1]
		out = append(out, member{"next", cursorText(last.Height, last.Seq)})
	}
	return out, nil
}

// liveProposals lists proposals with attestations that the state remembers.
func (c *call) liveProposals(b *book, v state.View, from []byte, one bool, count int) (object, error) {
	p, err := c.parameters(v)
	if err != nil {
		return nil, err
	}
	start, end := state.AttestationKeys()
	start = append(bytes.Clone(start), from...)
	var hashes []chainhash.Hash
	more := false
	err = v.GoodsRange(start, end, func(key, _ []byte) bool {
		hash := chainhash.Hash(key[1 : 1+chainhash.HashSize])
		switch n := len(hashes); {
		case one && !bytes.Equal(hash[:], from):
			return false
		case n > 0 && hashes[n-1] == hash:
		case n == count:
			more = true
			hashes = append(hashes, hash)
			return false
		default:
			hashes = append(hashes, hash)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	out := object{{"height", b.tip.Height}, {"quorum", p.QuorumAuditors}}
	list := []object{}
	if one && len(hashes) == 0 {
		hashes = append(hashes, chainhash.Hash(from))
	}
	next := ""
	if more {
		next = hexOf(hashes[count][:])
		hashes = hashes[:count]
	}
	for _, hash := range hashes {
		o, err := b.proposalJSON(v, hash, &p)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	if out = append(out, member{"proposals", list}); next != "" {
		out = append(out, member{"next", next})
	}
	return out, nil
}

// proposalJSON tells who stands behind a proposal.
func (b *book) proposalJSON(v state.View, hash chainhash.Hash, p *params.Parameters) (object, error) {
	by := []object{}
	counting := int64(0)
	next := b.tip.Height + 1
	for i := range b.seats {
		seat := &b.seats[i]
		if seat.Role != state.RoleAuditor {
			continue
		}
		value, err := v.Goods(state.KeyAttestation(hash, seat.Index))
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		given, err := state.DecodeAttestation(value)
		if err != nil {
			return nil, err
		}
		counts := seat.Since <= given.Height && given.Height < next && next <= given.Until
		if counts {
			counting++
		}
		by = append(by, object{
			{"auditor", seat.Index}, {"name", seat.Name}, {"height", given.Height}, {"until", given.Until}, {"counts", counts},
		})
	}
	o := object{
		{"proposal", hexOf(hash[:])},
		{"attested", by},
		{"counting", counting},
		{"quorum", p.QuorumAuditors},
		{"enough", counting >= p.QuorumAuditors},
	}
	used, err := v.Goods(state.KeyUsed(hash))
	if err != nil {
		return nil, err
	}
	if used != nil {
		until, err := state.DecodeHeight(used)
		if err != nil {
			return nil, err
		}
		o = append(o, member{"used", until})
	}
	return append(o, member{"label", proved}), nil
}

// needsQuorum reports a record for which the rules want a quorum.
func needsQuorum(record goods.Record) bool {
	switch r := record.(type) {
	case goods.Receive, goods.Tender, goods.DeliverAttested, goods.Audit, goods.Suspend, goods.Lift:
		return true
	case goods.Reseat:
		return r.OfCouncil()
	}
	return false
}

func getProposalHash(c *call) (any, error) {
	if c.Rules.Charter == nil {
		return nil, errNoCharter
	}
	raw, err := c.bytes("record")
	if err != nil {
		return nil, err
	}
	record, err := readRecord(raw)
	if err != nil {
		return nil, errorf(CodeDeserialization, "this is no record: %s", err.Error())
	}
	said := recordJSON{}
	said.explain(record)
	hash := goods.ProposalHash(c.Rules.Charter.ID(), record)
	return object{
		{"proposal", hexOf(hash[:])},
		{"type", record.Type().String()},
		{"attested", needsQuorum(record)},
		{"script", hexOf(goods.RecordScript(record))},
		{"record", said},
	}, nil
}

// readRecord reads a record from its output script, from what that pushes, or
// from type and body.
func readRecord(raw []byte) (goods.Record, error) {
	if len(raw) > 0 && raw[0] == txscript.OP_RETURN {
		record, ok, err := goods.DecodeRecord(raw)
		if !ok && err == nil {
			err = errorf(CodeDeserialization, "the script has not the form of one")
		}
		return record, err
	}
	tag := []byte("GrRe")
	payload := append(bytes.Clone(tag), bytes.TrimPrefix(raw, tag)...)
	script, err := txscript.NewScriptBuilder(txscript.WithScriptAllocSize(len(payload) + 8)).AddOp(txscript.OP_RETURN).AddFullData(payload).Script()
	if err != nil {
		return nil, err
	}
	record, ok, err := goods.DecodeRecord(script)
	if !ok && err == nil {
		err = errorf(CodeDeserialization, "it is too short")
	}
	return record, err
}

func getPendingChanges(c *call) (any, error) {
	var out object
	err := c.goodsView(func(b *book, v state.View) error {
		list := []object{}
		for slot := state.Slot(0); slot < state.SlotCount; slot++ {
			p, err := goods.ReadPending(v, slot)
			if err != nil {
				return err
			}
			if p == nil {
				continue
			}
			list = append(list, c.changeJSON(b, slot, p))
		}
		out = object{{"height", b.tip.Height}, {"changes", list}}
		return nil
	})
	return out, err
}

func (c *call) changeJSON(b *book, slot state.Slot, p *state.Pending) object {
	kind := goods.TypeAmend
	if slot != state.SlotAmend {
		kind = goods.TypeReseat
	}
	said := recordJSON{}
	if record, err := readRecord(append([]byte{byte(kind)}, p.Body...)); err == nil {
		said.explain(record)
	}
	outputs := []object{}
	for i, script := range p.Scripts {
		outputs = append(outputs, object{
			{"vout", i + 1}, {"scriptPubKey", newScriptJSON(script, c.server.opts.Net.Chain, true)},
		})
	}
	return object{
		{"slot", slotName(slot)},
		{"id", hexOf(p.ID[:])},
		{"txid", p.Txid.String()},
		{"announced", p.Announced},
		{"effective", p.Effective},
		{"blocks", p.Effective - b.tip.Height},
		{"change", said},
		{"outputs", outputs},
		{"label", proved},
	}
}

func listInspections(c *call) (any, error) {
	x, count, before, err := c.historyPage()
	if err != nil {
		return nil, err
	}
	var b *book
	if err := c.goodsView(func(found *book, _ state.View) error { b = found; return nil }); err != nil {
		return nil, err
	}
	drawn, more, err := x.Inspections(before, count)
	if err != nil {
		return nil, err
	}
	list := []object{}
	for i := range drawn {
		o, err := b.inspectionJSON(x, &drawn[i])
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	out := object{{"height", b.tip.Height}, {"every", history.InspectEveryBlocks}, {"inspections", list}}
	if more {
		last := &drawn[len(drawn)-1]
		out = append(out, member{"next", cursorText(last.Height, last.Place)})
	}
	return out, nil
}

func (b *book) inspectionJSON(x *history.Index, i *history.Inspection) (object, error) {
	code, measure := b.good(i.Good)
	o := object{
		{"height", i.Height},
		{"receipt", i.Receipt},
		{"custodian", i.Custodian},
		{"name", b.custodian(i.Custodian)},
		{"good", code},
		{"quantity", i.Quantity},
		{"measure", measure},
		{"auditor", i.Auditor},
		{"auditor_name", b.auditor(i.Auditor)},
	}
	audit, found, err := x.Answered(i)
	if err != nil {
		return nil, err
	}
	if found {
		o = append(o, member{"answered", object{
			{"height", audit.Height},
			{"txid", audit.Txid.String()},
			{"auditor", audit.Auditor},
			{"loss", audit.Stated},
			{"label", b.attestedLabel(audit.Backers)},
		}})
	}
	return append(o, member{"label", proved}), nil
}

package goods_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/datadriven"

	"granary/rules/goods"
	"granary/state"
)

// vectorPropose makes a proposal, "propose NAME":
//
//	by custodian N expires BLOCKS seen DEPTH            from the next height
//	foreign                                             the observed hash is of another branch
//	many N                                              N receipts of good 0
//	open good N [registry N] lot SERIAL quantity N [location TEXT] script ...
func (w *world) vectorPropose(d *datadriven.TestData) string {
	w.t.Helper()
	next := w.height + 1
	var r goods.Receive
	for _, line := range strings.Split(d.Input, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var o goods.Opening
		for i := 1; i+1 < len(words); i += 2 {
			if words[i] == "script" {
				o.Script = w.script(words[i+1:])
				break
			}
			n, _ := strconv.ParseInt(strings.ReplaceAll(words[i+1], "_", ""), 10, 64)
			switch words[i] {
			case "custodian":
				r.Custodian = uint16(n)
			case "expires":
				r.Expiry = next + int32(n)
			case "seen":
				r.Observed.Height = next - int32(n)
			case "good":
				o.Good = uint16(n)
			case "registry":
				o.Registry = uint16(n)
			case "lot":
				o.Serial = words[i+1]
			case "quantity":
				o.Quantity = n
			case "location":
				o.Location = words[i+1]
			default:
				w.t.Fatalf("unknown word %q", words[i])
			}
		}
		switch words[0] {
		case "by":
			if h := w.tip.Ancestor(r.Observed.Height); h != nil {
				r.Observed.Hash = h.Hash
			}
		case "foreign":
			r.Observed.Hash[0] ^= 1
		case "many":
			n, _ := strconv.Atoi(words[1])
			for i := range n {
				r.Openings = append(r.Openings, goods.Opening{Serial: fmt.Sprintf("MANY-%d", i), Quantity: 1_000, Script: keyScript(30)})
			}
		case "open":
			o.Document = chainhash.HashH([]byte(o.Serial))
			r.Openings = append(r.Openings, o)
		}
	}
	if w.proposals == nil {
		w.proposals = map[string]goods.Record{}
	}
	w.proposals[d.CmdArgs[0].Key] = r
	hash := w.proposalHash(d.CmdArgs[0].Key)
	return fmt.Sprintf("%x\n", hash[:])
}

func (w *world) proposalHash(name string) chainhash.Hash {
	w.t.Helper()
	r, ok := w.proposals[name]
	if !ok {
		w.t.Fatalf("no proposal %s", name)
	}
	return goods.ProposalHash(w.charter.ID(), r)
}

// vectorAttest mines a block in which auditors attest, "attest NAME by=(0,1)".
func (w *world) vectorAttest(d *datadriven.TestData) string {
	w.t.Helper()
	a := w.begin()
	for _, arg := range d.CmdArgs {
		if arg.Key != "by" {
			continue
		}
		for _, text := range arg.Vals {
			n, _ := strconv.Atoi(text)
			if err := a.tx(w.attestTx(uint16(n), w.proposalHash(d.CmdArgs[0].Key))); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if _, err := a.finish(a.coinbase()); err != nil {
		w.t.Fatal(err)
	}
	w.check()
	return fmt.Sprintf("height %d\n", w.height)
}

// attestTx is an auditor's transaction; the seat stays where it is.
func (w *world) attestTx(auditor uint16, hashes ...chainhash.Hash) *wire.MsgTx {
	w.t.Helper()
	return w.seatTx(state.RoleAuditor, auditor, goods.Attest{Proposals: hashes})
}

func (w *world) seatTx(role state.Role, index uint16, r goods.Record) *wire.MsgTx {
	w.t.Helper()
	seat := w.seat(role, index)
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, seat.Script))
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(r)))
	return msg
}

// recordScript makes a record from its words.
func (w *world) recordScript(words []string) []byte {
	w.t.Helper()
	switch words[0] {
	case "attest":
		var r goods.Attest
		for _, name := range words[1:] {
			r.Proposals = append(r.Proposals, w.proposalHash(name))
		}
		slices.SortFunc(r.Proposals, func(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) })
		return goods.RecordScript(r)
	case "attests": // of so many made-up hashes
		n, _ := strconv.Atoi(words[1])
		r := goods.Attest{Proposals: make([]chainhash.Hash, n)}
		for i := range r.Proposals {
			r.Proposals[i][0] = byte(i)
		}
		return goods.RecordScript(r)
	case "receive":
		return goods.RecordScript(w.proposals[words[1]])
	case "draw":
		number, _ := strconv.ParseUint(words[1], 10, 64)
		quantity, _ := strconv.ParseInt(strings.ReplaceAll(words[2], "_", ""), 10, 64)
		r := goods.Draw{Receipt: number, Quantity: quantity}
		if receipt, err := goods.ReadReceipt(w, number); err == nil && receipt != nil {
			r.ID = receipt.ID
		}
		if len(words) > 3 {
			copy(r.ID[:], unhex(w.t, words[3]))
		}
		return goods.RecordScript(r)
	}
	if record := vectorRecords[words[0]]; record != nil {
		return goods.RecordScript(record(w, words))
	}
	return recordScript(w.t, words[0])
}

// describeGoods writes the line of a goods event.
func describeGoods(b *strings.Builder, e goods.Event) {
	for _, describe := range vectorEvents {
		describe(b, e)
	}
	switch e := e.(type) {
	case goods.Attested:
		fmt.Fprintf(b, "auditor %d attests %x... until %d\n", e.Auditor, e.Proposal[:4], e.Until)
	case goods.ReceiptOpened:
		fmt.Fprintf(b, "receipt %d id %x: %d of good %d at custodian %d until %d\n", e.Receipt.Number, e.Receipt.ID[:],
			e.Receipt.OpenedWith, e.Receipt.Good, e.Receipt.Custodian, e.Receipt.ValidUntil)
	case goods.Released:
		fmt.Fprintf(b, "receipt %d releases %d for %d, fee %d, undrawn %d free %d\n", e.Receipt.Number, e.Units, e.Quantity,
			e.FeeUnits, e.Receipt.Undrawn, e.Receipt.Free)
	case goods.TreasurySpent:
		fmt.Fprintf(b, "treasury spent %d\n", e.Units)
	case goods.Expired:
		fmt.Fprintf(b, "expired after %d: %d of good %d at custodian %d\n", e.ValidUntil, e.Free, e.Good, e.Custodian)
	}
}

// describeReceipts shows reserve and receipts where there are any.
func (w *world) describeReceipts(b *strings.Builder) {
	w.t.Helper()
	reserve, err := goods.ReadReserve(w)
	if err != nil {
		w.t.Fatal(err)
	}
	first := true
	err = goods.RangeReceipts(w, func(r *state.Receipt) bool {
		if first {
			b.WriteString(reserveWords(&reserve) + "\n")
			first = false
		}
		fmt.Fprintf(b, "receipt %d: %s undrawn %d free %d owed %d released %d until %d to %s\n", r.Number, r.Serial,
			r.Undrawn, r.Free, r.Owed, r.ReleasedUnits, r.ValidUntil, hex.EncodeToString(r.Script))
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

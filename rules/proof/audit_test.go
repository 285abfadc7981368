package proof_test

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/rules/proof"
	"granary/state"
)

type wireHeader = wire.BlockHeader

// oddCharter is another charter than the demo's.
func oddCharter(t testing.TB) *params.Charter {
	t.Helper()
	c := *demoCharter(t)
	c.Name = "Another"
	charter, err := params.NewCharter(c)
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

// audit writes a whole audit in pages of so many bytes.
func (w *world) audit(pageBytes int) []byte {
	w.t.Helper()
	file := proof.AppendAuditStart(nil, w.charter, w.anchor(3))
	var from []byte
	for {
		page, next, err := proof.AppendAuditKeys(nil, w.view, from, pageBytes)
		if err != nil {
			w.t.Fatal(err)
		}
		file = append(file, page...)
		if from = next; from == nil {
			return proof.AppendAuditEnd(file)
		}
	}
}

func verifyAudit(file []byte) (*proof.AuditFacts, error) {
	return proof.VerifyAudit(bufio.NewReader(bytes.NewReader(file)), nil)
}

func TestAudit(t *testing.T) {
	for _, receipts := range []int{0, 1, 2, 30, 1000} {
		w := newWorld(t, uint64(receipts), receipts)
		file := w.audit(1 << 20)
		if !bytes.Equal(file, w.audit(1)) {
			t.Fatalf("%d receipts: the pages make another file", receipts)
		}
		facts, err := verifyAudit(file)
		if err != nil {
			t.Fatalf("%d receipts: %v", receipts, err)
		}
		reserve, err := goods.ReadReserve(w.view)
		if err != nil {
			t.Fatal(err)
		}
		if facts.Receipts != int64(receipts) || facts.Totals != w.totals || facts.Reserve != reserve ||
			facts.ReservedLots != 1 || facts.Bytes != int64(len(file)) || len(facts.Goods) != 3 || len(facts.Custodians) != 2 {
			t.Errorf("%d receipts: %+v", receipts, facts)
		}
		var counted, inR state.Sum
		for _, g := range facts.Goods {
			inR = inR.Plus(g.CountedUnits)
			counted = counted.Add(g.Receipts)
		}
		if inR != facts.Reserve.Counted || counted.Units() != int64(receipts) {
			t.Errorf("%d receipts: goods add up to %v of %v", receipts, inR, facts.Reserve.Counted)
		}
		var copied bytes.Buffer
		if _, err := proof.CopyAudit(&copied, iotest{file}.reader(), nil); err != nil || !bytes.Equal(copied.Bytes(), file) {
			t.Errorf("%d receipts: a copy of %d bytes, %v", receipts, copied.Len(), err)
		}
	}
}

// iotest gives a file byte by byte.
type iotest struct{ b []byte }

func (i iotest) reader() io.Reader { return &oneByte{i.b} }

type oneByte struct{ b []byte }

func (o *oneByte) Read(p []byte) (int, error) {
	if len(o.b) == 0 {
		return 0, io.EOF
	}
	p[0], o.b = o.b[0], o.b[1:]
	return 1, nil
}

// TestFalseAudits: a file that is not the committed state is refused, whatever
// was done to it.
func TestFalseAudits(t *testing.T) {
	w := newWorld(t, 9, 12)
	file := w.audit(1 << 20)
	right, err := verifyAudit(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := range file {
		if _, err := verifyAudit(file[:n]); err == nil {
			t.Fatalf("cut to %d bytes is taken", n)
		}
	}
	if _, err := verifyAudit(append(slices.Clone(file), 0)); err == nil {
		t.Error("a byte too many is taken")
	}
	for i := range file {
		changed := slices.Clone(file)
		changed[i] ^= 4
		// A header that happens to meet the easy target is another block.
		if facts, err := verifyAudit(changed); err == nil && facts.Block.Hash == right.Block.Hash {
			t.Fatalf("with byte %d changed it is taken", i)
		}
	}
}

// TestContradictions: states to which a block commits but that do not fit
// together are told apart by what is wrong.
func TestContradictions(t *testing.T) {
	limit := state.EncodeLimit
	receipt := func(w *world, number uint64, change func(r *state.Receipt)) {
		r, err := goods.ReadReceipt(w.view, number)
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		r.OpenedWith = r.Quantity() + r.Delivered + r.Lost
		w.set(r.Key(), r.Encode())
	}
	claim := func(w *world, number uint64, change func(c *state.Claim)) {
		c, err := goods.ReadClaim(w.view, number)
		if err != nil {
			t.Fatal(err)
		}
		change(c)
		w.set(c.Key(), c.Encode())
	}
	standing := func(w *world, index uint16, change func(s *state.Standing)) {
		s, err := goods.ReadStanding(w.view, index)
		if err != nil {
			t.Fatal(err)
		}
		change(s)
		w.set(state.KeyStanding(index), s.Encode())
	}
	lotKey := state.KeyLot(goods.LotCommitment(0, "LOT-4"))
	for want, change := range map[string]func(w *world){
		"custodian 0 holds":           func(w *world) { receipt(w, 4, func(r *state.Receipt) { r.Free++ }) },
		"what stops counting":         func(w *world) { receipt(w, 990, func(r *state.Receipt) { r.ValidUntil++ }) },
		"what receipts owe":           func(w *world) { claim(w, 3, func(c *state.Claim) { c.Quantity++ }) },
		"what receipts owe ":          func(w *world) { claim(w, 3, func(c *state.Claim) { c.Receipt++ }) },
		"what receipts owe  ":         func(w *world) { claim(w, 2, func(c *state.Claim) { c.Custodian ^= 1 }) },
		"the escrows of all claims":   func(w *world) { claim(w, 0, func(c *state.Claim) { c.EscrowUnits++ }) },
		"the outpoints are not":       func(w *world) { claim(w, 0, func(c *state.Claim) { c.Token.Index++ }) },
		"the outpoints are not ":      func(w *world) { claim(w, 0, func(c *state.Claim) { c.Escrow.Index++ }) },
		"the outpoints are not  ":     func(w *world) { w.mean(w.out(), state.Meaning{Kind: state.MeansBond}) },
		"the outpoints are not   ":    func(w *world) { standing(w, 0, func(s *state.Standing) { s.Bonds = nil }) },
		"untendered claims that its":  func(w *world) { claim(w, 0, func(c *state.Claim) { c.Tendered = 0 }) },
		"the deadlines of untendered": func(w *world) { claim(w, 1, func(c *state.Claim) { c.Deadline++ }) },
		"values of custodian 1":       func(w *world) { standing(w, 1, func(s *state.Standing) { s.Whole.Lo++ }) },
		"the reserve R is":            func(w *world) { standing(w, 1, func(s *state.Standing) { s.Lift() }) },
		"the defaults to come":        func(w *world) { standing(w, 1, func(s *state.Standing) { s.DefaultAt++ }) },
		"the defaults to come ":       func(w *world) { w.set(state.KeyDefault(2000, 0), state.ExpiryMark()) },
		"the lot of receipt 4":        func(w *world) { w.set(lotKey, nil) },
		"the lot of receipt 4 ":       func(w *world) { w.set(lotKey, state.EncodeNumber(5)) },
		"receipt 4 has two lots": func(w *world) {
			w.set(state.KeyLot([32]byte{0xff}), state.EncodeNumber(4))
			w.set(state.KeyLot([32]byte{}), nil)
		},
		"is not below the next":        func(w *world) { w.set(state.KeyNextReceipt(), state.EncodeNumber(3)) },
		"is not below the next ":       func(w *world) { w.set(state.KeyNextClaim(), state.EncodeNumber(3)) },
		"what expires is not":          func(w *world) { w.set(state.KeyExpiry(1051, [32]byte{}, 0), state.ExpiryMark()) },
		"a used proposal that is over": func(w *world) { w.set(state.KeyUsed([32]byte{5}), state.EncodeHeight(5)) },
		"an attestation that is over": func(w *world) {
			w.set(state.KeyAttestation([32]byte{5}, 0), state.Attestation{Height: 1, Until: 2}.Encode())
		},
		"seats of a custodian": func(w *world) { w.set(state.KeySeat(state.RoleCustodian, 1), nil) },
		"no seat of auditor 2": func(w *world) {
			s := w.view.values[string(state.KeySeat(state.RoleAuditor, 2))]
			w.set(state.KeySeat(state.RoleAuditor, 2), nil)
			w.set(state.KeySeat(state.RoleAuditor, 3), s)
		},
		"goods, the state counts":            func(w *world) { w.set(state.KeyGood(2), nil) },
		"is there for nothing":               func(w *world) { w.set(state.KeyUntendered(0, 5), limit(0)) },
		"has nothing left":                   func(w *world) { receipt(w, 4, func(r *state.Receipt) { r.Undrawn, r.Free, r.Owed = 0, 0, 0 }) },
		"is from the future":                 func(w *world) { receipt(w, 4, func(r *state.Receipt) { r.Opened = stateHeight + 1 }) },
		"is of no known kind":                func(w *world) { w.set([]byte{0x7f, 1}, []byte{1}) },
		"there is no custodian 1 or no good": func(w *world) { w.set(state.KeyAllowance(1, 9), limit(1)) },
		"there can be":                       func(w *world) { w.set(state.KeyAllowance(1, 999), limit(1)) },
		"a total is":                         func(w *world) { w.set(state.KeyTotals(), make([]byte, 31)) },
		"still pending":                      func(w *world) { w.set(state.KeyPending(1), (&state.Pending{Effective: stateHeight}).Encode()) },
	} {
		w := newWorld(t, 5, 1000)
		if want == "receipt 4 has two lots" {
			w.set(state.KeyLot([32]byte{}), state.EncodeNumber(0))
		}
		change(w)
		w.commit()
		_, err := verifyAudit(w.audit(1 << 20))
		if want == "a total is" {
			want = "totals are damaged"
		}
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%q: %v", want, err)
		} else if !strings.Contains(err.Error(), "contradicts itself") {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// FuzzAudit: whatever comes is refused without harm, unless it is the file.
func FuzzAudit(f *testing.F) {
	w := newWorld(f, 4, 2)
	file := w.audit(1 << 20)
	f.Add(file)
	f.Add([]byte("GrPf\x02\x02"))
	right, err := verifyAudit(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if facts, err := verifyAudit(b); err == nil && facts.Block.Hash == right.Block.Hash && !bytes.Equal(b, file) {
			t.Fatal("another file is taken for the same block")
		}
	})
}

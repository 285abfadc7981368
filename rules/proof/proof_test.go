package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"granary/params"
	"granary/rules/goods"
	"granary/rules/proof"
	"granary/state"
)

// maxReceiptProofBytes is what one receipt's proof may have, everything in it.
const maxReceiptProofBytes = 10_000

func TestReceiptProof(t *testing.T) {
	w := newWorld(t, 1, 3000)
	for _, number := range []uint64{0, 1, 2, 17, 2999} {
		encoded := w.prove(number).Encode()
		if len(encoded) > maxReceiptProofBytes {
			t.Errorf("the proof of receipt %d has %d bytes", number, len(encoded))
		}
		p, err := proof.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.Encode(), encoded) {
			t.Errorf("receipt %d: a decoded proof encodes to something else", number)
		}
		facts, err := p.Verify(w.charter)
		if err != nil {
			t.Fatal(err)
		}
		want, err := goods.ReadReceipt(w.view, number)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(facts.Receipt.Encode(), want.Encode()) || facts.Receipt.Number != number {
			t.Errorf("receipt %d is proved as %+v, is %+v", number, facts.Receipt.Receipt, want)
		}
		if facts.Totals != w.totals || facts.Block.Height != stateHeight+1 || facts.Block.StateHeight() != stateHeight {
			t.Errorf("facts %+v at %d", facts.Totals, facts.Block.Height)
		}
		name := w.charter.Custodians[want.Custodian].Name
		if facts.Receipt.Custodian.Name != name || facts.Receipt.Good.Code != w.charter.Goods[want.Good].Code {
			t.Errorf("receipt %d: custodian %q, good %s", number, facts.Receipt.Custodian.Name, facts.Receipt.Good.Code)
		}
		suspended := want.Custodian == 1
		if facts.Receipt.Standing.Suspended != suspended || suspended && facts.Receipt.Counts(stateHeight) {
			t.Errorf("receipt %d: standing %+v", number, facts.Receipt.Standing)
		}
	}
}

// crowdCharter has so many custodians with the longest names, each of which may
// hold every good.
func crowdCharter(t testing.TB, custodians int) *params.Charter {
	t.Helper()
	c := *demoCharter(t)
	c.Custodians = nil
	for i := range custodians {
		script := append(append([]byte{0x00, 20}, byte(i), 0xcc), make([]byte, 18)...)
		member := params.Custodian{Member: params.Member{Name: fmt.Sprintf("%064d", i), Script: script}}
		for good := range c.Goods {
			member.Allowances = append(member.Allowances, params.Allowance{Good: uint16(good), Limit: 1 << 40})
		}
		c.Custodians = append(c.Custodians, member)
	}
	charter, err := params.NewCharter(c)
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

// TestProofOfLargeCharter: a receipt's proof does not grow with the charter.
func TestProofOfLargeCharter(t *testing.T) {
	charter := crowdCharter(t, 200)
	w := newWorldOf(t, charter, params.MaxBonds, 1, 20_000)
	longest := 0
	for number := uint64(0); number < 20_000; number += 97 {
		p := w.prove(number)
		longest = max(longest, len(p.Encode()))
		if facts, err := p.Verify(charter); err != nil || facts.Receipt.Number != number {
			t.Fatalf("receipt %d: %v", number, err)
		}
	}
	if longest > maxReceiptProofBytes || len(charter.Canonical()) < 2*maxReceiptProofBytes {
		t.Errorf("%d bytes with a charter of %d", longest, len(charter.Canonical()))
	}
	t.Logf("%d bytes, the charter has %d", longest, len(charter.Canonical()))
}

// TestWithoutCharter: who has no charter learns the same figures, and what
// only a charter tells is not checked.
func TestWithoutCharter(t *testing.T) {
	w := newWorld(t, 2, 30)
	p := w.prove(6, 2)
	with, err := p.Verify(w.charter)
	if err != nil {
		t.Fatal(err)
	}
	without, err := p.Verify(nil)
	if err != nil || without.Charter != nil || with.Charter != w.charter || without.CharterID != w.charter.ID() {
		t.Fatalf("%+v %v", without, err)
	}
	without.Charter = w.charter
	if !reflect.DeepEqual(with, without) {
		t.Errorf("with the charter %+v, without it %+v", with, without)
	}
	if _, err := p.Verify(oddCharter(t)); err == nil || !strings.Contains(err.Error(), "belongs to the chain of charter") {
		t.Error(err)
	}
	// An easier target than the network's: a charter tells, nothing else does.
	p.Header.Bits = 0x2100ffff
	if _, err := p.Verify(w.charter); err == nil || !strings.Contains(err.Error(), "asks for at least") {
		t.Error(err)
	}
	if _, err := p.Verify(nil); err != nil {
		t.Error(err)
	}
}

func TestClaimProof(t *testing.T) {
	w := newWorld(t, 1, 30)
	facts, err := w.prove(3, 1).Verify(w.charter)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Claims) != 1 || facts.Claims[0].Receipt != 3 || facts.Claims[0].Number != 1 {
		t.Errorf("claims %+v", facts.Claims)
	}
	three, one := uint64(3), uint64(1)
	for name, subject := range map[string]proof.Subject{
		"one of receipt":           {Receipt: &three, Claims: []uint64{0}},
		"claim 99 is not":          {Receipt: &three, Claims: []uint64{99}},
		"proved with its receipt":  {Claims: []uint64{one}},
		"never was, or it is clos": {Receipt: ptr(uint64(77))},
	} {
		if _, err := proof.Keys(w.charter, w.view, subject); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := proof.Keys(w.charter, w.view, proof.Subject{Receipt: ptr(uint64(77))}); !errors.Is(err, proof.ErrUnknown) {
		t.Error(err)
	}
}

func ptr[T any](v T) *T { return &v }

// TestReserveProof: without a receipt, the figures of the chain alone.
func TestReserveProof(t *testing.T) {
	w := newWorld(t, 1, 30)
	keys, err := proof.Keys(w.charter, w.view, proof.Subject{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := proof.Make(w.anchor(0), w.view, keys)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := p.Verify(w.charter)
	if err != nil || facts.Receipt != nil || facts.Totals != w.totals {
		t.Fatalf("%+v %v", facts, err)
	}
}

// TestFalseProofs changes one thing at a time in a right proof.
func TestFalseProofs(t *testing.T) {
	w := newWorld(t, 2, 200)
	base := w.prove(6, 2)
	other := newWorld(t, 3, 200)
	for name, change := range map[string]func(p *proof.Proof){
		"has not the work":                func(p *proof.Proof) { p.Header.Nonce++; unmine(p) },
		"has not the work that it":        func(p *proof.Proof) { p.Header.Bits = 0x1d00ffff },
		"is not in block":                 func(p *proof.Proof) { p.Branch[2][0] ^= 1 },
		"is not in block ":                func(p *proof.Proof) { p.Branch = p.Branch[1:] },
		"cannot be read":                  func(p *proof.Proof) { p.Coinbase = p.Coinbase[:len(p.Coinbase)-1] },
		"is not in  block":                func(p *proof.Proof) { p.Coinbase[len(p.Coinbase)-1]++ },
		"another goods state":             func(p *proof.Proof) { p.Root[0] ^= 1 },
		"belongs to the chain of charter": func(p *proof.Proof) { p.CharterID[0] ^= 1 },
		"the entry of key":                func(p *proof.Proof) { p.Entries = other.prove(6, 2).Entries },
		"says nothing of key":             func(p *proof.Proof) { p.Entries = p.Entries[1:] },
		"more than belongs": func(p *proof.Proof) {
			more, err := proof.Make(&p.Anchor, w.view, [][]byte{state.KeyNextReceipt()})
			if err != nil {
				t.Fatal(err)
			}
			p.Entries = append(p.Entries, more.Entries...)
		},
		"about two receipts": func(p *proof.Proof) {
			p.Entries = append(p.Entries, w.prove(7).Entries...)
		},
		"does not lead to the root": func(p *proof.Proof) {
			at := slices.IndexFunc(p.Entries, func(e proof.Entry) bool { return bytes.Equal(e.Key, state.KeyReceipt(6)) })
			value := p.Entries[at].Tree.Value
			value[len(value)-1] ^= 1
		},
		"is not in the goods state": func(p *proof.Proof) {
			// The proof that receipt 999 is absent does not become one of 6.
			absent, err := proof.Make(&p.Anchor, w.view, [][]byte{state.KeyReceipt(999)})
			if err != nil {
				t.Fatal(err)
			}
			p.Entries = slices.DeleteFunc(p.Entries, func(e proof.Entry) bool {
				return bytes.Equal(e.Key, state.KeyReceipt(6)) || e.Key[0] == state.KeyClaim(0)[0]
			})
			p.Entries = append(p.Entries, absent.Entries...)
		},
	} {
		p, err := proof.Decode(base.Encode())
		if err != nil {
			t.Fatal(err)
		}
		change(p)
		want := strings.ReplaceAll(strings.TrimSpace(name), "  ", " ")
		if _, err := p.Verify(w.charter); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "is not in the goods state", want), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := base.Verify(w.charter); err != nil {
		t.Fatal(err)
	}
}

// unmine finds a nonce that does not meet the target.
func unmine(p *proof.Proof) {
	target, _ := state.TargetOf(p.Header.Bits)
	for id := p.Header.BlockHash(); state.HashMeets(&id, &target); id = p.Header.BlockHash() {
		p.Header.Nonce++
	}
}

// TestDecodeIsStrict: every cut, every byte more and every changed byte is
// refused, or changes nothing that was said.
func TestDecodeIsStrict(t *testing.T) {
	w := newWorld(t, 4, 50)
	right := w.prove(3)
	encoded := right.Encode()
	for n := range encoded {
		if _, err := proof.Decode(encoded[:n]); err == nil {
			t.Fatalf("a proof cut to %d bytes is read", n)
		}
	}
	if _, err := proof.Decode(append(slices.Clone(encoded), 0)); err == nil {
		t.Error("a byte too many is read")
	}
	for i := range encoded {
		for _, flip := range []byte{1, 0x80} {
			changed := slices.Clone(encoded)
			changed[i] ^= flip
			p, err := proof.Decode(changed)
			if err != nil {
				continue
			}
			if !bytes.Equal(p.Encode(), changed) {
				t.Fatalf("byte %d: read as something else", i)
			}
			// A header that happens to meet the easy target is another block.
			if facts, err := p.Verify(w.charter); err == nil && facts.Block.Hash == right.Header.BlockHash() {
				t.Fatalf("byte %d changed by %x still proves %+v", i, flip, facts)
			}
		}
	}
	if _, err := proof.Decode([]byte("nonsense")); !errors.Is(err, proof.ErrNotAFile) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	w := newWorld(f, 4, 5)
	f.Add(w.prove(3).Encode())
	f.Add([]byte("GrPf\x02\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := proof.Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), b) {
			t.Fatal("decoded to something that encodes otherwise")
		}
		_, _ = p.Verify(nil)
		_, _ = p.Verify(w.charter)
	})
}

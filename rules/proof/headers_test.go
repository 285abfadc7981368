package proof_test

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/params"
	"granary/rules/proof"
)

// headerFile is that of a chain of so many blocks without goods.
func headerFile(t testing.TB, charter *params.Charter, count int32) []byte {
	t.Helper()
	view := &mapView{values: map[string][]byte{}}
	file := proof.AppendHeadersStart(nil, charter, uint32(count))
	var parent chainhash.Hash
	for height := range count {
		b := blockOf(t, charter, view, height+1, parent, 0)
		file = proof.AppendHeader(file, &b.Msg.Header)
		parent = b.Hash
	}
	return file
}

// readHeaders gives the hash of the last header of a file.
func readHeaders(file []byte) (charter *params.Charter, count int32, last chainhash.Hash, err error) {
	headers, err := proof.OpenHeaders(bufio.NewReader(bytes.NewReader(file)))
	if err != nil {
		return nil, 0, last, err
	}
	next := int32(1)
	err = headers.Each(func(height int32, raw *wireHeader) error {
		if height == next {
			next++
		}
		last = raw.BlockHash()
		return nil
	})
	if next != headers.Count+1 && err == nil {
		return nil, next, last, bufio.ErrBadReadCount
	}
	return headers.Charter, headers.Count, last, err
}

// TestHeaders: what was written is read, charter and headers in order, and
// nothing else is.
func TestHeaders(t *testing.T) {
	charter := demoCharter(t)
	file := headerFile(t, charter, 5)
	start := 6 + 4 + len(charter.Canonical()) + 4
	if len(file) != start+5*80 {
		t.Errorf("%d bytes", len(file))
	}
	got, count, last, err := readHeaders(file)
	if err != nil || count != 5 || got.ID() != charter.ID() || last != chainhash.DoubleHashH(file[len(file)-80:]) {
		t.Fatalf("%d %v %v", count, last, err)
	}
	for n := range file {
		if _, _, _, err := readHeaders(file[:n]); err == nil {
			t.Fatalf("cut to %d bytes is read", n)
		}
	}
	if _, _, _, err := readHeaders(append(bytes.Clone(file), 1)); err == nil {
		t.Error("a byte too many is read")
	}
	for i := range start {
		changed := bytes.Clone(file)
		changed[i] ^= 1
		if other, _, _, err := readHeaders(changed); err == nil && other.ID() == charter.ID() {
			t.Fatalf("with byte %d changed it is read as the same chain's", i)
		}
	}
	old := bytes.Clone(file)
	old[4] = 1
	if _, _, _, err := readHeaders(old); err == nil || !strings.Contains(err.Error(), "make it anew") {
		t.Error(err)
	}
	old[4] = 3
	if _, _, _, err := readHeaders(old); err == nil || !strings.Contains(err.Error(), "use a newer program") {
		t.Error(err)
	}
}

// FuzzHeaders: whatever comes is refused without harm, or is written as it was.
func FuzzHeaders(f *testing.F) {
	f.Add(headerFile(f, demoCharter(f), 2))
	f.Add([]byte("GrPf\x02\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		headers, err := proof.OpenHeaders(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		again := proof.AppendHeadersStart(nil, headers.Charter, uint32(headers.Count))
		err = headers.Each(func(_ int32, h *wireHeader) error {
			again = proof.AppendHeader(again, h)
			return nil
		})
		if err == nil && !bytes.Equal(again, b) {
			t.Fatal("read as something that is written otherwise")
		}
	})
}

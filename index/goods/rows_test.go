package goods

import (
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// TestRowsRoundTrip writes and reads every kind of value.
func TestRowsRoundTrip(t *testing.T) {
	e := newEvent(KindAudited)
	e.Height, e.Seq, e.Txid, e.Receipt, e.Quantity, e.Until = 7, 3, chainhash.Hash{1}, 1<<63, 1<<62, 1<<31-1
	e.Role, e.Seat, e.Backers, e.Auditor, e.Proposal = state.RoleAuditor, 2, []Backer{{0, 5}, {2, 7}}, 2, chainhash.Hash{9}
	if got, err := decodeEvent(7, 3, e.encode(nil)); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range len(e.encode(nil)) {
		if _, err := decodeEvent(7, 3, e.encode(nil)[:n]); err == nil {
			t.Errorf("%d bytes of an event are one", n)
		}
	}
	c := CustodianRecord{Redemptions: 3, SuspendedSince: 9}
	c.Tender.add(0)
	c.Tender.add(5)
	c.Tender.add(1 << 30)
	if got, err := decodeCustodianRecord(c.encode(nil)); err != nil || got != c {
		t.Errorf("%+v, %v", got, err)
	}
	if c.Tender.Buckets[0] != 1 || c.Tender.Buckets[3] != 1 || c.Tender.Buckets[31] != 1 || c.Tender.Min != 0 || c.Tender.Max != 1<<30 {
		t.Errorf("%+v", c.Tender)
	}
	a := AuditorRecord{Audits: 3, FirstAudit: 10, LastAudit: 20}
	if got, err := decodeAuditorRecord(a.encode(nil)); err != nil || got != a || a.MeanIntervalBlocks() != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	figures := Coverage{Height: 1, Time: 2, CirculatingUnits: 3, ReserveUnits: 1<<63 - 1, Events: 4}
	if got, err := decodeCoverage(figures.encode(nil)); err != nil || got != figures || got.BP() != 1<<63-1 {
		t.Errorf("%+v, %v", got, err)
	}
	if CoverageBP(11, 10) != 11_000 || CoverageBP(5, 0) != NoCoverage || CoverageBP(0, 5) != 0 {
		t.Error("coverage is wrong")
	}
	i := Inspection{Pick: Pick{5, 1, 2, 3}, Quantity: 9}
	if got, err := decodeInspection(i.encode(nil)); err != nil || got != i {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := parseEnded(appendEnded(nil, ended{KindLapsed, 4, chainhash.Hash{2}, []byte{1, 2}})); err != nil || got.kind != KindLapsed || len(got.value) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	for kind := KindRotated; kind <= KindChangeEffective; kind++ {
		if kind.String() == "unknown" {
			t.Errorf("kind %d has no word", kind)
		}
	}
}

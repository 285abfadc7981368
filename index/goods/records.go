package goods

import (
	"encoding/binary"
	"math/bits"
)

// Distribution is how long something took, in blocks.
type Distribution struct {
	Count, Sum uint64
	Min, Max   uint64
	// Buckets[i] counts those of 2^(i-1) to 2^i - 1 blocks; Buckets[0] those
	// of none.
	Buckets [distributionBuckets]uint64
}

const distributionBuckets = 32

// add counts one.
func (d *Distribution) add(blocks int32) {
	n := uint64(max(blocks, 0))
	if d.Count == 0 || n < d.Min {
		d.Min = n
	}
	d.Max = max(d.Max, n)
	d.Count++
	d.Sum += n
	d.Buckets[min(bits.Len64(n), distributionBuckets-1)]++
}

func (d *Distribution) encode(dst []byte) []byte {
	for _, v := range [...]uint64{d.Count, d.Sum, d.Min, d.Max} {
		dst = binary.AppendUvarint(dst, v)
	}
	for _, v := range d.Buckets {
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

func (r *row) distribution() (d Distribution) {
	for _, v := range [...]*uint64{&d.Count, &d.Sum, &d.Min, &d.Max} {
		*v = r.uvarint()
	}
	for i := range d.Buckets {
		d.Buckets[i] = r.uvarint()
	}
	return d
}

// CustodianRecord is what a custodian did since the index began. All counts.
type CustodianRecord struct {
	ReceiptsOpened, ReceiptsClosed uint64
	Redemptions, Reclaims          uint64 // claims opened
	TenderedInTime, TenderedLate   uint64 // up to the deadline; in the grace window
	Delivered, DeliveredByToken    uint64 // by the custodian after the pickup window; by the holder
	Lapsed, Settled                uint64
	OpenClaims                     uint64
	Tender, Delivery               Distribution // blocks from opening to tender, to delivery

	ReleasedUnits                         uint64 // draws of its receipts, fees included
	LossReceipts, LossUnits               uint64 // audits that took something away; its value at the par in force
	SettledUnits                          uint64 // escrow that went back because nothing was tendered
	Suspensions, Lifts, Defaults          uint64
	DebtPeakUnits, DebtPaidUnits          uint64 // the highest after a block; what the pool got of it
	LastHeight                            uint64 // of its last event
	SuspendedSince, SuspendedBlocksBefore uint64 // 0: not suspended; blocks of earlier suspensions
}

// CustodianRecord's numbers in the order of their bytes.
func (r *CustodianRecord) numbers() []*uint64 {
	return []*uint64{
		&r.ReceiptsOpened, &r.ReceiptsClosed, &r.Redemptions, &r.Reclaims, &r.TenderedInTime, &r.TenderedLate,
		&r.Delivered, &r.DeliveredByToken, &r.Lapsed, &r.Settled, &r.OpenClaims, &r.ReleasedUnits, &r.LossReceipts,
		&r.LossUnits, &r.SettledUnits, &r.Suspensions, &r.Lifts, &r.Defaults, &r.DebtPeakUnits, &r.DebtPaidUnits,
		&r.LastHeight, &r.SuspendedSince, &r.SuspendedBlocksBefore,
	}
}

func (r *CustodianRecord) encode(dst []byte) []byte {
	for _, v := range r.numbers() {
		dst = binary.AppendUvarint(dst, *v)
	}
	return r.Delivery.encode(r.Tender.encode(dst))
}

func decodeCustodianRecord(raw []byte) (r CustodianRecord, err error) {
	in := row{raw: raw}
	for _, v := range r.numbers() {
		*v = in.uvarint()
	}
	r.Tender, r.Delivery = in.distribution(), in.distribution()
	if !in.done() {
		return r, errRow("custodian")
	}
	return r, nil
}

// AuditorRecord is what an auditor did since the index began.
type AuditorRecord struct {
	Attestations            uint64 // proposals it stands or stood behind; renewing counts
	Audits                  uint64 // records
	Receipts                uint64 // recounted by them
	LossReceipts, LossUnits uint64 // as in CustodianRecord
	FirstAudit, LastAudit   uint64 // heights, 0: none
	LastHeight              uint64 // of its last event
	Asked                   uint64 // inspections in which it was asked first
}

func (r *AuditorRecord) numbers() []*uint64 {
	return []*uint64{
		&r.Attestations, &r.Audits, &r.Receipts, &r.LossReceipts, &r.LossUnits, &r.FirstAudit, &r.LastAudit, &r.LastHeight, &r.Asked,
	}
}

// MeanIntervalBlocks is the mean distance of two audits, 0 where there are
// less.
func (r *AuditorRecord) MeanIntervalBlocks() uint64 {
	if r.Audits < 2 {
		return 0
	}
	return (r.LastAudit - r.FirstAudit) / (r.Audits - 1)
}

func (r *AuditorRecord) encode(dst []byte) []byte {
	for _, v := range r.numbers() {
		dst = binary.AppendUvarint(dst, *v)
	}
	return dst
}

func decodeAuditorRecord(raw []byte) (r AuditorRecord, err error) {
	in := row{raw: raw}
	for _, v := range r.numbers() {
		*v = in.uvarint()
	}
	if !in.done() {
		return r, errRow("auditor")
	}
	return r, nil
}

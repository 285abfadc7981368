package goods

import (
	"encoding/binary"
	"math/big"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// The inspection draw: after every block whose height is a multiple of
// InspectEveryBlocks, InspectReceipts open receipts are drawn that auditors are
// asked to recount, and for each the auditor that is asked first. Nobody
// chooses: the draw follows from the hash of that block and from what is open
// after it, so everyone finds the same. It is no rule; what came of it is shown.
//
// The draw goes by value: draw i takes
//
//	h = H("granary/inspection", block hash ‖ i u32)
//	u = the first 16 bytes of h, big-endian, modulo the total value
//	a = the next 8 bytes of h, big-endian, modulo the number of auditors
//
// Lay what custodians hold end to end: by custodian, then by good, then by
// receipt number, each stretch of a custodian's good as long as its quantity is
// worth at the par in force (1 at least). u falls into one stretch, and the
// measure floor(rest x quantity / value) of it into one receipt. A receipt that
// was drawn already is passed over, and at most eight draws are made for each
// receipt that is wanted. So goods that do not exist are found by their value,
// and splitting them over many receipts hides nothing.
//
// A miner can try for another draw by throwing a block away, at the price of
// the block.
const (
	InspectEveryBlocks = 144
	InspectReceipts    = 4

	inspectionTag   = "granary/inspection"
	drawsForReceipt = 8
)

// Stratum is what one custodian holds of one good over its open receipts.
type Stratum struct {
	Custodian, Good uint16
	Quantity        int64 // measures, above 0
	ValueUnits      int64 // at the par in force
}

// Pick is one receipt that a draw chose, with the auditor that is asked first.
type Pick struct {
	Receipt         uint64
	Custodian, Good uint16
	Auditor         uint16
}

// Draw picks up to count receipts. strata are ascending by custodian and good;
// find gives the receipt that holds a measure of a stratum, counted from 0 over
// its receipts by number.
func Draw(block chainhash.Hash, count int, auditors uint16, strata []Stratum, find func(s Stratum, measure int64) (uint64, error)) ([]Pick, error) {
	total := new(big.Int)
	for i := range strata {
		total.Add(total, strata[i].length())
	}
	if total.Sign() == 0 || auditors == 0 {
		return nil, nil
	}
	var picks []Pick
	drawn := make(map[uint64]bool, count)
	for i := 0; len(picks) < count && i < count*drawsForReceipt; i++ {
		h := chainhash.TaggedHash([]byte(inspectionTag), block[:], binary.LittleEndian.AppendUint32(nil, uint32(i)))
		at := new(big.Int).SetBytes(h[:16])
		s, measure := locate(strata, at.Mod(at, total))
		number, err := find(s, measure)
		if err != nil {
			return nil, err
		}
		if drawn[number] {
			continue
		}
		drawn[number] = true
		auditor := binary.BigEndian.Uint64(h[16:24]) % uint64(auditors)
		picks = append(picks, Pick{Receipt: number, Custodian: s.Custodian, Good: s.Good, Auditor: uint16(auditor)})
	}
	return picks, nil
}

func (s *Stratum) length() *big.Int { return big.NewInt(max(s.ValueUnits, 1)) }

// locate gives the stratum that holds the value at, which is below the sum of
// all, and the measure of it.
func locate(strata []Stratum, at *big.Int) (Stratum, int64) {
	i := 0
	for ; at.Cmp(strata[i].length()) >= 0; i++ {
		at.Sub(at, strata[i].length())
	}
	at.Mul(at, big.NewInt(strata[i].Quantity))
	return strata[i], at.Quo(at, strata[i].length()).Int64()
}

// Inspection is one receipt that auditors were asked to recount.
type Inspection struct {
	Height int32  // of the block that drew it
	Place  uint32 // within the draw, from 0
	Pick
	Quantity int64 // measures it had then
}

func (i *Inspection) encode(dst []byte) []byte {
	for _, v := range [...]uint64{i.Receipt, uint64(i.Custodian), uint64(i.Good), uint64(i.Auditor), uint64(i.Quantity)} {
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

// decodeInspection leaves Height and Place to whoever has the key.
func decodeInspection(raw []byte) (Inspection, error) {
	r := row{raw: raw}
	i := Inspection{Pick: Pick{Receipt: r.uvarint(), Custodian: uint16(r.uvarint()), Good: uint16(r.uvarint()), Auditor: uint16(r.uvarint())}}
	i.Quantity = int64(r.uvarint())
	if !r.done() {
		return i, errRow("inspection")
	}
	return i, nil
}

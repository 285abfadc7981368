package goods

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/kv"
	"granary/index"
	"granary/params"
	"granary/state"
)

// Keys count up but for the log, where the newest event comes first: height
// and number are written as their complements, since it is read from the end.

type logKey struct {
	height int32
	seq    uint32
}

func appendLogKey(dst []byte, k logKey) []byte {
	dst = binary.BigEndian.AppendUint32(dst, ^uint32(k.height))
	return binary.BigEndian.AppendUint32(dst, ^k.seq)
}

func parseLogKey(raw []byte) (logKey, error) {
	if len(raw) != 8 {
		return logKey{}, errKey(raw)
	}
	return logKey{int32(^binary.BigEndian.Uint32(raw)), ^binary.BigEndian.Uint32(raw[4:])}, nil
}

func errKey(raw []byte) error {
	return fmt.Errorf("a damaged key %x of the goods history: delete the index to build it anew", raw)
}

func errRow(what string) error {
	return fmt.Errorf("a damaged row (%s) of the goods history: delete the index to build it anew", what)
}

// tipRow is the block up to which the rows go, and the first block below them.
type tipRow struct {
	index.Tip
	since int32
}

var tipTable = kv.Table[struct{}, tipRow]{
	Prefix: 1, AppendKey: noKey, ParseKey: parseNoKey,
	AppendValue: func(dst []byte, t tipRow) []byte {
		dst = binary.BigEndian.AppendUint32(append(dst, t.Hash[:]...), uint32(t.Height))
		return binary.BigEndian.AppendUint32(dst, uint32(t.since))
	},
	ParseValue: func(raw []byte) (t tipRow, err error) {
		if len(raw) != len(t.Hash)+8 {
			return t, errRow("tip")
		}
		copy(t.Hash[:], raw)
		t.Height = int32(binary.BigEndian.Uint32(raw[len(t.Hash):]))
		t.since = int32(binary.BigEndian.Uint32(raw[len(t.Hash)+4:]))
		return t, nil
	},
}

func noKey(dst []byte, _ struct{}) []byte       { return dst }
func parseNoKey([]byte) (k struct{}, err error) { return k, nil }

// logTable: newest first -> Event. The value is parsed by whoever knows the key.
var logTable = kv.Table[logKey, []byte]{
	Prefix: 2, AppendKey: appendLogKey, ParseKey: parseLogKey,
	AppendValue: appendRaw, ParseValue: parseRaw,
}

func appendRaw(dst, v []byte) []byte      { return append(dst, v...) }
func parseRaw(raw []byte) ([]byte, error) { return append([]byte{}, raw...), nil }

func appendNothing(dst []byte, _ struct{}) []byte { return dst }
func parseNothing([]byte) (v struct{}, err error) { return v, nil }
func appendHeight(dst []byte, height int32) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(height))
}

func appendNumber(dst []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(dst, number)
}
func appendIndex(dst []byte, index uint16) []byte { return binary.BigEndian.AppendUint16(dst, index) }

func parseHeight(raw []byte) (int32, error) {
	if len(raw) != 4 {
		return 0, errKey(raw)
	}
	return int32(binary.BigEndian.Uint32(raw)), nil
}

func parseNumber(raw []byte) (uint64, error) {
	if len(raw) != 8 {
		return 0, errKey(raw)
	}
	return binary.BigEndian.Uint64(raw), nil
}

func parseIndex(raw []byte) (uint16, error) {
	if len(raw) != 2 {
		return 0, errKey(raw)
	}
	return binary.BigEndian.Uint16(raw), nil
}

// coverageTable: height -> Coverage. Every block has one.
var coverageTable = kv.Table[int32, Coverage]{
	Prefix: 4, AppendKey: appendHeight, ParseKey: parseHeight,
	AppendValue: func(dst []byte, c Coverage) []byte { return c.encode(dst) }, ParseValue: decodeCoverage,
}

// journalTable: height -> what the block's rows replaced.
var journalTable = kv.Table[int32, []byte]{
	Prefix: 5, AppendKey: appendHeight, ParseKey: parseHeight, AppendValue: appendRaw, ParseValue: parseRaw,
}

// place is where a receipt is: what a custodian holds of a good.
type place struct{ custodian, good uint16 }

type placed struct {
	place
	number uint64 // of a receipt; of a chunk: its receipts' numbers >> chunkBits
}

func appendPlace(dst []byte, p place) []byte {
	return appendIndex(appendIndex(dst, p.custodian), p.good)
}

func parsePlace(raw []byte) (place, error) {
	if len(raw) != 4 {
		return place{}, errKey(raw)
	}
	return place{binary.BigEndian.Uint16(raw), binary.BigEndian.Uint16(raw[2:])}, nil
}

func appendPlaced(dst []byte, p placed) []byte {
	return appendNumber(appendPlace(dst, p.place), p.number)
}

func parsePlaced(raw []byte) (placed, error) {
	if len(raw) != 12 {
		return placed{}, errKey(raw)
	}
	at, _ := parsePlace(raw[:4])
	return placed{at, binary.BigEndian.Uint64(raw[4:])}, nil
}

func appendMeasures(dst []byte, v int64) []byte { return binary.AppendUvarint(dst, uint64(v)) }

func parseMeasures(raw []byte) (int64, error) {
	r := row{raw: raw}
	v := int64(r.uvarint())
	if !r.done() {
		return 0, errRow("measures")
	}
	return v, nil
}

var (
	// openTable: open receipts -> their quantity in measures.
	openTable = kv.Table[placed, int64]{
		Prefix: 6, AppendKey: appendPlaced, ParseKey: parsePlaced, AppendValue: appendMeasures, ParseValue: parseMeasures,
	}
	// chunkTable: the sum of openTable over 2^chunkBits numbers; absent when 0.
	chunkTable = kv.Table[placed, int64]{
		Prefix: 7, AppendKey: appendPlaced, ParseKey: parsePlaced, AppendValue: appendMeasures, ParseValue: parseMeasures,
	}
	// stratumTable: what a custodian holds of a good -> counts and sum.
	stratumTable = kv.Table[place, stratum]{
		Prefix: 8, AppendKey: appendPlace, ParseKey: parsePlace,
		AppendValue: func(dst []byte, s stratum) []byte {
			dst = binary.AppendUvarint(dst, s.open)
			return appendMeasures(binary.AppendUvarint(dst, s.closed), s.quantity)
		},
		ParseValue: func(raw []byte) (stratum, error) {
			r := row{raw: raw}
			s := stratum{r.uvarint(), r.uvarint(), int64(r.uvarint())}
			if !r.done() {
				return s, errRow("stratum")
			}
			return s, nil
		},
	}
	// whereTable: receipt -> whose and of which good, open or not.
	whereTable = kv.Table[uint64, place]{
		Prefix: 21, AppendKey: appendNumber, ParseKey: parseNumber, AppendValue: appendPlace, ParseValue: parsePlace,
	}
	// seenTable: receipt -> the lines in which auditors spoke of it.
	seenTable = kv.Table[uint64, seen]{
		Prefix: 22, AppendKey: appendNumber, ParseKey: parseNumber,
		AppendValue: func(dst []byte, s seen) []byte { return appendLogKey(appendLogKey(dst, s.opened), s.audited) },
		ParseValue: func(raw []byte) (s seen, err error) {
			if len(raw) != 16 {
				return s, errRow("seen")
			}
			s.opened, _ = parseLogKey(raw[:8])
			s.audited, _ = parseLogKey(raw[8:])
			return s, nil
		},
	}
	// closedTable: closed receipt -> its last form.
	closedTable = kv.Table[uint64, ended]{
		Prefix: 9, AppendKey: appendNumber, ParseKey: parseNumber, AppendValue: appendEnded, ParseValue: parseEnded,
	}
	closedPlaceTable = kv.Table[placed, struct{}]{
		Prefix: 10, AppendKey: appendPlaced, ParseKey: parsePlaced, AppendValue: appendNothing, ParseValue: parseNothing,
	}
	// openClaimTable, endedClaimTable: by custodian and number.
	openClaimTable = kv.Table[owned, struct{}]{
		Prefix: 11, AppendKey: appendOwned, ParseKey: parseOwned, AppendValue: appendNothing, ParseValue: parseNothing,
	}
	endedClaimTable = kv.Table[owned, struct{}]{
		Prefix: 12, AppendKey: appendOwned, ParseKey: parseOwned, AppendValue: appendNothing, ParseValue: parseNothing,
	}
	// claimTable: claim that is gone -> its last form.
	claimTable = kv.Table[uint64, ended]{
		Prefix: 13, AppendKey: appendNumber, ParseKey: parseNumber, AppendValue: appendEnded, ParseValue: parseEnded,
	}
	custodianTable = kv.Table[uint16, CustodianRecord]{
		Prefix: 14, AppendKey: appendIndex, ParseKey: parseIndex,
		AppendValue: func(dst []byte, r CustodianRecord) []byte { return r.encode(dst) }, ParseValue: decodeCustodianRecord,
	}
	auditorTable = kv.Table[uint16, AuditorRecord]{
		Prefix: 15, AppendKey: appendIndex, ParseKey: parseIndex,
		AppendValue: func(dst []byte, r AuditorRecord) []byte { return r.encode(dst) }, ParseValue: decodeAuditorRecord,
	}
	// goodTable: good -> as it is in force.
	goodTable = kv.Table[uint16, *state.GoodInForce]{
		Prefix: 16, AppendKey: appendIndex, ParseKey: parseIndex,
		AppendValue: func(dst []byte, g *state.GoodInForce) []byte { return append(dst, g.Encode()...) },
		ParseValue:  state.DecodeGoodInForce,
	}
	// sinceTable: auditor -> the height at which its holder came.
	sinceTable = kv.Table[uint16, int32]{
		Prefix: 18, AppendKey: appendIndex, ParseKey: parseIndex, AppendValue: appendHeight, ParseValue: parseHeight,
	}
	// wordTable: attestations, never forgotten.
	wordTable = kv.Table[word, state.Attestation]{
		Prefix:    17,
		AppendKey: func(dst []byte, w word) []byte { return appendIndex(append(dst, w.proposal[:]...), w.auditor) },
		ParseKey: func(raw []byte) (w word, err error) {
			if len(raw) != len(w.proposal)+2 {
				return w, errKey(raw)
			}
			copy(w.proposal[:], raw)
			w.auditor = binary.BigEndian.Uint16(raw[len(w.proposal):])
			return w, nil
		},
		AppendValue: func(dst []byte, a state.Attestation) []byte { return append(dst, a.Encode()...) },
		ParseValue:  state.DecodeAttestation,
	}
	// inspectionTable: newest draw first.
	inspectionTable = kv.Table[logKey, Inspection]{
		Prefix: 19, AppendKey: appendLogKey, ParseKey: parseLogKey,
		AppendValue: func(dst []byte, i Inspection) []byte { return i.encode(dst) }, ParseValue: decodeInspection,
	}
	// forceTable: the parameters and the counts in force.
	forceTable = kv.Table[struct{}, force]{
		Prefix: 20, AppendKey: noKey, ParseKey: parseNoKey,
		AppendValue: func(dst []byte, f force) []byte {
			return append(append(dst, f.counts.Encode()...), f.params.Encode()...)
		},
		ParseValue: func(raw []byte) (f force, err error) {
			if len(raw) < 6 {
				return f, errRow("force")
			}
			if f.counts, err = state.DecodeCounts(raw[:6]); err != nil {
				return f, err
			}
			f.params, err = params.DecodeParameters(raw[6:])
			return f, err
		},
	}
)

// force is what of the charter holds now.
type force struct {
	counts state.Counts
	params params.Parameters
}

// stratum is what a custodian holds of a good: how many receipts are open and
// closed, and the sum of the open ones' quantities.
type stratum struct {
	open, closed uint64
	quantity     int64
}

// seen are the lines that opened a receipt and that audited it last; zero where
// there is none.
type seen struct{ opened, audited logKey }

// owned is a claim with the custodian that owes it.
type owned struct {
	custodian uint16
	claim     uint64
}

func appendOwned(dst []byte, o owned) []byte {
	return appendNumber(appendIndex(dst, o.custodian), o.claim)
}

func parseOwned(raw []byte) (owned, error) {
	if len(raw) != 10 {
		return owned{}, errKey(raw)
	}
	return owned{binary.BigEndian.Uint16(raw), binary.BigEndian.Uint64(raw[2:])}, nil
}

// word is one auditor's word for a proposal.
type word struct {
	proposal chainhash.Hash
	auditor  uint16
}

// ended is a receipt or claim that is gone: how, where, and its last form as
// the state would encode it.
type ended struct {
	kind   Kind
	height int32
	txid   chainhash.Hash
	value  []byte
}

func appendEnded(dst []byte, e ended) []byte {
	dst = append(append(dst, byte(e.kind)), e.txid[:]...)
	return append(appendHeight(dst, e.height), e.value...)
}

func parseEnded(raw []byte) (e ended, err error) {
	r := row{raw: raw}
	e.kind = Kind(r.byte())
	copy(e.txid[:], r.bytes(len(e.txid)))
	height := r.bytes(4)
	if r.bad {
		return e, errRow("ended")
	}
	e.height = int32(binary.BigEndian.Uint32(height))
	e.value = append([]byte{}, r.raw...)
	return e, nil
}

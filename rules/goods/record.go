package goods

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
)

// recordTag starts the push of every record.
const recordTag = "GrRe"

// RecordType is the byte after the tag.
type RecordType uint8

// The known records.
const (
	TypeRotate  RecordType = 1
	TypeAttest  RecordType = 2
	TypeReceive RecordType = 3
	TypeDraw    RecordType = 4
	TypeReclaim RecordType = 5
	TypeRedeem  RecordType = 6
	TypeTender  RecordType = 7
	TypeDeliver RecordType = 8
	TypeLapse   RecordType = 9
	TypeSettle  RecordType = 10
	TypeSlash   RecordType = 11
	TypeAssign  RecordType = 12
	TypeAudit   RecordType = 13
	TypeSuspend RecordType = 14
	TypeLift    RecordType = 15
	TypeBond    RecordType = 16
	TypeUnbond  RecordType = 17
	TypeAmend   RecordType = 18
	TypeReseat  RecordType = 19
)

// recordNames are the words for a person, by type.
var recordNames = [...]string{
	"unknown", "rotate", "attest", "receive", "draw", "reclaim", "redeem", "tender", "deliver", "lapse", "settle", "slash",
	"assign", "audit", "suspend", "lift", "bond", "unbond", "amend", "reseat",
}

// String is the word for a person.
func (t RecordType) String() string {
	if int(t) < len(recordNames) {
		return recordNames[t]
	}
	return recordNames[0]
}

// Record is what a transaction says to the goods rules, parsed.
type Record interface {
	Type() RecordType
	// Body is the canonical bytes after the type. The caller owns them.
	Body() []byte

	// check judges every condition of the record; it reads only.
	check(a *action) error
	// apply makes the change after check passed.
	apply(a *action) error
}

// RecordScript gives the output script of a record: 6a and one minimal push
// of tag, type and body.
func RecordScript(r Record) []byte {
	payload := append([]byte(recordTag), byte(r.Type()))
	payload = append(payload, r.Body()...)
	return append(pushHeader(len(payload)), payload...)
}

// pushHeader is 6a and the opcode bytes of a minimal push of n bytes, n > 1.
func pushHeader(n int) []byte {
	b := []byte{txscript.OP_RETURN}
	switch {
	case n <= txscript.OP_DATA_75:
		return append(b, byte(n))
	case n <= 0xff:
		return append(b, txscript.OP_PUSHDATA1, byte(n))
	case n <= 0xffff:
		return binary.LittleEndian.AppendUint16(append(b, txscript.OP_PUSHDATA2), uint16(n))
	}
	return binary.LittleEndian.AppendUint32(append(b, txscript.OP_PUSHDATA4), uint32(n))
}

// recordPayload gives the pushed bytes of a script in the form of a record:
// exactly 6a, one minimally encoded push, beginning with the tag. Any other
// OP_RETURN is free and gives ok = false.
func recordPayload(script []byte) (payload []byte, ok bool) {
	if len(script) < 2 || script[0] != txscript.OP_RETURN {
		return nil, false
	}
	head, length := 2, uint64(script[1])
	switch op := script[1]; {
	case op <= txscript.OP_DATA_75:
	case op == txscript.OP_PUSHDATA1 && len(script) >= 3:
		head, length = 3, uint64(script[2])
	case op == txscript.OP_PUSHDATA2 && len(script) >= 4:
		head, length = 4, uint64(binary.LittleEndian.Uint16(script[2:]))
	case op == txscript.OP_PUSHDATA4 && len(script) >= 6:
		head, length = 6, uint64(binary.LittleEndian.Uint32(script[2:]))
	default:
		return nil, false
	}
	payload = script[head:]
	if uint64(len(payload)) != length || head != len(pushHeader(len(payload))) {
		return nil, false
	}
	if len(payload) < len(recordTag) || string(payload[:len(recordTag)]) != recordTag {
		return nil, false
	}
	return payload, true
}

// DecodeRecord reads the record in an output script. ok is false for a script
// that has not a record's form; the error is the RuleError of one that has,
// and is wrong.
func DecodeRecord(script []byte) (record Record, ok bool, err error) {
	payload, ok := recordPayload(script)
	if !ok {
		return nil, false, nil
	}
	record, err = parsePayload(payload)
	return record, true, err
}

func parsePayload(payload []byte) (Record, error) {
	rest := payload[len(recordTag):]
	if len(rest) == 0 {
		return nil, check.Rule(CodeRecordMalformed, "the record has no type")
	}
	if body := len(rest) - 1; body > params.MaxRecordBodyBytes {
		return nil, check.Rule(CodeRecordSize, "the record's body has %d bytes, at most %d are allowed", body, params.MaxRecordBodyBytes)
	}
	switch t := RecordType(rest[0]); t {
	case TypeRotate:
		return parseRotate(rest[1:])
	case TypeAttest:
		return parseAttest(rest[1:])
	case TypeReceive:
		return parseReceive(rest[1:])
	case TypeDraw:
		return parseDraw(rest[1:])
	case TypeReclaim:
		return parseReclaim(rest[1:])
	case TypeRedeem:
		return parseRedeem(rest[1:])
	case TypeTender:
		return parseTender(rest[1:])
	case TypeDeliver:
		return parseDeliver(rest[1:])
	case TypeLapse:
		return parseLapse(rest[1:])
	case TypeSettle:
		return parseSettle(rest[1:])
	case TypeSlash:
		return parseSlash(rest[1:])
	case TypeAssign:
		return parseAssign(rest[1:])
	case TypeAudit:
		return parseAudit(rest[1:])
	case TypeSuspend:
		return parseSuspend(rest[1:])
	case TypeLift:
		return parseLift(rest[1:])
	case TypeBond:
		return parseBond(rest[1:])
	case TypeUnbond:
		return parseUnbond(rest[1:])
	case TypeAmend:
		return parseAmend(rest[1:])
	case TypeReseat:
		return parseReseat(rest[1:])
	default:
		return nil, check.Rule(CodeRecordUnknown, "record type %d is not known", rest[0])
	}
}

// findRecord gives the one record of a transaction, nil if it has none.
func findRecord(msg *wire.MsgTx, height int32) (Record, error) {
	var payload []byte
	at := -1
	for i, out := range msg.TxOut {
		found, ok := recordPayload(out.PkScript)
		if !ok {
			continue
		}
		if at >= 0 {
			return nil, check.Rule(CodeRecordMany, "outputs %d and %d are both records, one is allowed", at, i)
		}
		at, payload = i, found
	}
	switch {
	case at < 0:
		return nil, nil
	case at != len(msg.TxOut)-1:
		return nil, check.Rule(CodeRecordPosition, "the record is output %d, it must be the last, %d", at, len(msg.TxOut)-1)
	case height < params.GoodsStartHeight:
		return nil, check.Rule(CodeRecordEarly, "a record at height %d, the first may be at %d", height, params.GoodsStartHeight)
	}
	return parsePayload(payload)
}

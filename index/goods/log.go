package goods

import (
	"bytes"
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/kv"
)

// subjectPrefix starts the rows that list the events of one subject; they
// have no value.
const subjectPrefix = 3

// The prefixes of all tables.
const (
	firstPrefix = 1
	lastPrefix  = 22
)

// Subject is somebody or something that a history is of.
type Subject struct {
	kind byte
	id   []byte
}

// OfReceipt is the history of a receipt, open or closed.
func OfReceipt(number uint64) Subject {
	return Subject{'r', binary.BigEndian.AppendUint64(nil, number)}
}

// OfClaim is the history of a claim.
func OfClaim(number uint64) Subject { return Subject{'c', binary.BigEndian.AppendUint64(nil, number)} }

// OfCustodian is everything that concerns a custodian's goods and standing.
func OfCustodian(index uint16) Subject {
	return Subject{'w', binary.BigEndian.AppendUint16(nil, index)}
}

// OfAuditor is what an auditor's seat did.
func OfAuditor(index uint16) Subject { return Subject{'a', binary.BigEndian.AppendUint16(nil, index)} }

// OfProposal is who attested a proposal and what used it.
func OfProposal(hash chainhash.Hash) Subject { return Subject{'p', hash[:]} }

// OfChanges is what became of amendments and reseats.
func OfChanges() Subject { return Subject{'s', nil} }

// OfChain is the whole log.
func OfChain() Subject { return Subject{} }

// subjects are those an event belongs to, each once.
func (e *Event) subjects() []Subject {
	var all []Subject
	if e.Receipt != NoNumber {
		all = append(all, OfReceipt(e.Receipt))
	}
	if e.Claim != NoNumber {
		all = append(all, OfClaim(e.Claim))
	}
	if e.Custodian != None {
		all = append(all, OfCustodian(e.Custodian))
	}
	if e.Auditor != None {
		all = append(all, OfAuditor(e.Auditor))
	}
	if e.Proposal != (chainhash.Hash{}) {
		all = append(all, OfProposal(e.Proposal))
	}
	if e.Slot != None {
		all = append(all, OfChanges())
	}
	return all
}

// prefix is what the keys of a subject's rows start with.
func (s Subject) prefix() []byte {
	if s.kind == 0 {
		return []byte{logTable.Prefix}
	}
	return append([]byte{subjectPrefix, s.kind}, s.id...)
}

func (s Subject) key(at logKey) []byte { return appendLogKey(s.prefix(), at) }

// write adds a line to the log and to the lists of its subjects.
func (x *Index) write(e *Event) {
	at := logKey{e.Height, e.Seq}
	putPlain(x.rows, &logTable, at, e.encode([]byte{}))
	for _, subject := range e.subjects() {
		x.rows.set(subject.key(at), []byte{})
	}
}

// unwrite takes the lines of a height away.
func (x *Index) unwrite(height int32) error {
	from, to := logTable.Key(logKey{height, 1<<32 - 1}), kv.Upper(logTable.Key(logKey{height, 0}))
	return x.rows.scan(from, to, func(key, value []byte) (bool, error) {
		at, err := parseLogKey(key[1:])
		if err != nil {
			return false, err
		}
		e, err := decodeEvent(at.height, at.seq, value)
		if err != nil {
			return false, err
		}
		for _, subject := range e.subjects() {
			x.rows.set(subject.key(at), nil)
		}
		x.rows.set(key, nil)
		return true, nil
	})
}

// Cursor is a place in a history: the event at it and everything newer is left
// out. The zero Cursor leaves nothing out.
type Cursor struct {
	Height int32
	Seq    uint32
}

// Events gives up to count events of a subject, the newest first, older than
// before, and whether there are more.
func (x *Index) Events(of Subject, before Cursor, count int) (events []Event, more bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	prefix := of.prefix()
	from, to := prefix, kv.Upper(prefix)
	if before != (Cursor{}) {
		from = append(of.key(logKey{before.Height, before.Seq}), 0) // keys have one length
	}
	err = x.rows.scan(from, to, func(key, value []byte) (bool, error) {
		if len(events) == count {
			more = true
			return false, nil
		}
		at, err := parseLogKey(key[len(prefix):])
		if err != nil {
			return false, err
		}
		if of.kind != 0 {
			if value, err = x.rows.raw(logTable.Key(at)); err != nil {
				return false, err
			}
		}
		e, err := decodeEvent(at.height, at.seq, value)
		events = append(events, e)
		return true, err
	})
	return events, more, err
}

// Equal reports whether two subjects are the same.
func (s Subject) Equal(t Subject) bool { return s.kind == t.kind && bytes.Equal(s.id, t.id) }

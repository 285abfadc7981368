package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Slot is the place of a pending change; each holds one at most.
type Slot uint8

// The slots, in the order in which changes become effective.
const (
	SlotAmend         Slot = 0
	SlotReseat        Slot = 1 // of a custodian's or an auditor's seat
	SlotReseatCouncil Slot = 2
)

// SlotCount is the number of slots.
const SlotCount = 3

// Pending is a change that was announced and is not effective yet.
type Pending struct {
	ID        ObjectID
	Announced int32          // height
	Effective int32          // the first height at which it holds
	Txid      chainhash.Hash // of the announcement
	// Scripts are those of the outputs that wait to be seats: outputs 1, 2 ...
	// of the announcement.
	Scripts [][]byte
	Body    []byte // of the record
}

// Out is the outpoint of Scripts[i].
func (p *Pending) Out(i int) wire.OutPoint { return wire.OutPoint{Hash: p.Txid, Index: uint32(i) + 1} }

// Encode gives the canonical value under KeyPending; docs/goods-rules.md
// lists it.
func (p *Pending) Encode() []byte {
	b := append([]byte(nil), p.ID[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Announced))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Effective))
	b = append(append(b, p.Txid[:]...), byte(len(p.Scripts)))
	for _, script := range p.Scripts {
		b = appendShort(b, script)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.Body)))
	return append(b, p.Body...)
}

// DecodePending reads what Encode wrote. The result shares no memory with it.
func DecodePending(value []byte) (*Pending, error) {
	b := NewByteReader(value)
	p := &Pending{}
	copy(p.ID[:], b.Bytes(len(p.ID)))
	p.Announced, p.Effective, p.Txid = b.Height(), b.Height(), b.Hash()
	for n := b.U8(); n > 0; n-- {
		p.Scripts = append(p.Scripts, bytes.Clone(b.Short()))
	}
	p.Body = bytes.Clone(b.Bytes(int(b.U16())))
	if !b.Done() {
		return nil, fmt.Errorf("stored change %x is damaged", value)
	}
	return p, nil
}

// Counts are how many goods, custodians and auditors there are.
type Counts struct{ Goods, Custodians, Auditors uint16 }

// Encode gives the canonical value under KeyCounts: three u16.
func (c Counts) Encode() []byte {
	b := binary.LittleEndian.AppendUint16(nil, c.Goods)
	b = binary.LittleEndian.AppendUint16(b, c.Custodians)
	return binary.LittleEndian.AppendUint16(b, c.Auditors)
}

// DecodeCounts reads what Encode wrote; nil, before block 1, is all zero.
func DecodeCounts(value []byte) (Counts, error) {
	if value == nil {
		return Counts{}, nil
	}
	b := NewByteReader(value)
	c := Counts{b.U16(), b.U16(), b.U16()}
	if !b.Done() {
		return c, errors.New("stored counts are damaged")
	}
	return c, nil
}

package proof

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"granary/params"
	"granary/state"
	"granary/state/tree"
)

// An audit file: prefix, u32 length and canonical charter, anchor, every key of
// the state ascending, each u8 length, key, u32 length, value; and a u8 of 0 at
// the end.

// AppendAuditStart writes the beginning of an audit file; anchor names the
// charter.
func AppendAuditStart(b []byte, charter *params.Charter, anchor *Anchor) []byte {
	return anchor.append(appendCharter(appendPrefix(b, KindAudit), charter))
}

// AppendAuditEnd writes the end of an audit file.
func AppendAuditEnd(b []byte) []byte { return append(b, 0) }

// AppendAuditKeys writes keys and values of view from a key on until b has
// limit bytes or more. next is the key to go on with, nil after the last one.
func AppendAuditKeys(b []byte, view state.GoodsView, from []byte, limit int) (out, next []byte, err error) {
	if len(from) == 0 || state.IsNodeKey(from) {
		from = state.FirstStateKey()
	}
	err = view.GoodsRange(from, nil, func(key, value []byte) bool {
		if len(b) >= limit {
			next = append([]byte(nil), key...)
			return false
		}
		b = append(append(b, byte(len(key))), key...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
		return true
	})
	return b, next, err
}

// VerifyAudit reads a whole audit file in one pass: it checks the anchor,
// computes the root from all keys, and counts again what the keys say of each
// other. Memory grows with the depth of the tree and by 16 bytes for each lot,
// not with the state. progress, which may be nil, is told the keys read now
// and then.
func VerifyAudit(from *bufio.Reader, progress func(keys int64)) (*AuditFacts, error) {
	r := &reader{r: from}
	charter, anchor, block, err := r.auditStart()
	if err != nil {
		return nil, err
	}
	count := newRecount(charter, anchor, block)
	root := &tree.Builder{}
	for {
		key, value := r.leaf()
		if r.err != nil {
			return nil, r.err
		}
		if key == nil {
			break
		}
		if err := root.Add(key, value); err != nil {
			return nil, err
		}
		count.add(key, value)
		if count.facts.Keys%(1<<14) == 0 && progress != nil {
			progress(count.facts.Keys)
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	got, err := root.Root()
	if err != nil {
		return nil, err
	}
	if got != anchor.Root {
		return nil, errors.New("the file does not hold the state that the block commits to: something is missing, added or changed")
	}
	count.facts.Bytes = r.read
	return count.finish()
}

// auditStart reads what AppendAuditStart wrote and checks the anchor.
func (r *reader) auditStart() (*params.Charter, *Anchor, *Block, error) {
	r.prefix(KindAudit)
	charter := r.charter()
	if charter == nil {
		return nil, nil, nil, r.err
	}
	anchor := r.anchor(charter.ID())
	if r.err != nil {
		return nil, nil, nil, r.err
	}
	if err := anchor.CheckCharter(charter); err != nil {
		return nil, nil, nil, err
	}
	block, err := anchor.Check()
	return charter, anchor, block, err
}

// leaf reads the next key and value; a nil key is the end.
func (r *reader) leaf() (key, value []byte) {
	n := r.u8()
	if n == 0 || r.err != nil {
		return nil, nil
	}
	key = r.bytes(n, tree.MaxKeyBytes, "a key")
	value = r.bytes(r.u32(), maxValueBytes, "a value")
	return key, value
}

// CopyAudit copies an audit file from r to w until its end and checks it on
// the way: what is written is right when it gives no error.
func CopyAudit(w io.Writer, r io.Reader, progress func(keys int64)) (*AuditFacts, error) {
	facts, err := VerifyAudit(bufio.NewReader(io.TeeReader(r, w)), progress)
	if err != nil {
		return nil, fmt.Errorf("what the node sent does not hold: %w", err)
	}
	return facts, nil
}

package addr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/files"
	"granary/p2p/message"
)

// maxFileBytes bounds what is read from one of the files.
const maxFileBytes = 32 << 20

// Names and headings of the files. A heading names the format; the network's
// magic follows it.
const (
	bookName      = "peers.dat"
	bookHeading   = "granary peers 1\n"
	anchorName    = "anchors.dat"
	anchorHeading = "granary anchors 1\n"
)

// Dir is the folder in which the book, the anchors and the bans are kept.
type Dir struct {
	FS    vfs.FS
	Path  string
	Magic [4]byte // of the network; another network's files are not used
	Log   *slog.Logger
}

// LoadBook reads peers.dat, or makes an empty book where there is none. A
// damaged file is set aside with a line in the log.
func (d *Dir) LoadBook(o Options) (*Book, error) {
	b := NewBook(o)
	err := d.load(bookName, bookHeading, b.decode)
	if errors.Is(err, files.ErrDamaged) {
		return NewBook(o), d.damaged(bookName)
	}
	return b, err
}

// SaveBook replaces peers.dat.
func (d *Dir) SaveBook(b *Book) error { return d.save(bookName, bookHeading, b.encode()) }

// TakeAnchors gives the addresses that SaveAnchors kept, and removes the file:
// anchors are used once, so that a bad one cannot hold the node for ever.
func (d *Dir) TakeAnchors() ([]netip.AddrPort, error) {
	var anchors []netip.AddrPort
	err := d.load(anchorName, anchorHeading, func(body []byte) error {
		r := reader{b: body}
		for n := r.u8(); n > 0; n-- {
			anchors = append(anchors, r.address())
		}
		return r.end()
	})
	if errors.Is(err, files.ErrDamaged) {
		return nil, d.damaged(anchorName)
	}
	if err != nil || anchors == nil {
		return nil, err
	}
	return anchors, d.FS.Remove(d.FS.PathJoin(d.Path, anchorName))
}

// SaveAnchors keeps the addresses to which the next start connects first.
func (d *Dir) SaveAnchors(anchors []netip.AddrPort) error {
	body := []byte{byte(min(len(anchors), 255))}
	for _, at := range anchors[:body[0]] {
		body = appendAddress(body, at)
	}
	return d.save(anchorName, anchorHeading, body)
}

func (d *Dir) save(name, heading string, body []byte) error {
	return files.Replace(d.FS, d.Path, name, files.Seal(heading+string(d.Magic[:]), body))
}

func (d *Dir) load(name, heading string, decode func(body []byte) error) error {
	data, err := files.Read(d.FS, d.Path, name, maxFileBytes)
	if err != nil || data == nil {
		return err
	}
	body, err := files.Unseal(heading+string(d.Magic[:]), data)
	if err != nil {
		return err
	}
	return decode(body)
}

// damaged sets a file aside and says so.
func (d *Dir) damaged(name string) error {
	if d.Log != nil {
		d.Log.Warn(fmt.Sprintf("%s is damaged and was set aside as %s.damaged: it starts anew", name, name))
	}
	return files.SetAside(d.FS, d.Path, name)
}

// encode writes the book: key, then every entry with its places in the new
// table.
func (b *Book) encode() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	places := make(map[*entry][]byte, b.counts[0].New)
	for bucket := range b.fresh {
		for _, e := range b.fresh[bucket] {
			if e != nil {
				places[e] = binary.LittleEndian.AppendUint16(places[e], uint16(bucket))
			}
		}
	}
	out := append([]byte(nil), b.key[:]...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(b.order)))
	for _, e := range b.order {
		out = appendAddress(out, e.at)
		source := e.source.As16()
		out = append(out, source[:]...)
		for _, n := range []int64{int64(e.services), e.seen, e.tried, e.success, int64(e.attempts)} {
			out = binary.LittleEndian.AppendUint64(out, uint64(n))
		}
		out = append(out, byte(e.refs)) // none: it is in the tried table
		out = append(out, places[e]...)
	}
	return out
}

// decode fills an empty book. Whatever does not fit together is damage.
func (b *Book) decode(body []byte) error {
	r := reader{b: body}
	copy(b.key[:], r.take(len(b.key)))
	for n := r.u32(); n > 0 && !r.short; n-- {
		b.born++
		e := &entry{
			at: r.address(), source: netip.AddrFrom16([16]byte(r.take(16))).Unmap(),
			services: message.Services(r.u64()), seen: int64(r.u64()), tried: int64(r.u64()), success: int64(r.u64()),
			attempts: int32(r.u64()), index: len(b.order), born: b.born,
		}
		places := int(r.u8())
		if r.short || b.entries[e.at] != nil || !Routable(e.at.Addr()) || e.attempts < 0 || places > newPlacesPerAddress {
			return files.ErrDamaged
		}
		b.entries[e.at] = e
		b.order = append(b.order, e)
		if err := b.restore(e, &r, places); err != nil {
			return err
		}
	}
	return r.end()
}

// restore puts an entry back where it was.
func (b *Book) restore(e *entry, r *reader, places int) error {
	if places == 0 {
		bucket := b.triedBucket(e)
		at := &b.tried[bucket][b.place(e, false, bucket)]
		if *at != nil {
			return files.ErrDamaged
		}
		*at, e.inTried = e, true
		b.count(e, 0, 1)
		return nil
	}
	b.count(e, 1, 0)
	for range places {
		bucket := int(r.u16())
		if bucket >= newBuckets {
			return files.ErrDamaged
		}
		at := &b.fresh[bucket][b.place(e, true, bucket)]
		if *at != nil {
			return files.ErrDamaged
		}
		*at = e
		e.refs++
	}
	return nil
}

func appendAddress(out []byte, at netip.AddrPort) []byte { return append(out, keyOf(at)...) }

// reader takes a record apart; short says that it ended too early.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.short = true
		return make([]byte, n)
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

func (r *reader) address() netip.AddrPort {
	key := r.take(18)
	return Normal(netip.AddrPortFrom(netip.AddrFrom16([16]byte(key[:16])), binary.BigEndian.Uint16(key[16:])))
}

func (r *reader) end() error {
	if r.short || len(r.b) > 0 {
		return files.ErrDamaged
	}
	return nil
}

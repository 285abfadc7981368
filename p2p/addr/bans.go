package addr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"granary/base/clock"
	"granary/base/files"
)

// banName is Bitcoin Core's file of bans, in its format.
const banName = "banlist.json"

// DefaultBan is how long a ban without a time lasts.
const DefaultBan = 24 * time.Hour

// discouragedMax addresses are remembered as misbehaving, the latest.
const discouragedMax = 50_000

// Ban is a block of addresses that a person shut out. Times are Unix seconds.
type Ban struct {
	Net            netip.Prefix
	Created, Until int64
}

// ErrBanned and ErrNotBanned are what Add and Remove refuse with.
var (
	ErrBanned    = errors.New("IP/Subnet already banned")
	ErrNotBanned = errors.New("the address was not banned before")
)

// Bans are the addresses that this node does not talk to (a person's bans, kept
// on disk) and those that misbehaved since the start: they are refused when
// places are scarce, and never dialled. All methods are safe for concurrent
// use.
type Bans struct {
	mu     sync.Mutex
	dir    *Dir
	clock  clock.Clock
	bans   []Ban // sorted by Net
	marked map[netip.Addr]bool
	ring   []netip.Addr // marked, in order of arrival; a ring once it is full
	next   int
}

// LoadBans reads banlist.json. A damaged file is set aside with a line in the
// log.
func (d *Dir) LoadBans(c clock.Clock) (*Bans, error) {
	b := &Bans{dir: d, clock: c, marked: make(map[netip.Addr]bool)}
	data, err := files.Read(d.FS, d.Path, banName, maxFileBytes)
	if err == nil && data != nil {
		err = b.decode(data)
	}
	if errors.Is(err, files.ErrDamaged) {
		b.bans = nil
		return b, d.damaged(banName)
	}
	b.sweep()
	return b, err
}

// Add bans a block until a time, and keeps that on disk.
func (b *Bans) Add(block netip.Prefix, until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	block = block.Masked()
	at, found := b.find(block)
	ban := Ban{block, b.clock.Now().Unix(), until.Unix()}
	switch {
	case !found:
		b.bans = slices.Insert(b.bans, at, ban)
	case b.bans[at].Until >= ban.Until:
		return ErrBanned
	default:
		b.bans[at] = ban
	}
	return b.save()
}

// Remove lifts a ban.
func (b *Bans) Remove(block netip.Prefix) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	at, found := b.find(block.Masked())
	if !found {
		return ErrNotBanned
	}
	b.bans = slices.Delete(b.bans, at, at+1)
	return b.save()
}

// Clear lifts all bans.
func (b *Bans) Clear() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bans = nil
	return b.save()
}

// List gives the bans that hold.
func (b *Bans) List() []Ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	return slices.Clone(b.bans)
}

// Banned reports whether a person banned ip.
func (b *Bans) Banned(ip netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now().Unix()
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(b.bans, func(ban Ban) bool { return ban.Until > now && ban.Net.Contains(ip) })
}

// Block reports whether a ban of exactly this block holds.
func (b *Bans) Block(block netip.Prefix) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	_, found := b.find(block.Masked())
	return found
}

// Discourage remembers that ip misbehaved.
func (b *Bans) Discourage(ip netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ip = ip.Unmap().WithZone("")
	if b.marked[ip] {
		return
	}
	b.marked[ip] = true
	if len(b.ring) < discouragedMax {
		b.ring = append(b.ring, ip)
		return
	}
	delete(b.marked, b.ring[b.next])
	b.ring[b.next] = ip
	b.next = (b.next + 1) % discouragedMax
}

// Discouraged reports whether ip misbehaved lately.
func (b *Bans) Discouraged(ip netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.marked[ip.Unmap().WithZone("")]
}

func (b *Bans) find(block netip.Prefix) (int, bool) {
	return slices.BinarySearchFunc(b.bans, block, func(ban Ban, want netip.Prefix) int { return comparePrefix(ban.Net, want) })
}

func comparePrefix(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

// sweep drops the bans that have ended.
func (b *Bans) sweep() {
	now := b.clock.Now().Unix()
	b.bans = slices.DeleteFunc(b.bans, func(ban Ban) bool { return ban.Until <= now })
}

// banJSON and listJSON are Bitcoin Core's form.
type banJSON struct {
	Version int    `json:"version"`
	Created int64  `json:"ban_created"`
	Until   int64  `json:"banned_until"`
	Address string `json:"address"`
}

type listJSON struct {
	Bans []banJSON `json:"banned_nets"`
}

func (b *Bans) save() error {
	list := listJSON{Bans: []banJSON{}}
	for _, ban := range b.bans {
		list.Bans = append(list.Bans, banJSON{1, ban.Created, ban.Until, ban.Net.String()})
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the bans: %w", err)
	}
	return files.Replace(b.dir.FS, b.dir.Path, banName, append(data, '\n'))
}

func (b *Bans) decode(data []byte) error {
	var list listJSON
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&list); err != nil || decoder.More() {
		return files.ErrDamaged
	}
	for _, row := range list.Bans {
		block, err := ParseBlock(row.Address)
		if err != nil {
			continue // a network that this node cannot reach
		}
		b.bans = append(b.bans, Ban{block, row.Created, row.Until})
	}
	slices.SortFunc(b.bans, func(x, y Ban) int { return comparePrefix(x.Net, y.Net) })
	b.bans = slices.CompactFunc(b.bans, func(x, y Ban) bool { return x.Net == y.Net })
	return nil
}

// ParseBlock reads an address or a block (1.2.3.0/24, 1.2.3.0/255.255.255.0).
func ParseBlock(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		ip = ip.Unmap().WithZone("")
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	if block, err := netip.ParsePrefix(text); err == nil {
		return block.Masked(), nil
	}
	return parseMask(text)
}

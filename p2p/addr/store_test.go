package addr

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/base/files"
)

func testDir(fs vfs.FS, log *bytes.Buffer) *Dir {
	return &Dir{FS: fs, Path: "net", Magic: [4]byte{1, 2, 3, 4}, Log: slog.New(slog.NewTextHandler(log, nil))}
}

func fullBook(t *testing.T) *Book {
	t.Helper()
	b, _ := testBook(8)
	for n := range uint32(300) {
		a := at(0x20000000 + n*0x10007)
		b.Add([]Address{a}, v4(0x50000000+n<<16), 0)
		if n%3 == 0 {
			b.Good(a.AddrPort)
		}
	}
	return b
}

func load(t *testing.T, d *Dir) *Book {
	t.Helper()
	b, err := d.LoadBook(Options{Clock: clock.Real{}, Rand: clock.SeededRand(1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.verify(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBookIsKept(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("net", 0o700); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	d, b := testDir(fs, &log), fullBook(t)
	if n := len(load(t, d).order); n != 0 {
		t.Fatalf("%d addresses out of nothing", n)
	}
	if err := d.SaveBook(b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(load(t, d).encode(), b.encode()) {
		t.Error("the book came back changed")
	}
	foreign := *d
	foreign.Magic[0] = 9
	if n := len(load(t, &foreign).order); n != 0 {
		t.Errorf("another network's book gave %d addresses", n)
	}
	if strings.Count(log.String(), "\n") != 1 {
		t.Errorf("the log says %q", log.String())
	}
}

// TestFlippedBitsAreFound flips a bit in every byte of the files.
func TestFlippedBitsAreFound(t *testing.T) {
	b := fullBook(t)
	anchors := []netip.AddrPort{at(0x08080808).AddrPort, netip.MustParseAddrPort("[2a00:1::1]:1")}
	fs := vfs.NewMem()
	if err := fs.MkdirAll("net", 0o700); err != nil {
		t.Fatal(err)
	}
	d := testDir(fs, &bytes.Buffer{})
	if err := d.SaveBook(b); err != nil {
		t.Fatal(err)
	}
	whole, err := files.Read(fs, "net", bookName, maxFileBytes)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 17 {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		if err := files.Replace(fs, "net", bookName, flipped); err != nil {
			t.Fatal(err)
		}
		if n := len(load(t, d).order); n != 0 {
			t.Fatalf("byte %d: damage went unnoticed", i)
		}
		if _, err := fs.Stat("net/" + bookName + ".damaged"); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.SaveAnchors(anchors); err != nil {
		t.Fatal(err)
	}
	got, err := d.TakeAnchors()
	if err != nil || len(got) != 2 || got[0] != anchors[0] || got[1] != anchors[1] {
		t.Errorf("anchors %v, %v", got, err)
	}
	if got, err := d.TakeAnchors(); err != nil || got != nil {
		t.Errorf("anchors are used twice: %v, %v", got, err)
	}
}

func TestBans(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("net", 0o700); err != nil {
		t.Fatal(err)
	}
	c := &clock.Mock{}
	c.Set(start)
	var log bytes.Buffer
	d := testDir(fs, &log)
	b, err := d.LoadBans(c)
	if err != nil {
		t.Fatal(err)
	}
	block := func(text string) netip.Prefix {
		p, err := ParseBlock(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for text, hours := range map[string]int{"1.2.3.4": 1, "5.6.0.0/16": 2, "7.8.9.0/255.255.255.0": 3, "2a00:1::/32": 4} {
		if err := b.Add(block(text), start.Add(time.Duration(hours)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Add(block("1.2.3.4"), start.Add(time.Hour)); err != ErrBanned { //nolint:errorlint // given as it is
		t.Errorf("a second ban says %v", err)
	}
	again, err := d.LoadBans(c)
	if err != nil || len(again.List()) != 4 {
		t.Fatalf("%v, %v", again.List(), err)
	}
	for text, want := range map[string]bool{
		"1.2.3.4": true, "::ffff:1.2.3.4": true, "1.2.3.5": false, "5.6.7.8": true, "7.8.9.255": true, "7.8.10.0": false, "2a00:1:ffff::1": true,
	} {
		if again.Banned(netip.MustParseAddr(text)) != want {
			t.Errorf("%s is banned: %v", text, !want)
		}
	}
	c.Set(start.Add(90 * time.Minute))
	if again.Banned(netip.MustParseAddr("1.2.3.4")) || len(again.List()) != 3 {
		t.Error("a ban outlives its time")
	}
	if err := again.Remove(block("5.6.0.0/16")); err != nil || again.Banned(netip.MustParseAddr("5.6.7.8")) {
		t.Errorf("removing: %v", err)
	}
	if err := again.Remove(block("5.6.0.0/16")); err != ErrNotBanned { //nolint:errorlint // given as it is
		t.Errorf("removing twice: %v", err)
	}
}

// TestBanListOfBitcoinCore reads a file as Bitcoin Core writes it.
func TestBanListOfBitcoinCore(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("net", 0o700); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	d := testDir(fs, &log)
	text := `{"banned_nets": [{"version": 1, "ban_created": 1, "banned_until": 1900000000, "address": "1.2.3.0/24"},
		{"version": 1, "ban_created": 1, "banned_until": 1900000000, "address": "abc.onion"}]}`
	if err := files.Replace(fs, "net", banName, []byte(text)); err != nil {
		t.Fatal(err)
	}
	c := &clock.Mock{}
	c.Set(start)
	b, err := d.LoadBans(c)
	if err != nil || !b.Banned(netip.MustParseAddr("1.2.3.9")) || len(b.List()) != 1 {
		t.Errorf("%v, %v", b.List(), err)
	}
	if err := files.Replace(fs, "net", banName, []byte(text[:50])); err != nil {
		t.Fatal(err)
	}
	if b, err := d.LoadBans(c); err != nil || len(b.List()) != 0 || !strings.Contains(log.String(), "banlist.json is damaged") {
		t.Errorf("%v, %v, %q", b.List(), err, log.String())
	}
}

func TestDiscouragedAreBounded(t *testing.T) {
	b := &Bans{marked: make(map[netip.Addr]bool)}
	for n := range uint32(discouragedMax + 10) {
		b.Discourage(v4(0x20000000 + n))
	}
	if len(b.marked) != discouragedMax || b.Discouraged(v4(0x20000000)) || !b.Discouraged(v4(0x20000000+discouragedMax)) {
		t.Errorf("%d are remembered", len(b.marked))
	}
}

func TestBlocksOfAddresses(t *testing.T) {
	for _, text := range []string{"", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/255.0.255.0", "1.2.3.4/255.255.255.254.1", "1.2.3.4/ffff::", "::1/129"} {
		if p, err := ParseBlock(text); err == nil {
			t.Errorf("%q reads as %v", text, p)
		}
	}
	for text, want := range map[string]string{
		"1.2.3.4": "1.2.3.4/32", "1.2.3.4/8": "1.0.0.0/8", "1.2.3.4/255.255.128.0": "1.2.0.0/17", "::1": "::1/128", "1.2.3.4/0.0.0.0": "0.0.0.0/0",
		"2a00::1/ffff:8000::": "2a00::/17",
	} {
		if p, err := ParseBlock(text); err != nil || p.String() != want {
			t.Errorf("%q reads as %v, %v", text, p, err)
		}
	}
}

func FuzzDecodeBook(f *testing.F) {
	b, _ := testBook(9)
	b.Add([]Address{at(0x08080808)}, v4(0x09090909), 0)
	f.Add(b.encode())
	f.Fuzz(func(t *testing.T, body []byte) {
		b, _ := testBook(1)
		if b.decode(body) == nil {
			if err := b.verify(); err != nil {
				t.Error(err)
			}
		}
	})
}

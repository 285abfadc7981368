package params_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"granary/params"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func demo(t testing.TB) *params.Charter {
	t.Helper()
	script := func(n byte) []byte { return append([]byte{0x00, 20}, bytes.Repeat([]byte{n}, 20)...) }
	c, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{script(1), script(2)},
		Auditors:   [3][]byte{script(3), script(4), script(5)},
		Council:    script(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func customCharter(t testing.TB) params.Charter {
	c := *demo(t)
	c.Base = params.CharterNetwork{Base: params.BaseCustom, Custom: params.CustomNetwork{
		Magic: [4]byte{0xc7, 0x72, 0x61, 0x6e}, HRP: "gra", PubKeyHashPrefix: 38, ScriptHashPrefix: 98, PrivateKeyPrefix: 166,
		SpacingSeconds: 60, RetargetBlocks: 12, HalvingBlocks: 210_000, PowLimitBits: 0x1f0fffff,
		GenesisTime: 1_760_000_000, GenesisMessage: "bread before gold",
	}}
	nonce, ok := c.Base.Custom.FindGenesisNonce(1 << 22)
	if !ok {
		t.Fatal("no genesis nonce")
	}
	c.Base.Custom.GenesisNonce = nonce
	return c
}

func sealedCharter(t testing.TB, base params.NetworkBase) params.Charter {
	c := *demo(t)
	key := func(text string) []byte { b, _ := hex.DecodeString(text); return b }
	c.Base = params.CharterNetwork{Base: base, Sealed: params.Sealers{Required: 1, Keys: [][]byte{
		key("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
		key("02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"),
	}}}
	return c
}

// every base, through TOML and through canonical bytes, is the same charter.
func TestRoundTrips(t *testing.T) {
	open := *demo(t)
	open.Base = params.CharterNetwork{Base: params.BaseSignetOpen}
	odd := *demo(t)
	odd.Name = `Кофе "and" \ 小麦`
	odd.Council.Script = []byte{0x51}
	ids := map[params.CharterID]bool{}
	for _, c := range []params.Charter{
		*demo(t), open, sealedCharter(t, params.BaseSignetBare), sealedCharter(t, params.BaseSignetHashed), customCharter(t), odd,
	} {
		made, err := params.NewCharter(c)
		if err != nil {
			t.Fatal(err)
		}
		fromText, err := params.ParseCharter(made.TOML())
		if err != nil {
			t.Fatalf("%v in\n%s", err, made.TOML())
		}
		fromBytes, err := params.ParseCanonical(made.Canonical())
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []*params.Charter{fromText, fromBytes} {
			if diff := cmp.Diff(made, other, cmpopts.IgnoreUnexported(params.Charter{}), cmpopts.EquateEmpty()); diff != "" || other.ID() != made.ID() {
				t.Fatalf("round trip changed the charter:\n%s", diff)
			}
		}
		if ids[made.ID()] {
			t.Fatal("two charters have one id")
		}
		ids[made.ID()] = true
	}
}

func TestNetworks(t *testing.T) {
	open := *demo(t)
	open.Base = params.CharterNetwork{Base: params.BaseSignetOpen}
	other := open
	other.Name = "Another"
	var magics [2][4]byte
	for i, c := range []params.Charter{open, other} {
		made, err := params.NewCharter(c)
		if err != nil {
			t.Fatal(err)
		}
		challenge := made.SignetChallenge()
		if len(challenge) != 35 || challenge[0] != 0x20 || challenge[33] != 0x75 || challenge[34] != 0x51 {
			t.Fatalf("open challenge %x", challenge)
		}
		net, err := made.Network()
		if err != nil {
			t.Fatal(err)
		}
		magics[i] = net.Magic()
	}
	if magics[0] == magics[1] {
		t.Fatal("two open charters share a network")
	}
	bare := sealedCharter(t, params.BaseSignetBare)
	want := "51210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f817982102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee552ae"
	if got := hex.EncodeToString(bare.SignetChallenge()); got != want {
		t.Fatalf("bare challenge %s", got)
	}
	hashed := sealedCharter(t, params.BaseSignetHashed)
	if got := hashed.SignetChallenge(); len(got) != 34 || got[0] != 0 || got[1] != 32 {
		t.Fatalf("hashed challenge %x", got)
	}
	custom := customCharter(t)
	net, err := custom.Network()
	if err != nil {
		t.Fatal(err)
	}
	if net.Magic() != custom.Base.Custom.Magic || net.RetargetInterval() != 12 || net.GenesisHash() != net.Chain.GenesisBlock.BlockHash() {
		t.Fatalf("custom network %+v", net)
	}
}

func TestTemplateParses(t *testing.T) {
	c, err := params.ParseCharter(params.TemplateCharter())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Warnings()); n != 6 {
		t.Fatalf("%d warnings about published keys, want 6: %q", n, c.Warnings())
	}
	if n := len(demo(t).Warnings()); n != 0 {
		t.Fatalf("the demo warns: %q", demo(t).Warnings())
	}
}

// Each line of testdata/charter-errors.txt: what to replace, by what, and the
// error that must come.
func TestErrorsExplain(t *testing.T) {
	text, err := os.ReadFile("testdata/charter-errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	template := string(params.TemplateCharter())
	cases := 0
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		if len(parts) != 3 {
			t.Fatalf("three parts expected: %s", line)
		}
		from, to, want := parts[0], strings.ReplaceAll(parts[1], `\n`, "\n"), parts[2]
		if !strings.Contains(template, from) {
			t.Errorf("template does not hold %q", from)
			continue
		}
		_, err := params.ParseCharter([]byte(strings.Replace(template, from, to, 1)))
		switch {
		case want == "ok" && err != nil:
			t.Errorf("%s: refused: %v", line, err)
		case want != "ok" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%s -> %s\n got: %v\nwant: %s", from, to, err, want)
		case err != nil && strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: the error has more than one line: %v", line, err)
		}
		cases++
	}
	t.Logf("%d cases", cases)
}

func TestManyProblemsAreAllNamed(t *testing.T) {
	_, err := params.ParseCharter([]byte("rules = 1\n"))
	var charterErr *params.CharterError
	if !errors.As(err, &charterErr) || len(charterErr.Problems) < 10 {
		t.Fatalf("got %v", err)
	}
}

func TestCanonicalRefuses(t *testing.T) {
	good := demo(t).Canonical()
	for n := range good {
		if _, err := params.ParseCanonical(good[:n]); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(good))
		}
	}
	if _, err := params.ParseCanonical(append(bytes.Clone(good), 0)); err == nil {
		t.Fatal("a trailing byte was accepted")
	}
	if _, err := params.ParseCanonical(append(bytes.Clone(good), make([]byte, params.MaxCharterBytes)...)); err == nil {
		t.Fatal("an endless charter was accepted")
	}
}

func FuzzParseCanonical(f *testing.F) {
	f.Add(demo(f).Canonical())
	custom := customCharter(f)
	f.Add(custom.Canonical())
	sealed := sealedCharter(f, params.BaseSignetBare)
	f.Add(sealed.Canonical())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := params.ParseCanonical(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Canonical(), b) {
			t.Fatal("canonical bytes changed")
		}
		again, err := params.ParseCharter(c.TOML())
		if err != nil || again.ID() != c.ID() {
			t.Fatalf("TOML does not read back: %v", err)
		}
	})
}

func FuzzParseCharter(f *testing.F) {
	f.Add(params.TemplateCharter())
	f.Add([]byte("rules = 1\n[[goods]]\ncode = \"A\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := params.ParseCharter(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		if again, err := params.ParseCanonical(c.Canonical()); err != nil || again.ID() != c.ID() {
			t.Fatalf("canonical bytes do not read back: %v", err)
		}
	})
}

// A custom network's numbers, each just outside.
func TestCustomNetworkRefused(t *testing.T) {
	for want, change := range map[string]func(*params.CustomNetwork){
		"network: magic fabfb5da: is that of a network of Bitcoin's": func(n *params.CustomNetwork) { n.Magic = [4]byte{0xfa, 0xbf, 0xb5, 0xda} },
		"network: hrp \"tb\"":                 func(n *params.CustomNetwork) { n.HRP = "tb" },
		"network: hrp \"g1\"":                 func(n *params.CustomNetwork) { n.HRP = "g1" },
		"network: pubkey_hash_prefix, script": func(n *params.CustomNetwork) { n.ScriptHashPrefix = n.PubKeyHashPrefix },
		"network: spacing_seconds 0":          func(n *params.CustomNetwork) { n.SpacingSeconds = 0 },
		"network: retarget_blocks 1":          func(n *params.CustomNetwork) { n.RetargetBlocks = 1 },
		"network: spacing_seconds 1 x retarg": func(n *params.CustomNetwork) { n.SpacingSeconds, n.RetargetBlocks = 1, 3 },
		"network: halving_blocks 210001":      func(n *params.CustomNetwork) { n.HalvingBlocks = 210_001 },
		"network: genesis_time 0":             func(n *params.CustomNetwork) { n.GenesisTime = 0 },
		"network: genesis_message":            func(n *params.CustomNetwork) { n.GenesisMessage = "é" },
		"network: pow_limit_bits 1f1fffff":    func(n *params.CustomNetwork) { n.PowLimitBits = 0x1f1fffff },
		"network: pow_limit_bits 1f000fff":    func(n *params.CustomNetwork) { n.PowLimitBits = 0x1f000fff },
		"network: genesis_nonce":              func(n *params.CustomNetwork) { n.GenesisNonce++ },
	} {
		c := customCharter(t)
		change(&c.Base.Custom)
		if _, err := params.NewCharter(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// Sealers: each just outside.
func TestSealersRefused(t *testing.T) {
	for want, change := range map[string]func(*params.Sealers){
		"network: seal_quorum 3: must be 1 to 2": func(s *params.Sealers) { s.Required = 3 },
		"network: seal_quorum 0: must be 1 to 2": func(s *params.Sealers) { s.Required = 0 },
		"network: sealers[1]: is listed twice":   func(s *params.Sealers) { s.Keys[1] = s.Keys[0] },
		"network: sealers[0]: is not a compr":    func(s *params.Sealers) { s.Keys[0] = s.Keys[0][:32] },
		"network: number of sealers 0":           func(s *params.Sealers) { s.Keys = nil },
	} {
		c := sealedCharter(t, params.BaseSignetHashed)
		change(&c.Base.Sealed)
		if _, err := params.NewCharter(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestValueRoundsDownAndSaturates(t *testing.T) {
	const top = 1<<63 - 1
	for _, v := range []struct{ quantity, num, den, want int64 }{
		{10, 1, 3, 3},
		{2, 1, 3, 0},
		{0, top, 1, 0},
		{top, top, top, top},
		{top, top, 1, top},
		{top, 2, 1, top},
		{top, 1, 2, top / 2},
		{top, 2, 3, 6148914691236517204},
		{1, top, 1, top},
	} {
		g := params.Good{ParNum: v.num, ParDen: v.den}
		if got := g.ValueUnits(v.quantity); got != v.want {
			t.Errorf("%d x %d / %d = %d, want %d", v.quantity, v.num, v.den, got, v.want)
		}
	}
}

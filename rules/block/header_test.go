package block

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// branch makes a header chain from height 0 with the given times and bits; no
// work is done.
func branch(n int, at func(height int) (seconds int64, bits uint32)) *state.Header {
	var tip *state.Header
	for height := range n {
		seconds, bits := at(height)
		raw := wire.BlockHeader{Version: 4, Timestamp: time.Unix(seconds, 0), Bits: bits, Nonce: uint32(height)}
		if tip != nil {
			raw.PrevBlock = tip.Hash
		}
		tip = state.NewHeader(&raw, tip)
	}
	return tip
}

// Retargets that happened on mainnet, with the clamps on both sides.
func TestNextBitsMainnetHistory(t *testing.T) {
	rules := Rules{Net: params.MainNet()}
	for _, c := range []struct {
		name        string
		first, last int64
		bits, want  uint32
	}{
		{"block 32256", 1261130161, 1262152739, 0x1d00ffff, 0x1d00d86a},
		{"block 2016, at the easiest target", 1231006505, 1233061996, 0x1d00ffff, 0x1d00ffff},
		{"block 68544, at a quarter", 1279008237, 1279297671, 0x1c05a3f4, 0x1c0168fd},
		{"four times easier", 1263163443, 1269211443, 0x1c387f6f, 0x1d00e1fd},
		{"time runs backwards", 1279297671, 1279008237, 0x1c05a3f4, 0x1c0168fd},
	} {
		tip := branch(2016, func(height int) (int64, uint32) {
			if height < 2015 {
				return c.first + int64(height), c.bits
			}
			return c.last, c.bits
		})
		if got := rules.NextBits(tip, c.last+600); got != c.want {
			t.Errorf("%s: %08x, want %08x", c.name, got, c.want)
		}
		if got := rules.NextBits(tip.Parent, c.last+1_000_000); got != c.bits {
			t.Errorf("%s: bits change within a period: %08x", c.name, got)
		}
	}
}

// naiveRetarget is the rule in math/big, as the oracle.
func naiveRetarget(n *params.Network, bits uint32, taken int64) uint32 {
	taken = min(max(taken, n.TimespanSeconds/4), n.TimespanSeconds*4)
	target, _ := state.TargetOf(bits)
	big1 := target.ToBig()
	big1.Mul(big1, big.NewInt(taken)).Div(big1, big.NewInt(n.TimespanSeconds))
	if limit := n.PowLimit.ToBig(); big1.Cmp(limit) > 0 {
		return n.PowLimitBits
	}
	target.SetFromBig(big1)
	return state.BitsOf(&target)
}

func TestNextBitsAgainstNaive(t *testing.T) {
	easy := params.RegTest() // its limit overflows 256 bits when multiplied
	easy.NoRetargeting, easy.AllowMinDifficulty = false, false
	nets := []*params.Network{params.MainNet(), params.TestNet4(), params.SigNet([]byte{0x51}), easy}
	rapid.Check(t, func(rt *rapid.T) {
		net := rapid.SampledFrom(nets).Draw(rt, "network")
		rules := Rules{Net: net}
		taken := rapid.Int64Range(-1000, 5*net.TimespanSeconds).Draw(rt, "seconds taken")
		limit := net.PowLimitBits
		firstBits := limit - uint32(rapid.IntRange(0, 4).Draw(rt, "exponent"))<<24
		lastBits := limit - uint32(rapid.IntRange(0, 4).Draw(rt, "last exponent"))<<24
		start := int64(1_600_000_000)
		tip := branch(2016, func(height int) (int64, uint32) {
			switch height {
			case 0:
				return start, firstBits
			case 2015:
				return start + taken, lastBits
			}
			return start + int64(height), lastBits
		})
		base := lastBits
		if net.EnforceBIP94 {
			base = firstBits
		}
		if got, want := rules.NextBits(tip, 0), naiveRetarget(net, base, taken); got != want {
			rt.Fatalf("%s: %08x, want %08x", net.Name, got, want)
		}
	})
}

// The shortest difficulty period that a charter may have (four seconds) still
// leads to a target when all its blocks carry one time.
func TestShortestPeriodKeepsATarget(t *testing.T) {
	net := params.RegTest()
	net.NoRetargeting, net.AllowMinDifficulty = false, false
	net.SpacingSeconds, net.TimespanSeconds = 2, 4
	tip := branch(2, func(int) (int64, uint32) { return 1_760_000_000, 0x1f0fffff })
	if got := (Rules{Net: net}).NextBits(tip, 1_760_000_001); got != 0x1f03ffff {
		t.Errorf("bits are %08x, a quarter of the target is 1f03ffff", got)
	}
}

func TestNextBitsOfTestNetworks(t *testing.T) {
	net := params.TestNet4()
	rules := Rules{Net: net}
	const hard = 0x1c00ffff
	at := func(height int) (int64, uint32) {
		if height%2016 != 0 && height > 2000 { // a storm of easy blocks
			return int64(1_700_000_000 + 600*height), net.PowLimitBits
		}
		return int64(1_700_000_000 + 600*height), hard
	}
	tip := branch(2010, at)
	now := tip.Raw.Timestamp.Unix()
	if got := rules.NextBits(tip, now+1200); got != hard {
		t.Errorf("twenty minutes late: %08x", got)
	}
	if got := rules.NextBits(tip, now+1201); got != net.PowLimitBits {
		t.Errorf("a second later: %08x", got)
	}
	// The walk back stops at the first block of a period, whatever it says.
	first := branch(2018, func(height int) (int64, uint32) { return int64(1_700_000_000 + 600*height), net.PowLimitBits })
	if got := rules.NextBits(first, first.Raw.Timestamp.Unix()); got != net.PowLimitBits {
		t.Errorf("behind an easy first block: %08x", got)
	}
	regtest := Rules{Net: params.RegTest()}
	tip = branch(2016, func(height int) (int64, uint32) { return int64(1_700_000_000 + height), 0x207fffff })
	if got := regtest.NextBits(tip, 0); got != 0x207fffff {
		t.Errorf("regtest retargets: %08x", got)
	}
}

// easyNet is a network whose work is a few hashes and which otherwise keeps
// mainnet's rules.
func easyNet() *params.Network {
	n := params.MainNet()
	easy := params.RegTest()
	n.PowLimit, n.PowLimitBits = easy.PowLimit, easy.PowLimitBits
	n.NoRetargeting = true
	n.BIP34Height, n.BIP66Height, n.BIP65Height = 20, 21, 22
	return n
}

// mined finds a nonce for a header below parent.
func mined(parent *state.Header, version int32, seconds int64, bits uint32) *wire.BlockHeader {
	raw := &wire.BlockHeader{Version: version, PrevBlock: parent.Hash, Timestamp: time.Unix(seconds, 0), Bits: bits}
	target, _ := state.TargetOf(bits)
	for {
		if hash := raw.BlockHash(); state.HashMeets(&hash, &target) {
			return raw
		}
		raw.Nonce++
	}
}

func TestCheckHeaderRules(t *testing.T) {
	rules := Rules{Net: easyNet()}
	const bits, start = 0x207fffff, 1_500_000_000
	tip := branch(16, func(height int) (int64, uint32) { return start + int64(height), bits })
	median := tip.MedianTimePast()
	now := int64(start + 1000)
	for _, c := range []struct {
		name    string
		seconds int64
		code    check.Code
		kind    check.Kind
	}{
		{"after the median", median + 1, "", 0},
		{"at the median", median, "time-too-old", check.Consensus},
		{"two hours ahead", now + 7200, "", 0},
		{"two hours and a second ahead", now + 7201, "time-too-new", check.Future},
	} {
		want(t, c.name, rules.CheckHeader(mined(tip, 4, c.seconds, bits), tip, now), c.code, c.kind)
	}
	want(t, "other bits", rules.CheckHeader(mined(tip, 4, median+1, 0x207ffffe), tip, now), "bad-diffbits", check.Consensus)
	raw := mined(tip, 4, median+1, bits)
	for hash := raw.BlockHash(); hash[31] < 0x80; hash = raw.BlockHash() {
		raw.Nonce++
	}
	want(t, "no work", rules.CheckHeader(raw, tip, now), "high-hash", check.Consensus)
	for _, broken := range []uint32{0, 0x00ffffff, 0x20800001, 0xff00ffff, 0x21008000, 0x2100ffff} {
		raw := *raw
		raw.Bits = broken
		want(t, fmt.Sprintf("bits %08x", broken), rules.CheckHeader(&raw, tip, now), "high-hash", check.Consensus)
	}
}

func TestCheckHeaderVersions(t *testing.T) {
	rules := Rules{Net: easyNet()}
	const bits, start = 0x207fffff, 1_500_000_000
	for _, c := range []struct {
		height, version int32
		code            check.Code
	}{
		{19, 1, ""},
		{19, -1, ""},
		{20, 1, "bad-version(0x00000001)"},
		{20, 2, ""},
		{20, -5, "bad-version(0xfffffffb)"},
		{21, 2, "bad-version(0x00000002)"},
		{21, 3, ""},
		{22, 3, "bad-version(0x00000003)"},
		{22, 4, ""},
		{22, 0x20000000, ""},
	} {
		tip := branch(int(c.height), func(height int) (int64, uint32) { return start + int64(height), bits })
		err := rules.CheckHeader(mined(tip, c.version, start+1000, bits), tip, start+1000)
		want(t, fmt.Sprintf("height %d version %d", c.height, c.version), err, c.code, check.Consensus)
	}
}

// The time warp limits of BIP94 (600 seconds) and BIP54 (7,200 seconds, and
// no period that ends before it began), each just inside and just outside.
func TestTimewarpBIP94AndBIP54(t *testing.T) {
	const bits, start = 0x207fffff, 1_500_000_000
	bip94 := easyNet()
	bip94.EnforceBIP94 = true
	plain, cleanup := Rules{Net: easyNet()}, Rules{Net: easyNet(), Charter: &params.Charter{}}
	// The last block of the period lies far ahead of its median.
	lastAhead := func(n int) *state.Header {
		return branch(n, func(height int) (int64, uint32) {
			if height == n-1 {
				return start + 20_000, bits
			}
			return start + int64(height), bits
		})
	}
	// The first block of the period lies far ahead of all others.
	firstAhead := branch(2015, func(height int) (int64, uint32) {
		if height == 0 {
			return start + 20_000, bits
		}
		return start + int64(height), bits
	})
	now := int64(start + 30_000)
	for _, c := range []struct {
		name    string
		rules   Rules
		tip     *state.Header
		seconds int64
		code    check.Code
	}{
		{"BIP94 at 600 seconds", Rules{Net: bip94}, lastAhead(2016), start + 20_000 - 600, ""},
		{"BIP94 at 601 seconds", Rules{Net: bip94}, lastAhead(2016), start + 20_000 - 601, "time-timewarp-attack"},
		{"BIP94 within a period", Rules{Net: bip94}, lastAhead(2015), start + 20_000 - 601, ""},
		{"BIP54 at 7,200 seconds", cleanup, lastAhead(2016), start + 20_000 - 7200, ""},
		{"BIP54 at 7,201 seconds", cleanup, lastAhead(2016), start + 20_000 - 7201, "time-timewarp-attack"},
		{"BIP54 within a period", cleanup, lastAhead(2014), start + 20_000 - 7201, ""},
		{"no charter, no BIP54", plain, lastAhead(2016), start + 20_000 - 7201, ""},
		{"BIP54 period of no time", cleanup, firstAhead, start + 20_000, ""},
		{"BIP54 period of negative time", cleanup, firstAhead, start + 19_999, "time-negative-interval"},
		{"no charter, negative time", plain, firstAhead, start + 19_999, ""},
	} {
		err := c.rules.CheckHeader(mined(c.tip, 4, c.seconds, bits), c.tip, now)
		want(t, c.name, err, c.code, check.Consensus)
	}
}

func TestHeightScript(t *testing.T) {
	for height, want := range map[int32]string{
		0: "00", 1: "51", 16: "60", 17: "0111", 127: "017f", 128: "028000", 255: "02ff00", 256: "020001",
		32767: "02ff7f", 32768: "03008000", 227931: "035b7a03", 8388607: "03ffff7f", 8388608: "0400008000",
	} {
		if got := fmt.Sprintf("%x", HeightScript(height)); got != want {
			t.Errorf("height %d: %s, want %s", height, got, want)
		}
	}
}

// No two heights' scripts begin alike: what lets bip30Search trust BIP34.
func TestHeightScriptsAreNoPrefixes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[string]int32{}
	for range 5000 {
		height := int32(r.Uint32() >> (1 + r.IntN(31)))
		seen[string(HeightScript(height))] = height
	}
	for script, height := range seen {
		for n := 1; n < len(script); n++ {
			if other, ok := seen[script[:n]]; ok {
				t.Fatalf("script of height %d begins with that of %d", height, other)
			}
		}
	}
}

func TestGenesisOfEveryNetworkHasWork(t *testing.T) {
	for _, net := range []*params.Network{params.MainNet(), params.TestNet4(), params.SigNet(chaincfg.DefaultSignetChallenge), params.RegTest()} {
		if err := (Rules{Net: net}).checkWork(&net.Chain.GenesisBlock.Header); err != nil {
			t.Errorf("%s: %v", net.Name, err)
		}
	}
}

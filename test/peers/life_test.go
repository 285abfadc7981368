package peers

import (
	"encoding/hex"
	"os"
	"strconv"
	"testing"
	"time"

	"granary/params"
	"granary/state"
	"granary/test/plays"
)

// TestBtcdFollowsALife is the soft fork proved over every record of the goods
// rules: each block of a seeded life goes to an unmodified btcd, which takes
// it, and so does each block of a branch that displaces the last six.
// GRANARY_LIFE_BLOCKS and GRANARY_SEED choose how much and which.
func TestBtcdFollowsALife(t *testing.T) {
	t.Run("regtest", func(t *testing.T) {
		p := follow(t, startBtcd(t, "--regtest"), params.BaseRegtest, 500)
		p.MustHaveSeen()
	})
	t.Run("open signet", func(t *testing.T) {
		if os.Getenv("GRANARY_LONG") == "" {
			t.Skip("skipped: some hundred blocks of signet's work take minutes; GRANARY_LONG=1 runs it")
		}
		challenge := hex.EncodeToString(plays.Charter(t, params.BaseSignetOpen).SignetChallenge())
		follow(t, startBtcd(t, "--signet", "--signetchallenge="+challenge), params.BaseSignetOpen, 250)
	})
}

func follow(t *testing.T, peer *btcd, base params.NetworkBase, height int32) *plays.Play {
	t.Helper()
	seed := uint64(7)
	if n, err := strconv.ParseInt(os.Getenv("GRANARY_LIFE_BLOCKS"), 10, 32); err == nil {
		height = params.GoodsStartHeight + int32(n)
	}
	if n, err := strconv.ParseUint(os.Getenv("GRANARY_SEED"), 10, 64); err == nil {
		seed = n
	}
	began := time.Now()
	p := plays.Open(t, plays.Charter(t, base), seed)
	taken := 0
	p.Block = func(b *state.Block) {
		if refusal := peer.submit(b); refusal != "" {
			t.Fatalf("btcd refused block %v: %s", b.Hash, refusal)
		}
		taken++
	}
	p.Live(height)
	displace(t, p)
	if theirs, ours := peer.tip(), p.Chain.Tip().Hash; theirs != ours {
		t.Fatalf("btcd stands at %v, we at %v", theirs, ours)
	}
	p.MustCheck()
	t.Logf("seed %d: btcd took %d blocks with %v in %v", seed, taken, p.Seen, time.Since(began).Round(time.Second))
	return p
}

// displace takes six blocks back and lives seven others.
func displace(t *testing.T, p *plays.Play) {
	t.Helper()
	height := p.Height()
	if err := p.Chain.Invalidate(p.Chain.AtHeight(height - 5).Hash); err != nil {
		t.Fatal(err)
	}
	p.Live(height + 1)
}

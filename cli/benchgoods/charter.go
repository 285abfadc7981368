package benchgoods

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btcsuite/btcd/txscript/v2"

	"granary/params"
)

// The shape of the charter. Any auditor's word is a quorum, so that the chain
// is made fast; every window is longer than the chain, so that nothing ends by
// itself.
const (
	custodianCount = 200
	auditorCount   = 4
	windowBlocks   = 100_000
	// unitsPerMeasure is the par.
	unitsPerMeasure = 1_000
)

// freeScript is an output script that anybody can spend without a signature:
// one push of 20 bytes, as long as a P2WPKH script but one. n tells them apart.
func freeScript(kind byte, n uint64) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "granary/benchgoods %d %d", kind, n))
	script := append([]byte{txscript.OP_DATA_20}, sum[:20]...)
	script[1] |= 1 // never a zero, which would be false
	return script
}

// Kinds of free scripts.
const (
	kindCustodian byte = iota
	kindAuditor
	kindCouncil
	kindDepositor
	kindHolder
)

// newCharter makes the charter of the bench's chain, on regtest.
func newCharter() (*params.Charter, error) {
	p := params.Parameters{
		MinCoverageBP: 11_000, MinerShareBP: 100, BlockReleaseCapUnits: 10_000 * params.UnitsPerCoin,
		QuorumAuditors: 1, DeliveryWindowBlocks: windowBlocks, PickupWindowBlocks: windowBlocks, GraceWindowBlocks: windowBlocks,
		AttestationLifeBlocks: windowBlocks, AmendmentDelayBlocks: 2 * windowBlocks, RedemptionFeeBP: 50,
		MinDrawUnits: 1_000, UnbondedAllowanceUnits: 21_000_000 * params.UnitsPerCoin,
		BondRatioBP: 0, PenaltyBP: 1_000,
	}
	c := params.Charter{
		Rules: params.CharterRules, Name: "Granary bench", Ticker: "BENCH", Decimals: 8,
		Base:       params.CharterNetwork{Base: params.BaseRegtest},
		Parameters: p, Low: p, High: p,
		Goods: []params.Good{{
			Code: "WHEAT", Name: "Milling wheat", Measure: "kg", ParNum: unitsPerMeasure, ParDen: 1,
			HaircutBP: 1_000, MaxAgeBlocks: 1_000_000, MinReceipt: 100, MinRedemption: 5,
		}},
		Council:          params.Member{Name: "Bench council", Script: freeScript(kindCouncil, 0)},
		Registries:       []string{"Bench lot registry"},
		TermsHash:        sha256.Sum256([]byte("These coins are for measuring and mean nothing.")),
		JurisdictionHash: sha256.Sum256([]byte("No court has jurisdiction over a bench.")),
	}
	for i := range custodianCount {
		c.Custodians = append(c.Custodians, params.Custodian{
			Member:     params.Member{Name: fmt.Sprintf("Warehouse %d", i), Script: freeScript(kindCustodian, uint64(i))},
			Allowances: []params.Allowance{{Good: 0, Limit: 1 << 50}},
		})
	}
	for i := range auditorCount {
		c.Auditors = append(c.Auditors, params.Member{Name: fmt.Sprintf("Auditor %d", i), Script: freeScript(kindAuditor, uint64(i))})
	}
	return params.NewCharter(c)
}

// writeCharter puts the charter where a node can read it.
func writeCharter(dir string, c *params.Charter) (path string, err error) {
	path = filepath.Join(dir, "charter.toml")
	if err := os.WriteFile(path, c.TOML(), 0o644); err != nil {
		return "", fmt.Errorf("cannot write the bench's charter: %w", err)
	}
	return path, nil
}

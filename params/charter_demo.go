package params

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
)

// DemoScripts are the seats' scripts of a demo charter: whoever can spend
// them holds the seats.
type DemoScripts struct {
	Custodians [2][]byte
	Auditors   [3][]byte
	Council    []byte
}

// DemoCharter is the charter of `granary up`: regtest, three goods, two
// custodians, three auditors with quorum two, a council. Regtest makes 15,000
// coins in all, 5,050 of them in the first 101 blocks; a tonne of wheat is
// worth half a coin, so that a few receipts of ordinary size use the pool
// well without emptying it.
func DemoCharter(scripts DemoScripts) (*Charter, error) {
	p := Parameters{
		MinCoverageBP: 11_000, MinerShareBP: 100, BlockReleaseCapUnits: 200 * UnitsPerCoin,
		QuorumAuditors: 2, DeliveryWindowBlocks: 30, PickupWindowBlocks: 15, GraceWindowBlocks: 10,
		AttestationLifeBlocks: 144, AmendmentDelayBlocks: 60, RedemptionFeeBP: 50,
		MinDrawUnits: UnitsPerCoin / 10, UnbondedAllowanceUnits: 1_000 * UnitsPerCoin,
		BondRatioBP: 1_000, PenaltyBP: 1_000,
	}
	low, high := p, p
	low.RedemptionFeeBP, high.RedemptionFeeBP = 0, 100
	low.BondRatioBP, high.BondRatioBP = 500, 10_000
	low.MinCoverageBP, high.MinCoverageBP = 11_000, 20_000
	low.QuorumAuditors, high.QuorumAuditors = 2, 5
	return NewCharter(Charter{
		Rules: CharterRules, Name: "Granary demo", Ticker: "GRN", Decimals: 8,
		Base:       CharterNetwork{Base: BaseRegtest},
		Parameters: p, Low: low, High: high,
		Goods: []Good{
			{"WHEAT", "Milling wheat", "kg", 50_000, 1, 1_500, 2_000, 1_000, 100},
			{"COFFEE", "Green coffee, washed", "kg", 1_000_000, 1, 2_000, 1_500, 60, 10},
			{"SILVER", "Silver, 999 fine", "g", 200_000, 1, 1_000, 4_000, 1_000, 100},
		},
		Custodians: []Custodian{
			{Member{"North silo", scripts.Custodians[0]}, []Allowance{{0, 4_000_000}, {1, 50_000}}},
			{Member{"Harbour vault", scripts.Custodians[1]}, []Allowance{{1, 100_000}, {2, 1_000_000}}},
		},
		Auditors: []Member{
			{"First auditor", scripts.Auditors[0]},
			{"Second auditor", scripts.Auditors[1]},
			{"Third auditor", scripts.Auditors[2]},
		},
		Council:          Member{"Demo council", scripts.Council},
		Registries:       []string{"Demo lot registry"},
		TermsHash:        sha256.Sum256([]byte("Granary demo: these coins are for trying out and mean nothing.")),
		JurisdictionHash: sha256.Sum256([]byte("Granary demo: no court has jurisdiction over a demo.")),
	})
}

// TemplateCharter is what `granary charter new` prints: the demo charter with
// published keys in its seats, to be edited. Warnings names those keys until
// they are replaced.
func TemplateCharter() []byte {
	scripts := placeholderScripts()
	c, err := DemoCharter(DemoScripts{
		Custodians: [2][]byte(scripts[0:2]), Auditors: [3][]byte(scripts[2:5]), Council: scripts[5],
	})
	if err != nil {
		panic(err) // a constant of this file
	}
	return bytes.Replace(c.TOML(), []byte("# Seats."),
		[]byte("# REPLACE every script below: these are published test keys that anyone can use.\n# Seats."), 1)
}

// placeholderKeys are the points 1G to 6G: everybody knows their private keys.
var placeholderKeys = [...]string{
	"0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
	"02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
	"02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
	"02e493dbf1c10d80f3581e4904930b1404cc6c13900ee0758474fa94abe8c4cd13",
	"022f8bde4d1a07209355b4a7250a5c5128e88b84bddc619ab7cba8d569b240efe4",
	"03fff97bd5755eeea420453a14355235d382f6472f8568a18b2f057a1460297556",
}

// placeholderScripts are P2WPKH scripts of the placeholder keys.
func placeholderScripts() [][]byte {
	scripts := make([][]byte, len(placeholderKeys))
	for i, text := range placeholderKeys {
		key, err := hex.DecodeString(text)
		if err != nil {
			panic(err) // a constant of this file
		}
		scripts[i] = append([]byte{0x00, 20}, address.Hash160(key)...)
	}
	return scripts
}

// Warnings lists what is allowed but probably not meant, one line each.
func (c *Charter) Warnings() []string {
	var lines []string
	for _, m := range c.Members() {
		for _, placeholder := range placeholderScripts() {
			if bytes.Equal(m.Script, placeholder) {
				lines = append(lines, fmt.Sprintf("the seat of %s has a published test key that anyone can use: replace its script", m.Name))
			}
		}
		if op := m.Script[0]; len(m.Script) >= 4 && op >= 0x52 && op <= 0x60 && int(m.Script[1]) == len(m.Script)-2 {
			lines = append(lines, fmt.Sprintf("the seat of %s has a witness version without rules yet, so anyone can spend it: use another address", m.Name))
		}
	}
	if c.Parameters.QuorumAuditors == 1 {
		lines = append(lines, "quorum_auditors is 1: a single auditor can attest goods that are not there")
	}
	return lines
}

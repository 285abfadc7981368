package params

import (
	"encoding/hex"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// CharterRules is the only number of the rule set that this program knows.
const CharterRules = 1

// CharterID is the tagged SHA-256 of a charter's canonical bytes. It stands
// in the treasury script of every coinbase.
type CharterID [32]byte

// String is the id in hex, in the order of its bytes.
func (id CharterID) String() string { return hex.EncodeToString(id[:]) }

// Charter is the constitution of one chain (goods-rules section 4). Charters
// come from ParseCharter, ParseCanonical, NewCharter and the demo; they are
// checked there and must not be changed afterwards.
type Charter struct {
	Rules    uint32 // number of the rule set
	Name     string
	Ticker   string
	Decimals uint8 // how amounts are shown; a unit is the smallest amount
	Base     CharterNetwork

	Parameters Parameters
	// Low and High are what an amendment may set each parameter to.
	Low, High Parameters

	Goods      []Good
	Custodians []Custodian
	Auditors   []Member
	Council    Member
	Registries []string

	TermsHash        [32]byte // SHA-256 of the legal terms
	JurisdictionHash [32]byte // SHA-256 of the text on jurisdiction

	id CharterID
}

// Good is one commodity of the charter. Quantities are whole numbers of its
// measure.
type Good struct {
	Code    string
	Name    string
	Measure string // mg, g, kg ...
	// ParNum/ParDen is how many units of coin one measure is worth.
	ParNum, ParDen int64
	HaircutBP      int64
	MaxAgeBlocks   int64 // of an attestation
	MinReceipt     int64 // measures
	MinRedemption  int64 // measures
}

// Member is the holder of a seat: a name and the script of the seat's first
// output.
type Member struct {
	Name   string
	Script []byte
}

// Custodian is a member with what it may hold, ascending by good.
type Custodian struct {
	Member
	Allowances []Allowance
}

// Allowance lets a custodian hold up to Limit measures of a good.
type Allowance struct {
	Good  uint16 // index in Charter.Goods
	Limit int64  // measures
}

// NewCharter checks a charter built in memory and gives it its id. The error
// is a *CharterError.
func NewCharter(c Charter) (*Charter, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.id = idOf(c.Canonical())
	return &c, nil
}

// ID is the charter id.
func (c *Charter) ID() CharterID {
	if c.id == (CharterID{}) {
		return idOf(c.Canonical())
	}
	return c.id
}

// charterTag separates charter ids from every other hash (BIP340's form).
const charterTag = "granary/charter"

func idOf(canonical []byte) CharterID {
	return CharterID(*chainhash.TaggedHash([]byte(charterTag), canonical))
}

// SeatCount is the number of seats that block 1 creates.
func (c *Charter) SeatCount() int { return len(c.Custodians) + len(c.Auditors) + 1 }

// Members gives the holders of the seats in charter order: custodians,
// auditors, council.
func (c *Charter) Members() []Member {
	members := make([]Member, 0, c.SeatCount())
	for i := range c.Custodians {
		members = append(members, c.Custodians[i].Member)
	}
	members = append(members, c.Auditors...)
	return append(members, c.Council)
}

package goods_test

import (
	"encoding/hex"
	"maps"
	"math/big"
	"slices"

	"granary/params"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// model is the slow oracle: docs/goods-rules.md in maps, strings of hex and
// math/big, without any of the code under test. It judges transactions and
// coinbases by code and says what every key of the state must hold. Sums are
// counted anew whenever they are asked for. Numbers behind pointers are never
// changed in place, so that a clone may share them.
type model struct {
	script  string          // of the treasury
	charter *params.Charter // for its bounds, registries and the seats of block 1
	height  int64           // of the block that is judged, or of the last
	hashes  []string        // of the blocks below, by height

	coins          []modelCoin // in the order in which they came
	fees, released *big.Int    // of this block
	moved          *big.Int    // L, moved by the formula
	minted, burnt  *big.Int
	startL, startD *big.Int
	startE, startC *big.Int
	startAll       []*big.Int // by custodian
	startClaimed   []*big.Int

	params   []int64
	goods    []modelGood
	limits   map[[2]int64]*big.Int // custodian, good
	seats    []modelSeat           // in charter order, then as they joined
	custody  []modelCustodian
	attested map[string][2]int64 // proposal, auditor: height, until
	used     map[string]int64
	receipts map[int64]modelReceipt
	claims   map[int64]modelClaim
	lots     map[string]int64 // reserved for ever
	pending  [3]*modelChange
	// withdrawn are the amendments that this block took back.
	withdrawn []*modelChange

	nextReceipt, nextClaim int64

	seen map[string]int // what happened, for the counters of the histories; shared
	// meanings are the specials between transactions, nil while one is applied.
	meanings map[wire.OutPoint]special
}

// The parameters in charter order.
const (
	pCoverage = iota
	pShare
	pCap
	pQuorum
	pDelivery
	pPickup
	pGrace
	pLife
	pDelay
	pFee
	pMinDraw
	pAllowance
	pRatio
	pPenalty
)

type modelCoin struct {
	op     wire.OutPoint
	units  *big.Int
	script string // hex
}

type modelGood struct {
	code, name, measure string // hex
	num, den            *big.Int
	haircut, age        int64
	minReceipt          *big.Int
	minRedemption       *big.Int
	since               int64
}

type modelSeat struct {
	role, index   int64
	name          string // hex
	out           wire.OutPoint
	script        string
	height, since int64
}

type modelBond struct {
	out   wire.OutPoint
	units *big.Int
}

type modelCustodian struct {
	suspended, defaulted bool
	suspendedAt          int64
	debt                 *big.Int
	defaultAt            int64
	announced            *big.Int
	ready                int64
	script               string
	bonds                []modelBond // oldest first; replaced, never changed in place
}

type modelReceipt struct {
	number, good, custodian, registry      int64
	id, serial, document, location, script string // hex
	haircut, opened, observed, until       int64
	openedWith, undrawn, free, owed        *big.Int
	delivered, lost, units                 *big.Int
	bestNum, bestDen                       *big.Int // the highest par over its life
}

type modelClaim struct {
	number, receipt, kind, custodian int64
	id                               string
	quantity, units                  *big.Int
	escrow                           wire.OutPoint
	fee, opened, deadline            int64
	pickup, grace, tendered          int64
	token                            wire.OutPoint
	tokenHeight                      int64
	tokenScript                      string
}

type modelChange struct {
	id                   string
	announced, effective int64
	txid                 chainhash.Hash
	scripts              []string
	rec                  *modelRecord
}

// newModel is the model of a chain without blocks.
func newModel(charter *params.Charter) *model {
	m := &model{
		script: "6020" + charter.ID().String(), charter: charter, fees: new(big.Int), released: new(big.Int), moved: new(big.Int),
		minted: new(big.Int), burnt: new(big.Int), limits: map[[2]int64]*big.Int{}, attested: map[string][2]int64{},
		used: map[string]int64{}, receipts: map[int64]modelReceipt{}, claims: map[int64]modelClaim{}, lots: map[string]int64{},
		seen: map[string]int{},
	}
	seat := func(role, index int, who params.Member) {
		m.seats = append(m.seats, modelSeat{
			role: int64(role), index: int64(index), name: hex.EncodeToString([]byte(who.Name)), script: hex.EncodeToString(who.Script), since: 1,
		})
	}
	for i, c := range charter.Custodians {
		seat(1, i, c.Member)
		m.custody = append(m.custody, newCustodian())
		for _, a := range c.Allowances {
			m.limits[[2]int64{int64(i), int64(a.Good)}] = big.NewInt(a.Limit)
		}
	}
	for i, a := range charter.Auditors {
		seat(2, i, a)
	}
	seat(3, 0, charter.Council)
	m.params = parameterList(charter.Parameters)
	for _, g := range charter.Goods {
		text := func(s string) string { return hex.EncodeToString([]byte(s)) }
		m.goods = append(m.goods, modelGood{
			code: text(g.Code), name: text(g.Name), measure: text(g.Measure), num: big.NewInt(g.ParNum), den: big.NewInt(g.ParDen),
			haircut: g.HaircutBP, age: g.MaxAgeBlocks, minReceipt: big.NewInt(g.MinReceipt), minRedemption: big.NewInt(g.MinRedemption), since: 1,
		})
	}
	return m
}

func newCustodian() modelCustodian {
	return modelCustodian{debt: new(big.Int), announced: new(big.Int)}
}

func parameterList(p params.Parameters) []int64 {
	return []int64{
		p.MinCoverageBP, p.MinerShareBP, p.BlockReleaseCapUnits, p.QuorumAuditors, p.DeliveryWindowBlocks,
		p.PickupWindowBlocks, p.GraceWindowBlocks, p.AttestationLifeBlocks, p.AmendmentDelayBlocks, p.RedemptionFeeBP,
		p.MinDrawUnits, p.UnbondedAllowanceUnits, p.BondRatioBP, p.PenaltyBP,
	}
}

func (m *model) clone() *model {
	c := *m
	c.hashes = slices.Clip(m.hashes)
	c.coins = slices.Clone(m.coins)
	c.params, c.goods = slices.Clone(m.params), slices.Clone(m.goods)
	c.seats, c.custody = slices.Clone(m.seats), slices.Clone(m.custody)
	c.limits, c.attested, c.used = maps.Clone(m.limits), maps.Clone(m.attested), maps.Clone(m.used)
	c.receipts, c.claims, c.lots = maps.Clone(m.receipts), maps.Clone(m.claims), maps.Clone(m.lots)
	return &c
}

// begin starts the next block, on top of the one with this hash.
func (m *model) begin(tip string) {
	m.height++
	m.hashes = append(m.hashes, tip)
	m.fees, m.released, m.withdrawn, m.meanings = new(big.Int), new(big.Int), nil, nil
	for slot, c := range m.pending {
		if c != nil && c.effective <= m.height {
			m.activate(slot, c)
		}
	}
	for i := range m.custody {
		if c := &m.custody[i]; c.defaultAt == m.height {
			c.defaulted, c.defaultAt = true, 0
			m.seen["in default"]++
		}
	}
	for key, a := range m.attested {
		if a[1] < m.height {
			delete(m.attested, key)
		}
	}
	for key, last := range m.used {
		if last < m.height {
			delete(m.used, key)
		}
	}
	m.meanings = m.specials()
	m.startL = m.circulating()
	_, _, m.startE = m.supply()
	_, m.startD, m.startC = m.reserve()
	m.startAll, m.startClaimed = nil, nil
	sums := m.holdings()
	for c := range m.custody {
		_, all, claimed, _ := m.worthOf(sums, int64(c), nil)
		m.startClaimed = append(m.startClaimed, claimed)
		m.startAll = append(m.startAll, all)
	}
}

// mint counts what does not come from a transaction: the subsidy, and coins
// that a test grants.
func (m *model) mint(units *big.Int) { m.minted = plus(m.minted, units) }

// create adds the spendable outputs of a transaction.
func (m *model) create(msg *wire.MsgTx) {
	id := msg.TxHash()
	for i, out := range msg.TxOut {
		script := hex.EncodeToString(out.PkScript)
		if dead(script) {
			m.burnt = plus(m.burnt, big.NewInt(out.Value))
			continue
		}
		m.coins = append(m.coins, modelCoin{wire.OutPoint{Hash: id, Index: uint32(i)}, big.NewInt(out.Value), script})
	}
}

// coinbase applies a valid coinbase.
func (m *model) coinbase(msg *wire.MsgTx, subsidy int64) {
	if m.height == 1 {
		for s := range m.seats {
			m.seats[s].out, m.seats[s].height = wire.OutPoint{Hash: msg.TxHash(), Index: uint32(1 + s)}, 1
		}
		m.meanings = nil
	}
	for _, out := range msg.TxOut {
		if hex.EncodeToString(out.PkScript) == m.treasury() {
			m.moved = minus(m.moved, big.NewInt(out.Value-subsidy))
		}
	}
	m.mint(big.NewInt(subsidy))
	m.create(msg)
	m.fees = new(big.Int)
}

// coin finds an unspent output, nil if there is none.
func (m *model) coin(op wire.OutPoint) *modelCoin {
	for i := range m.coins {
		if m.coins[i].op == op {
			return &m.coins[i]
		}
	}
	return nil
}

// special is what an outpoint is beside a coin, and of what or whom.
type special struct {
	kind string
	of   int64
}

// specials are the outpoints that records made something else of than a coin.
func (m *model) specials() map[wire.OutPoint]special {
	if m.meanings != nil {
		return m.meanings
	}
	all := map[wire.OutPoint]special{}
	for i, s := range m.seats {
		all[s.out] = special{"seat", int64(i)}
	}
	for _, c := range m.claims {
		all[c.token] = special{"token", c.number}
		if c.kind == 0 {
			all[c.escrow] = special{"escrow", c.number}
		}
	}
	for i, c := range m.custody {
		for _, b := range c.bonds {
			all[b.out] = special{"bond", int64(i)}
		}
	}
	for slot, c := range m.pending {
		if c == nil {
			continue
		}
		for i := range c.scripts {
			all[wire.OutPoint{Hash: c.txid, Index: uint32(1 + i)}] = special{"pending", int64(slot)}
		}
	}
	return all
}

// kind of a coin: what the specials say, or pool, or nothing.
func (m *model) kind(specials map[wire.OutPoint]special, c modelCoin) special {
	s, ok := specials[c.op]
	if !ok && c.script == m.treasury() {
		return special{kind: "pool"}
	}
	return s
}

// seat finds a member's place in seats, -1 if there is no such member.
func (m *model) seat(role, index int64) int {
	return slices.IndexFunc(m.seats, func(s modelSeat) bool { return s.role == role && s.index == index })
}

func (m *model) auditors() int64 {
	n := int64(0)
	for _, s := range m.seats {
		if s.role == 2 {
			n++
		}
	}
	return n
}

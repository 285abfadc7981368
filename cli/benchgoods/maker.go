package benchgoods

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/chain"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/state"
)

// How much one block of the making holds, within a block's weight.
const (
	emptyBlocks        = 110 // so that coinbases have matured
	receivesPerBlock   = 150
	receiptsPerReceive = 64
	proposalsPerAttest = 64
	drawsPerBlock      = 4_000
	redeemsPerBlock    = 4_000
	redeemsPerCoin     = 10
	// redeemMeasures is what one claim is for. A receipt has 1,000 to 2,000.
	redeemMeasures = 10
)

// size is how much a chain holds.
type size struct {
	receipts, drawn, claims int
}

// maker lets the chain grow.
type maker struct {
	rules    block.Rules
	engine   *chain.Engine
	random   *rand.Rand
	progress func(doing string, done, of int)

	purse    purse
	lots     uint64   // named so far
	receipts uint64   // opened; all of them stay open
	drawn    []uint64 // receipts with free goods
	isDrawn  map[uint64]bool
	claims   uint64 // opened
	ended    uint64 // of these
	planned  []goods.Receive
}

func newMaker(r block.Rules, seed uint64, progress func(string, int, int)) *maker {
	return &maker{
		rules: r, random: rand.New(rand.NewPCG(seed, 0x676f6f6473)), progress: progress, isDrawn: map[uint64]bool{},
	}
}

func (m *maker) openClaims() int { return int(m.claims - m.ended) }

// step makes one block and gives it to the engine.
func (m *maker) step(ctx context.Context, fill func(d *draft) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var b *state.Block
	var d *draft
	err := m.engine.View(func(tip *state.Header, v state.View) (err error) {
		if d, err = newDraft(m.rules.Charter, tip, v, &m.purse); err != nil {
			return err
		}
		if err = fill(d); err != nil {
			return err
		}
		b, err = assemble(m.rules, tip, v, d.txs, d.feesUnits)
		return err
	})
	if err != nil {
		return fmt.Errorf("making block %d: %w", m.engine.Tip().Height+1, err)
	}
	if _, err := m.engine.AcceptBlock(b); err != nil {
		return fmt.Errorf("the chain refused the bench's block %d: %w", d.height(), err)
	}
	d.done(b)
	return nil
}

// grow brings the chain to a size. Nothing ever shrinks.
func (m *maker) grow(ctx context.Context, to size) error {
	for m.engine.Tip().Height < emptyBlocks {
		if err := m.step(ctx, func(*draft) error { return nil }); err != nil {
			return err
		}
	}
	for int(m.receipts) < to.receipts {
		if err := m.step(ctx, func(d *draft) error { return m.receive(d, to.receipts) }); err != nil {
			return err
		}
		m.progress("receipts", int(m.receipts), to.receipts)
	}
	for len(m.drawn) < to.drawn {
		if err := m.step(ctx, func(d *draft) error { return m.draws(d, to.drawn) }); err != nil {
			return err
		}
		m.progress("receipts drawn on", len(m.drawn), to.drawn)
	}
	for m.openClaims() < to.claims {
		if err := m.step(ctx, func(d *draft) error { return m.redeems(d, to.claims) }); err != nil {
			return err
		}
		m.progress("claims", m.openClaims(), to.claims)
	}
	return nil
}

// receive opens what was attested in the block before and attests the next.
func (m *maker) receive(d *draft, upTo int) error {
	for _, r := range m.planned {
		if err := d.act(state.RoleCustodian, r.Custodian, r); err != nil {
			return err
		}
		m.receipts += uint64(len(r.Openings))
	}
	m.planned = nil
	var records []goods.Record
	// A few receipts are spread over all custodians that can act.
	left := upTo - int(m.receipts)
	count := min(receiptsPerReceive, (left+receivesPerBlock-1)/receivesPerBlock)
	for i := 0; i < receivesPerBlock && left > 0; i++ {
		custodian := uint16((int(d.height())*receivesPerBlock + i) % custodianCount)
		r := m.newReceive(d, custodian, min(count, left))
		m.planned, records = append(m.planned, r), append(records, r)
		left -= len(r.Openings)
	}
	return attest(d, 0, records)
}

// newReceive is a receive of the block after d.
func (m *maker) newReceive(d *draft, custodian uint16, count int) goods.Receive {
	r := goods.Receive{
		Custodian: custodian, Expiry: d.height() + windowBlocks,
		Observed: goods.Observed{Height: d.parent.Height, Hash: d.parent.Hash},
	}
	for range count {
		r.Openings = append(r.Openings, goods.Opening{
			Serial: fmt.Sprintf("LOT-%07d", m.lots), Quantity: 1_000 + m.random.Int64N(1_000),
			Document: chainhash.HashH(fmt.Appendf(nil, "document %d", m.lots)),
			Location: fmt.Sprintf("Hall %d, row %d", m.lots%7, m.lots%90), Script: freeScript(kindDepositor, m.lots),
		})
		m.lots++
	}
	return r
}

// attest lets the auditors from first on stand behind records.
func attest(d *draft, first uint16, records []goods.Record) error {
	for len(records) > 0 {
		n := min(proposalsPerAttest, len(records))
		if err := d.act(state.RoleAuditor, first, goods.NewAttest(d.charter.ID(), records[:n]...)); err != nil {
			return err
		}
		records, first = records[n:], first+1
	}
	return nil
}

// draws carries all coins of receipts out that were not drawn on.
func (m *maker) draws(d *draft, upTo int) error {
	for i := 0; i < drawsPerBlock && len(m.drawn) < upTo; i++ {
		number := m.random.Uint64N(m.receipts)
		for m.isDrawn[number] {
			number = (number + 1) % m.receipts
		}
		if err := d.draw(number, 1<<62); err != nil {
			return err
		}
		m.noteDrawn(number)
	}
	return nil
}

func (m *maker) noteDrawn(number uint64) {
	if !m.isDrawn[number] {
		m.isDrawn[number] = true
		m.drawn = append(m.drawn, number)
	}
}

// redeems opens claims on receipts with free goods.
func (m *maker) redeems(d *draft, upTo int) error {
	for opened := 0; opened < redeemsPerBlock && m.openClaims() < upTo; {
		from := m.takeCoin()
		for i := 0; i < redeemsPerCoin && m.openClaims() < upTo; i++ {
			change, err := d.redeem(m.drawn[m.random.IntN(len(m.drawn))], redeemMeasures, from)
			if err != nil {
				return err
			}
			from = change
			m.claims++
			opened++
		}
		d.change = append(d.change, from)
	}
	return nil
}

// takeCoin takes a random coin that pays for some claims.
func (m *maker) takeCoin() coin {
	const enoughUnits = 2 * redeemsPerCoin * redeemMeasures * unitsPerMeasure
	coins := m.purse.coins
	for {
		i := m.random.IntN(len(coins))
		chosen := coins[i]
		coins[i] = coins[len(coins)-1]
		coins = coins[:len(coins)-1]
		m.purse.coins = coins
		if chosen.units >= enoughUnits {
			return chosen
		}
	}
}

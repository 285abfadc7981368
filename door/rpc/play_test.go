package rpc

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// playSecret and playNames make the keys of the plays' people.
var (
	playSecret = []byte("transcripts")
	playNames  = [6]string{"north silo", "harbour vault", "first auditor", "second auditor", "third auditor", "council"}
)

// playCharter is the demo's with quick windows and seats of people whose keys
// follow from their names.
func playCharter(t testing.TB) *params.Charter {
	cast := stage.New(nil, nil)
	var scripts [6][]byte
	for i, name := range playNames {
		scripts[i] = cast.Person(playSecret, name).Script
	}
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte(scripts[:2]), Auditors: [3][]byte(scripts[2:5]), Council: scripts[5],
	})
	if err != nil {
		t.Fatal(err)
	}
	c := *charter
	c.Parameters.DeliveryWindowBlocks, c.Parameters.PickupWindowBlocks, c.Parameters.GraceWindowBlocks = 6, 4, 3
	c.Parameters.AmendmentDelayBlocks = 12
	c.Low, c.High = c.Parameters, c.Parameters
	c.High.RedemptionFeeBP = 100
	if charter, err = params.NewCharter(c); err != nil {
		t.Fatal(err)
	}
	return charter
}

// people lets somebody act on a transcript's chain: a line is one block.
type people struct {
	*world
	charter *params.Charter
	cast    *stage.Cast
}

func newPeople(w *world, charter *params.Charter) *people {
	p := &people{w, charter, stage.New(charter, w.door.services.Load().Chain)}
	for _, name := range playNames {
		p.who(name)
	}
	return p
}

func (p *people) who(name string) stage.Person { return p.cast.Person(playSecret, name) }

// block mines exactly these transactions.
func (p *people) block(txs ...*state.Tx) {
	p.t.Helper()
	if _, err := p.door.services.Load().Miner.GenerateBlock(p.t.Context(), p.who("miner").Script, txs, true); err != nil {
		p.t.Fatal(err)
	}
}

func (p *people) must(tx *state.Tx, err error) *state.Tx {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	return tx
}

// attested mines the attestations of two auditors, then the record.
func (p *people) attested(role state.Role, seat uint16, record goods.Record) {
	p.t.Helper()
	p.block(p.must(p.cast.Attest(0, record)), p.must(p.cast.Attest(1, record)))
	p.block(p.must(p.cast.Act(role, seat, record)))
}

// play runs one line.
func (p *people) play(line string) {
	p.t.Helper()
	words := strings.Fields(line)
	number := func(i int) int64 {
		n, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			p.t.Fatal(line, err)
		}
		return n
	}
	switch words[0] {
	case "mine":
		for range number(1) {
			p.block()
		}
	case "receive": // custodian good quantity who
		p.receive(uint16(number(1)), uint16(number(2)), number(3), words[4])
	case "draw":
		p.draw(uint64(number(1)))
	case "redeem": // who receipt quantity
		p.block(p.must(p.cast.Redeem(p.who(words[1]), p.receipt(number(2)), number(3))))
	case "tender": // claim...
		record := goods.Tender{Custodian: 0, Expiry: p.expiry()}
		for i := range words[1:] {
			record.Claims = append(record.Claims, p.ref(number(1+i)))
		}
		p.attested(state.RoleCustodian, 0, record)
	case "deliver": // who claim
		p.block(p.must(p.cast.Deliver(p.who(words[1]), p.claim(number(2)))))
	case "settle":
		p.block(p.must(p.cast.Settle(p.claim(number(1)))))
	case "audit": // receipt loss
		observed, err := p.cast.Observed()
		p.must(nil, err)
		p.attested(state.RoleAuditor, 2, goods.Audit{Auditor: 2, Expiry: p.expiry(), Observed: observed, Audited: []goods.AuditedReceipt{
			{Receipt: uint64(number(1)), ID: p.receipt(number(1)).ID, Lost: p.receipt(number(1)).Lost, Loss: number(2)},
		}})
	case "amend": // fee
		p.block(p.must(p.cast.Act(state.RoleCouncil, 0, goods.Amend{Parameters: []goods.ParameterChange{{Parameter: 9, Value: number(1)}}})))
	default:
		p.t.Fatalf("nobody knows how to %s", words[0])
	}
}

func (p *people) receive(custodian, good uint16, quantity int64, who string) {
	p.t.Helper()
	observed, err := p.cast.Observed()
	p.must(nil, err)
	p.attested(state.RoleCustodian, custodian, goods.Receive{
		Custodian: custodian, Expiry: p.expiry(), Observed: observed, Openings: []goods.Opening{{
			Good: good, Serial: fmt.Sprint("LOT-", observed.Height), Quantity: quantity, Document: [32]byte{1, 2}, Location: "Hall 2", Script: p.who(who).Script,
		}},
	})
}

// draw releases the whole credit of a receipt from the whole pool.
func (p *people) draw(number uint64) {
	p.t.Helper()
	var pool []wire.OutPoint
	var draw *state.Tx
	poolUnits := int64(0)
	treasury := goods.TreasuryScript(p.charter.ID())
	chain := p.door.services.Load().Chain
	err := chain.RangeCoins(func(op wire.OutPoint, c *state.Coin) bool {
		mature := !c.Coinbase || chain.Tip().Height+1-c.Height >= params.CoinbaseMaturity
		if mature && bytes.Equal(c.Script, treasury) {
			pool, poolUnits = append(pool, op), poolUnits+c.ValueUnits
		}
		return true
	})
	p.must(nil, err)
	err = chain.View(func(_ *state.Header, v state.View) error {
		receipt, err := goods.ReadReceipt(v, number)
		p.must(nil, err)
		good, err := goods.ReadGood(v, receipt.Good)
		p.must(nil, err)
		force, err := goods.ReadParameters(v)
		p.must(nil, err)
		measures, units := goods.DrawQuantity(receipt, good, &force, 1<<62)
		msg, err := goods.DrawTx(p.charter.ID(), receipt, &force, measures, units, pool, poolUnits)
		p.must(nil, err)
		draw = state.NewTx(msg)
		return nil
	})
	p.must(nil, err)
	p.block(draw)
}

func (p *people) expiry() int32 {
	p.t.Helper()
	expiry, err := p.cast.Expiry()
	p.must(nil, err)
	return expiry
}

func (p *people) receipt(number int64) *state.Receipt {
	p.t.Helper()
	r, err := p.cast.Receipt(uint64(number))
	if err != nil || r == nil {
		p.t.Fatalf("receipt %d: %v", number, err)
	}
	return r
}

func (p *people) claim(number int64) *state.Claim {
	p.t.Helper()
	c, err := p.cast.Claim(uint64(number))
	if err != nil || c == nil {
		p.t.Fatalf("claim %d: %v", number, err)
	}
	return c
}

func (p *people) ref(number int64) goods.ClaimRef {
	c := p.claim(number)
	return goods.ClaimRef{Number: c.Number, ID: c.ID}
}

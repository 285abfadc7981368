package template_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/mempool"
	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// TestRandomBlocks lets people do what comes to their minds, right or wrong, on
// a chain with every part but the network: each template built on what the
// mempool took is a block that the chain accepts, forwards and after
// reorganisations, and in the end nothing that could be drawn is left.
// GRANARY_BLOCK_SEEDS says how many histories are played.
func TestRandomBlocks(t *testing.T) {
	seeds, blocks := 2, 60
	if n, err := strconv.Atoi(os.Getenv("GRANARY_BLOCK_SEEDS")); err == nil {
		seeds, blocks = n, 90
	}
	taken := map[goods.RecordType]int{}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newLife(t, uint64(seed))
			w.play(blocks)
			for kind, n := range w.taken {
				taken[kind] += n
			}
		})
	}
	t.Logf("confirmed, by record: %v", taken)
	for kind := goods.TypeRotate; kind <= goods.TypeReseat; kind++ {
		if common := kind == goods.TypeDraw || kind == goods.TypeRedeem || kind == goods.TypeSlash; taken[kind] == 0 && (common || seeds >= 10) {
			t.Errorf("no %v was ever confirmed: the histories are too tame", kind)
		}
	}
}

// life is a chain with people on it who act at random.
type life struct {
	*node
	random  *rand.Rand
	people  []stage.Person
	drafts  []goods.Record // proposals that auditors may attest
	lots    int
	taken   map[goods.RecordType]int
	invalid int

	mu     sync.Mutex
	thrown []*state.Tx // that left the pool unconfirmed
}

func newLife(t *testing.T, seed uint64) *life {
	w := &life{node: newNode(t), random: rand.New(rand.NewPCG(seed, 1)), taken: map[goods.RecordType]int{}}
	for i := range 4 {
		w.people = append(w.people, w.cast.Person(secret, fmt.Sprint("holder ", i)))
	}
	w.people = append(w.people, w.miner)
	t.Cleanup(w.pool.Watch(func(c mempool.Change) {
		if !c.Added && c.Why != mempool.Confirmed {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.thrown = append(w.thrown, c.Entry.Tx)
		}
	}))
	w.mine(125)
	return w
}

func (w *life) play(blocks int) {
	w.t.Helper()
	for i := range blocks {
		for range 8 + w.random.IntN(20) {
			w.act()
		}
		if w.random.IntN(3) > 0 {
			w.block()
		}
		if i%15 == 14 {
			w.reorganise(1 + w.random.IntN(6))
			w.checkVault()
		}
	}
	w.mine(12)
	w.checkVault()
	w.checkDrawn()
	if err := w.engine.Check(w.t.Context(), nil); err != nil {
		w.t.Error(err)
	}
	w.t.Logf("%d refused, confirmed: %v", w.invalid, w.taken)
}

// block mines what waits and counts it.
func (w *life) block() {
	w.t.Helper()
	for _, msg := range w.next().Transactions[1:] {
		record, found, err := goods.DecodeRecord(msg.TxOut[len(msg.TxOut)-1].PkScript)
		if found && err == nil {
			w.taken[record.Type()]++
		}
	}
}

// reorganise takes blocks back and goes on from there. Their transactions come
// back to the pool, but for what made the last block another one.
func (w *life) reorganise(depth int) {
	w.t.Helper()
	h := w.engine.Tip()
	for range depth - 1 {
		h = h.Parent
	}
	if err := w.engine.Invalidate(h.Hash); err != nil {
		w.t.Fatal(err)
	}
	w.mine(depth + 1)
}

// remember lets people spend the coins of what came to nothing.
func (w *life) remember() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, tx := range w.thrown {
		w.cast.Forget(tx)
	}
	w.thrown = nil
}

// act lets somebody try something.
func (w *life) act() {
	w.t.Helper()
	w.remember()
	deeds := []func() (*state.Tx, error){
		w.proposeReceive, w.proposeReceive, w.attest, w.attest, w.attest, w.attest, w.submit, w.submit, w.submit, w.submit,
		w.proposeForClaims, w.proposeForClaims, w.proposeForClaims, w.proposeAboutCustodian, w.proposeAudit,
		w.redeem, w.redeem, w.reclaim, w.onClaim, w.onClaim, w.onClaim, w.settle, w.bond, w.unbond, w.debt, w.draw, w.pay, w.pay,
		w.rotate, w.amend, w.reseat,
	}
	tx, err := deeds[w.random.IntN(len(deeds))]()
	if err != nil || tx == nil {
		w.invalid++ // nobody to do it to, or no coins
		return
	}
	if _, err := w.pool.Accept(tx); err != nil {
		if check.AsRule(err) == nil {
			w.t.Fatal(err)
		}
		w.cast.Forget(tx)
		w.invalid++
	}
}

func (w *life) somebody() stage.Person { return w.people[w.random.IntN(len(w.people))] }

func (w *life) custodian() uint16 { return uint16(w.random.IntN(2)) }

// expiry is when a proposal made now is over.
func (w *life) expiry() int32 { return w.engine.Tip().Height + 5 + w.random.Int32N(12) }

func (w *life) propose(r goods.Record) (*state.Tx, error) {
	if w.drafts = append(w.drafts, r); len(w.drafts) > 12 {
		w.drafts = w.drafts[1:]
	}
	return nil, nil
}

func (w *life) proposeReceive() (*state.Tx, error) {
	observed, err := w.cast.Observed()
	r := goods.Receive{Custodian: w.custodian(), Expiry: w.expiry(), Observed: observed}
	for range 1 + w.random.IntN(3) {
		w.lots++
		good := r.Custodian + uint16(w.random.IntN(2))
		r.Openings = append(r.Openings, goods.Opening{
			Good: good, Serial: fmt.Sprint("LOT-", w.lots), Quantity: 2000 + w.random.Int64N(60_000), Script: w.somebody().Script,
		})
	}
	if err != nil {
		return nil, err
	}
	return w.propose(r)
}

func (w *life) proposeForClaims() (*state.Tx, error) {
	custodian := w.custodian()
	tendered := w.random.IntN(2) == 0
	claims, err := w.cast.Claims(func(c *state.Claim) bool {
		return c.Custodian == custodian && (c.Tendered > 0) == tendered && w.random.IntN(3) > 0
	})
	if err != nil || len(claims) == 0 {
		return nil, err
	}
	claims = claims[:min(len(claims), 20)]
	if !tendered {
		return w.propose(goods.TenderOf(custodian, w.expiry(), claims))
	}
	deliveries := make([]goods.Delivery, len(claims))
	for i, c := range claims {
		deliveries[i].ClaimRef = goods.RefOf(c)
	}
	return w.propose(goods.DeliveriesOf(custodian, w.expiry(), deliveries))
}

func (w *life) proposeAboutCustodian() (*state.Tx, error) {
	if w.random.IntN(4) == 0 {
		return w.propose(goods.Suspend{Role: state.RoleAuditor, Index: uint16(w.random.IntN(3)), Expiry: w.expiry(), Custodian: w.custodian()})
	}
	lift := goods.Lift{Auditor: uint16(w.random.IntN(3)), Expiry: w.expiry(), Custodian: w.custodian()}
	standing, err := w.cast.Standing(lift.Custodian)
	if err != nil {
		return nil, err
	}
	lift.SuspendedAt = standing.SuspendedAt
	return w.propose(lift)
}

func (w *life) proposeAudit() (*state.Tx, error) {
	receipts := w.receipts()
	if len(receipts) == 0 {
		return nil, nil
	}
	observed, err := w.cast.Observed()
	r := goods.Audit{Auditor: uint16(w.random.IntN(3)), Expiry: w.expiry(), Observed: observed}
	for _, receipt := range receipts {
		if w.random.IntN(len(receipts)) < 4 {
			seen := goods.AuditedReceipt{Receipt: receipt.Number, ID: receipt.ID, Lost: receipt.Lost}
			if w.random.IntN(8) == 0 {
				seen.Loss = w.random.Int64N(2000)
			}
			r.Audited = append(r.Audited, seen)
		}
	}
	if err != nil || len(r.Audited) == 0 {
		return nil, err
	}
	return w.propose(r)
}

func (w *life) attest() (*state.Tx, error) {
	if len(w.drafts) == 0 {
		return nil, nil
	}
	return w.cast.Attest(uint16(w.random.IntN(3)), w.drafts...)
}

// submit lets who it is for act on a proposal.
func (w *life) submit() (*state.Tx, error) {
	if len(w.drafts) == 0 {
		return nil, nil
	}
	at := w.random.IntN(len(w.drafts))
	record := w.drafts[at]
	if w.random.IntN(6) == 0 { // it is used, or never will be
		w.drafts = append(w.drafts[:at], w.drafts[at+1:]...)
	}
	switch r := record.(type) {
	case goods.Receive:
		return w.cast.Act(state.RoleCustodian, r.Custodian, r)
	case goods.Tender:
		return w.cast.Act(state.RoleCustodian, r.Custodian, r)
	case goods.DeliverAttested:
		return w.cast.Act(state.RoleCustodian, r.Custodian, r)
	case goods.Audit:
		return w.cast.Act(state.RoleAuditor, r.Auditor, r)
	case goods.Suspend:
		return w.cast.Act(r.Role, r.Index, r)
	case goods.Lift:
		return w.cast.Act(state.RoleAuditor, r.Auditor, r)
	}
	return nil, nil
}

func (w *life) receipt() *state.Receipt {
	list := w.receipts()
	if len(list) == 0 {
		return nil
	}
	return list[w.random.IntN(len(list))]
}

func (w *life) redeem() (*state.Tx, error) {
	r := w.receipt()
	if r == nil || r.Free == 0 {
		return nil, nil
	}
	return w.cast.Redeem(w.somebody(), r, 1+w.random.Int64N(min(r.Free, 3000)))
}

func (w *life) reclaim() (*state.Tx, error) {
	r := w.receipt()
	if r == nil || r.Undrawn == 0 {
		return nil, nil
	}
	return w.cast.Reclaim(w.somebody(), r, 1+w.random.Int64N(r.Undrawn))
}

func (w *life) claim() (*state.Claim, error) {
	claims, err := w.cast.Claims(func(*state.Claim) bool { return true })
	if err != nil || len(claims) == 0 {
		return nil, err
	}
	return claims[w.random.IntN(len(claims))], nil
}

// onClaim lets a holder do something with a claim.
func (w *life) onClaim() (*state.Tx, error) {
	c, err := w.claim()
	if c == nil {
		return nil, err
	}
	switch w.random.IntN(4) {
	case 0:
		return w.cast.Deliver(w.somebody(), c)
	case 1:
		return w.cast.Lapse(w.somebody(), c)
	case 2:
		return w.cast.LapseForAnyone(c)
	}
	return w.cast.Assign(w.somebody(), c, w.somebody())
}

func (w *life) settle() (*state.Tx, error) {
	c, err := w.claim()
	if c == nil {
		return nil, err
	}
	return w.cast.Settle(c)
}

func (w *life) bond() (*state.Tx, error) {
	return w.cast.Bond(w.people[0], w.custodian(), 1+w.random.Int64N(5*params.UnitsPerCoin))
}

func (w *life) unbond() (*state.Tx, error) {
	custodian := w.custodian()
	switch w.random.IntN(4) {
	case 0:
		return w.cast.Act(state.RoleCustodian, custodian, goods.Unbond{
			Step: goods.UnbondAnnounce, Custodian: custodian, Units: 1 + w.random.Int64N(params.UnitsPerCoin),
		})
	case 1:
		return w.cast.Act(state.RoleCustodian, custodian, goods.Unbond{Step: goods.UnbondCancel, Custodian: custodian})
	}
	return w.cast.WithdrawBonds(custodian)
}

func (w *life) debt() (*state.Tx, error) {
	if w.random.IntN(2) == 0 {
		return w.cast.Slash(w.custodian())
	}
	return w.cast.PayDebt(w.somebody(), w.custodian(), 1+w.random.Int64N(params.UnitsPerCoin))
}

// draw is somebody's own, from one output of the treasury.
func (w *life) draw() (*state.Tx, error) {
	r := w.receipt()
	treasury := goods.TreasuryScript(w.charter.ID())
	coins, err := w.cast.Coins(stage.Person{Script: treasury})
	if r == nil || err != nil || len(coins) == 0 {
		return nil, err
	}
	coin := coins[w.random.IntN(len(coins))]
	var msg *wire.MsgTx
	err = w.engine.View(func(_ *state.Header, v state.View) error {
		good, err := goods.ReadGood(v, r.Good)
		if err != nil {
			return err
		}
		p, err := goods.ReadParameters(v)
		if err != nil {
			return err
		}
		measures, units := goods.DrawQuantity(r, good, &p, 1+w.random.Int64N(coin.ValueUnits))
		if units > 0 {
			msg, err = goods.DrawTx(w.charter.ID(), r, &p, measures, units, []wire.OutPoint{coin.Out}, coin.ValueUnits)
		}
		return err
	})
	if err != nil || msg == nil {
		return nil, err
	}
	return state.NewTx(msg), nil
}

func (w *life) pay() (*state.Tx, error) {
	return w.cast.Pay(w.somebody(), w.somebody(), 1000+w.random.Int64N(params.UnitsPerCoin))
}

func (w *life) rotate() (*state.Tx, error) {
	return w.cast.Act(state.RoleAuditor, uint16(w.random.IntN(3)), goods.Rotate{})
}

// amend announces another fee, or takes back what is announced.
func (w *life) amend() (*state.Tx, error) {
	pending, err := w.pending(state.SlotAmend)
	if err != nil {
		return nil, err
	}
	if pending != nil {
		if w.random.IntN(4) > 0 {
			return nil, nil
		}
		return w.cast.Act(state.RoleCouncil, 0, goods.Amend{Withdraw: true, ID: pending.ID})
	}
	good := w.charter.Goods[0]
	good.ParNum = 40_000 + w.random.Int64N(20_000)
	return w.cast.Act(state.RoleCouncil, 0, goods.Amend{Goods: []goods.GoodChange{{Index: 0, Good: good}}})
}

// reseat gives an auditor's seat to a new key of the same person.
func (w *life) reseat() (*state.Tx, error) {
	d, err := w.cast.Seated(state.RoleCouncil, 0)
	if err != nil {
		return nil, err
	}
	next := w.cast.Person(secret, fmt.Sprint("auditor ", w.random.IntN(3)))
	r := goods.Reseat{Step: goods.ReseatAnnounce, Role: state.RoleAuditor, Index: uint16(w.random.IntN(3)), Script: next.Script}
	return d.Pay(0, next.Script).Record(r).Sign()
}

// checkDrawn: what counts and is covered has been drawn.
func (w *life) checkDrawn() {
	w.t.Helper()
	receipts := w.receipts()
	err := w.engine.View(func(tip *state.Header, v state.View) error {
		p, err := goods.ReadParameters(v)
		if err != nil {
			return err
		}
		for _, r := range receipts {
			standing, err := goods.ReadStanding(v, r.Custodian)
			if err != nil {
				return err
			}
			good, err := goods.ReadGood(v, r.Good)
			if err != nil {
				return err
			}
			_, units := goods.DrawQuantity(r, good, &p, params.MaxMoneyUnits)
			if units > 0 && r.Fresh(tip.Height) && standing.Counts() && w.covered(v, &p) {
				w.t.Errorf("receipt %d has %d undrawn for %d units", r.Number, r.Undrawn, units)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// covered reports whether coverage is such that a draw cannot be refused for
// it: what is drawn brings its own.
func (w *life) covered(v state.View, p *params.Parameters) bool {
	totals, err := goods.ReadTotals(v)
	if err != nil {
		w.t.Fatal(err)
	}
	reserve, err := goods.ReadReserve(v)
	if err != nil {
		w.t.Fatal(err)
	}
	return reserve.Counted.Units()/p.MinCoverageBP > totals.CirculatingUnits/10_000+1
}

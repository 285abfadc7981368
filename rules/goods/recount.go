package goods

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
	"granary/state/tree"
)

// RangeCoins calls f for each coin of the UTXO set until f returns false.
type RangeCoins func(f func(op wire.OutPoint, coin *state.Coin) bool) error

// CheckState counts the whole state after the block at height again: totals
// against every coin, each seat, token, escrow, bond and waiting output against
// its one coin, lots, holdings, standings and reserve against every receipt
// and claim, and the commitment tree against all leaves. It is for tests,
// simulation and `granary check`; its cost grows with the whole state.
func CheckState(charter *params.Charter, height int32, view state.GoodsView, rangeCoins RangeCoins) error {
	r := &recount{
		charter: charter, height: height, view: view,
		block:  Block{charter: charter, height: height, over: state.NewOverlay(goodsOnly{view}, 0)},
		expect: map[string][]byte{}, outs: map[wire.OutPoint]meant{}, standings: map[uint16]*state.Standing{}, treasury: TreasuryScript(charter.ID()),
	}
	steps := []func() error{
		r.readKeys, r.readForce, r.readSeats, r.readPending, r.receipts, r.claims, r.readStandings, r.proposals, r.compare,
		func() error { return r.coins(rangeCoins) },
		func() error { _, err := tree.Check(view); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("goods state: %w", err)
		}
		if r.total == 0 {
			break // before block 1
		}
	}
	return nil
}

// goodsOnly lets the goods rules read where there are no coins.
type goodsOnly struct{ state.GoodsView }

func (goodsOnly) Coin(wire.OutPoint) (*state.Coin, error) { return nil, nil }

// meant is what the coin of an outpoint must be.
type meant struct {
	what   string
	units  int64
	script []byte
	height int32
	kind   state.MeaningKind
}

type recount struct {
	charter  *params.Charter
	height   int32
	view     state.GoodsView
	block    Block // reads only
	treasury []byte
	total    int
	seats    []state.Seat

	outs      map[wire.OutPoint]meant
	standings map[uint16]*state.Standing // counted
	// expect is every key of the kinds that follow from others.
	expect map[string][]byte
}

// readKeys: every key is of a known kind.
func (r *recount) readKeys() error {
	var failed error
	err := r.view.GoodsRange(state.FirstStateKey(), nil, func(key, _ []byte) bool {
		r.total++
		failed = state.CheckKey(key)
		return failed == nil
	})
	return firstError(err, failed)
}

// readForce: parameters within the charter's bounds, goods and allowances as
// many as there should be.
func (r *recount) readForce() (err error) {
	if r.total == 0 {
		return nil
	}
	if err := r.block.readForce(); err != nil {
		return err
	}
	p := &r.block.params
	values, lows, highs := p.Values(), r.charter.Low.Values(), r.charter.High.Values()
	for i, rule := range params.ParameterRules {
		if *values[i] < *lows[i] || *values[i] > *highs[i] {
			return fmt.Errorf("parameter %s is %d, the charter allows %d to %d", rule.Name, *values[i], *lows[i], *highs[i])
		}
	}
	if p.QuorumAuditors > int64(r.block.counts.Auditors) {
		return fmt.Errorf("the quorum is %d of %d auditors", p.QuorumAuditors, r.block.counts.Auditors)
	}
	for index := range r.block.counts.Goods {
		good, err := r.block.good(index)
		if err != nil {
			return err
		}
		if good.Since > r.height || good.ParNum < 1 || good.ParDen < 1 {
			return fmt.Errorf("good %d is from the future or has no par", index)
		}
		if index < uint16(len(r.charter.Goods)) && (good.Code != r.charter.Goods[index].Code || good.Measure != r.charter.Goods[index].Measure) {
			return fmt.Errorf("good %d is not the charter's %s", index, r.charter.Goods[index].Code)
		}
	}
	return nil
}

// readSeats: the charter's seats in order and the new ones after them, each
// with its outpoint.
func (r *recount) readSeats() (err error) {
	if r.seats, err = ReadSeats(r.view); err != nil {
		return err
	}
	counts := r.block.counts
	if len(r.seats) != int(counts.Custodians)+int(counts.Auditors)+1 {
		return fmt.Errorf("%d seats for %d custodians, %d auditors and the council", len(r.seats), counts.Custodians, counts.Auditors)
	}
	names := map[string]string{}
	for _, s := range launchSeats(r.charter) {
		names[string(s.Key())] = s.Name
	}
	for i := range r.seats {
		s := &r.seats[i]
		if name := names[string(s.Key())]; name != "" && name != s.Name {
			return fmt.Errorf("%s is %s, the charter says %s", s.ID(), s.Name, name)
		}
		if s.Role == state.RoleCustodian {
			r.standings[s.Index] = &state.Standing{}
		}
		m := state.Meaning{Kind: state.MeansSeat, Role: s.Role, Index: s.Index}
		if err := r.means(s.Out, m, meant{what: s.ID(), script: s.Script, height: s.Height}); err != nil {
			return err
		}
	}
	return nil
}

// means notes what an outpoint is, once.
func (r *recount) means(op wire.OutPoint, m state.Meaning, coin meant) error {
	if other, twice := r.outs[op]; twice {
		return fmt.Errorf("%v is %s and %s", op, other.what, coin.what)
	}
	coin.kind = m.Kind
	r.outs[op] = coin
	r.expect[string(state.KeyOutpoint(op))] = m.Encode()
	return nil
}

// readPending: changes that wait, with their outputs.
func (r *recount) readPending() error {
	for slot := range state.Slot(state.SlotCount) {
		p, err := ReadPending(r.view, slot)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		if p.Effective <= r.height || p.Announced > r.height {
			return fmt.Errorf("a change announced at %d for %d waits after block %d", p.Announced, p.Effective, r.height)
		}
		for i, script := range p.Scripts {
			coin := meant{what: fmt.Sprintf("output %d of the change in slot %d", i+1, slot), script: script, height: p.Announced}
			if err := r.means(p.Out(i), state.Meaning{Kind: state.MeansWaiting, Slot: slot}, coin); err != nil {
				return err
			}
		}
	}
	return nil
}

// coins: the UTXO set adds up to the totals and holds everything that the
// state says is there.
func (r *recount) coins(rangeCoins RangeCoins) error {
	var counted state.Totals
	var failed error
	held := 0
	err := rangeCoins(func(op wire.OutPoint, coin *state.Coin) bool {
		counted.UTXOUnits += coin.ValueUnits
		want, means := r.outs[op]
		if means {
			held++
			failed = want.check(op, coin)
		}
		if bytes.Equal(coin.Script, r.treasury) {
			switch want.kind {
			case state.MeansNothing:
				counted.PoolUnits += coin.ValueUnits
			case state.MeansEscrow:
				counted.EscrowUnits += coin.ValueUnits
			}
		}
		return failed == nil
	})
	if err := firstError(err, failed); err != nil {
		return err
	}
	if held != len(r.outs) {
		return fmt.Errorf("%d of %d seats, tokens, escrows, bonds and waiting outputs have their coin", held, len(r.outs))
	}
	counted.CirculatingUnits = counted.UTXOUnits - counted.PoolUnits - counted.EscrowUnits
	stored, err := ReadTotals(r.view)
	if err != nil {
		return err
	}
	if stored != counted {
		return fmt.Errorf("totals are stored as %+v, counted as %+v", stored, counted)
	}
	return nil
}

func (m *meant) check(op wire.OutPoint, coin *state.Coin) error {
	if coin.ValueUnits != m.units || m.height != 0 && coin.Height != m.height || !bytes.Equal(coin.Script, m.script) {
		return fmt.Errorf("the coin of %s at %v is not as the state says", m.what, op)
	}
	return nil
}

// derived are the kinds of keys that follow from others: of these the state
// has exactly what was counted.
var derived = [][2][]byte{
	keyRange(state.OutpointKeys()), keyRange(state.LotKeys()), keyRange(state.HoldingKeys()), keyRange(state.StandingKeys()),
	keyRange(state.FreshKeys(1<<31 - 1)), keyRange(state.ExpiryKeys(1<<31 - 1)), keyRange(state.DefaultKeys(1<<31 - 1)),
	keyRange(state.AllUntenderedKeys()),
}

func keyRange(from, to []byte) [2][]byte { return [2][]byte{from, to} }

// compare: the state has the keys and values that were counted, no others.
func (r *recount) compare() error {
	seen := 0
	for _, kind := range derived {
		var failed error
		err := r.view.GoodsRange(kind[0], kind[1], func(key, value []byte) bool {
			want, ok := r.expect[string(key)]
			if ok {
				seen++
			}
			if ok && !bytes.Equal(value, want) || !ok && !r.reservedLot(key, value) {
				failed = fmt.Errorf("key %x is %x, counted as %x", key, value, want)
			}
			return failed == nil
		})
		if err := firstError(err, failed); err != nil {
			return err
		}
	}
	reserve, err := r.view.Goods(state.KeyReserve())
	if err != nil {
		return err
	}
	if want := r.expect[string(state.KeyReserve())]; !bytes.Equal(reserve, want) {
		return fmt.Errorf("the reserve is stored as %x, counted as %x", reserve, want)
	} else if want != nil {
		seen++
	}
	if seen != len(r.expect) {
		return fmt.Errorf("%d keys that follow from others, should be %d, first missing %s", seen, len(r.expect), r.firstMissing())
	}
	return nil
}

func (r *recount) firstMissing() string {
	keys := make([]string, 0, len(r.expect))
	for key := range r.expect {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if value, err := r.view.Goods([]byte(key)); err == nil && value == nil {
			return fmt.Sprintf("%x", key)
		}
	}
	return "none"
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

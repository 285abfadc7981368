package life

import (
	"fmt"
	"log/slog"
	"math/rand/v2"

	"github.com/btcsuite/btcd/btcec/v2"

	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// KeyRing gives the n-th private key of a seat; 0 holds it when it begins.
type KeyRing interface {
	SeatKey(role state.Role, index uint16, generation uint32) *btcec.PrivateKey
}

// Options are what a life is made of.
type Options struct {
	Charter *params.Charter
	Chain   stage.Chain
	Keys    KeyRing
	// Give takes a transaction, as a mempool does. An error refuses it.
	Give func(*state.Tx) error
	// Secret makes the keys of holders.
	Secret []byte
	Seed   uint64
	// Calm makes trouble that many times rarer: deadlines missed, goods
	// missing, suspensions, debts never paid. 0 is 1, as tests want it.
	Calm int
	Log  *slog.Logger // nil: none
}

// Life plays. It is for one goroutine.
type Life struct {
	o    Options
	cast *stage.Cast
	rng  *rand.Rand
	log  *slog.Logger

	depositors, holders []stage.Person
	operators           []stage.Person // the purses of custodians
	generation          map[string]uint32

	proposals []*proposal
	minds     map[uint64]mind // of open claims

	now   moment
	Given map[goods.RecordType]int // transactions that were taken, by record
	// Refused counts those that were not, and LastRefusal says why.
	Refused     int
	LastRefusal error
}

// New makes a life; nothing happens yet.
func New(o Options) *Life {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Life{
		o: o, cast: stage.New(o.Charter, o.Chain), rng: rand.New(rand.NewPCG(o.Seed, 0x6c696665)), log: o.Log,
		generation: map[string]uint32{}, minds: map[uint64]mind{}, Given: map[goods.RecordType]int{},
	}
	for i := range 4 {
		l.depositors = append(l.depositors, l.cast.Person(o.Secret, fmt.Sprintf("depositor %d", i)))
		l.holders = append(l.holders, l.cast.Person(o.Secret, fmt.Sprintf("holder %d", i)))
	}
	return l
}

// Miner is who earns the fees; its coins take part in the life.
func (l *Life) Miner() stage.Person { return l.cast.Person(l.o.Secret, "miner") }

// moment is the state as one step sees it.
type moment struct {
	height   int32 // of the next block
	hash     goods.Observed
	params   params.Parameters
	counts   state.Counts
	totals   state.Totals
	reserve  state.Reserve
	seats    []state.Seat
	standing []*state.Standing // by custodian
	receipts []*state.Receipt
	claims   []*state.Claim
	pending  [state.SlotCount]*state.Pending
	busy     map[string]bool // seats that act in this block
}

// Step gives what the people do before the next block. The error is the
// world's; what the rules or the mempool refuse is counted.
func (l *Life) Step() error {
	if err := l.look(); err != nil {
		return err
	}
	if l.now.height < params.GoodsStartHeight {
		return nil
	}
	for _, act := range []func() error{
		l.actOnProposals, l.settleClaims, l.decideClaims, l.mindCustody, l.mindChanges,
		l.bringGoods, l.payAround, l.claimGoods, l.attestProposals,
	} {
		if err := act(); err != nil {
			return err
		}
	}
	return nil
}

// look reads the state.
func (l *Life) look() error {
	m := moment{busy: map[string]bool{}}
	err := l.o.Chain.View(func(tip *state.Header, v state.View) (err error) {
		m.height = tip.Height + 1
		m.hash = goods.Observed{Height: tip.Height, Hash: tip.Hash}
		if tip.Height == 0 {
			return nil
		}
		return m.read(v)
	})
	if err != nil {
		return fmt.Errorf("look at the chain: %w", err)
	}
	l.now = m
	return l.findKeys()
}

func (m *moment) read(v state.View) (err error) {
	if m.params, err = goods.ReadParameters(v); err != nil {
		return err
	}
	if m.counts, err = goods.ReadCounts(v); err != nil {
		return err
	}
	if m.totals, err = goods.ReadTotals(v); err != nil {
		return err
	}
	if m.reserve, err = goods.ReadReserve(v); err != nil {
		return err
	}
	if m.seats, err = goods.ReadSeats(v); err != nil {
		return err
	}
	for custodian := range m.counts.Custodians {
		s, err := goods.ReadStanding(v, custodian)
		if err != nil {
			return err
		}
		m.standing = append(m.standing, s)
	}
	for slot := range state.Slot(state.SlotCount) {
		if m.pending[slot], err = goods.ReadPending(v, slot); err != nil {
			return err
		}
	}
	if err := goods.RangeReceipts(v, func(r *state.Receipt) bool { m.receipts = append(m.receipts, r); return true }); err != nil {
		return err
	}
	return goods.RangeClaims(v, func(c *state.Claim) bool { m.claims = append(m.claims, c); return true })
}

// maxGeneration bounds the search for the key that holds a seat.
const maxGeneration = 10_000

// findKeys takes the keys up that hold the seats now, and the purse of each
// custodian.
func (l *Life) findKeys() error {
	for i := range l.now.seats {
		seat := &l.now.seats[i]
		// Mostly it is the one from before or the next; after a
		// reorganisation it may be an older one.
		known := l.generation[seat.ID()]
		if !l.findKey(seat, known, known+2) && !l.findKey(seat, 0, maxGeneration) {
			return fmt.Errorf("%s is not held by these keys", seat.ID())
		}
	}
	for len(l.operators) < len(l.now.standing) {
		l.operators = append(l.operators, l.cast.Person(l.o.Secret, fmt.Sprintf("operator %d", len(l.operators))))
	}
	return nil
}

// findKey looks for a seat's key from one generation to before another.
func (l *Life) findKey(seat *state.Seat, from, to uint32) bool {
	for generation := from; generation < to; generation++ {
		person := l.cast.Hold(seat.Name, l.o.Keys.SeatKey(seat.Role, seat.Index, generation))
		if string(person.Script) == string(seat.Script) {
			l.generation[seat.ID()] = generation
			return true
		}
	}
	return false
}

// trouble is chance, rarer where the life is calm.
func (l *Life) trouble(n int) bool { return l.chance(n * max(1, l.o.Calm)) }

// chance is true once in n times.
func (l *Life) chance(n int) bool { return l.rng.IntN(n) == 0 }

func pick[T any](l *Life, list []T) T { return list[l.rng.IntN(len(list))] }

// give hands a transaction in. What is refused is forgotten: the state may
// have moved since it was thought of.
func (l *Life) give(record goods.Record, tx *state.Tx, err error) bool {
	if err == nil {
		if err = l.o.Give(tx); err != nil {
			l.cast.Forget(tx)
		}
	}
	if err != nil {
		l.Refused++
		l.LastRefusal = fmt.Errorf("%s at height %d: %w", wordOf(record), l.now.height, err)
		l.log.Debug("an act of the demo did not happen", "err", l.LastRefusal)
		return false
	}
	if record != nil {
		l.Given[record.Type()]++
		l.log.Info(wordOf(record), "txid", tx.Txid)
	}
	return true
}

func wordOf(record goods.Record) string {
	if record == nil {
		return "payment"
	}
	return record.Type().String()
}

// actor reports whether a seat may still act in this block, and makes it busy.
func (l *Life) actor(role state.Role, index uint16) bool {
	id := (&state.Seat{Role: role, Index: index}).ID()
	if l.now.busy[id] {
		return false
	}
	l.now.busy[id] = true
	return true
}

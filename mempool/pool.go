package mempool

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/clock"
	"granary/mempool/fees"
	"granary/mempool/policy"
	"granary/params"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
)

// Chain is what the pool needs of the engine.
type Chain interface {
	// View calls f with the tip and the state after it, which stand still
	// until f returns.
	View(f func(tip *state.Header, v state.View) error) error
}

// Options are the parts that a Pool is made of.
type Options struct {
	Chain Chain
	Rules block.Rules
	// Scripts should be the chain's own, so that a block finds the scripts
	// of its transactions checked; nil skips script checks, for tests that
	// are about something else.
	Scripts *script.Checker
	// MaxBytes bounds the memory; zero means params.DefaultMempoolBytes.
	MaxBytes int64
	// Clock is the machine's where nil.
	Clock clock.Clock
	// Standard holds transactions to mempool/policy; without it (Core's
	// -acceptnonstdtxn) any valid transaction of a sound size is taken.
	Standard bool
	// Policy are the bounds that a person chose; nil means policy.Defaults.
	Policy *policy.Settings
	// Expiry is how long a transaction waits for a block; zero means two weeks.
	Expiry time.Duration
	// OptInReplacement lets only those be replaced that signal it, by BIP125,
	// as version 3 does (Core's -mempoolfullrbf=0).
	OptInReplacement bool
	// Fees learns from what waits here and how long; nil where nobody asks.
	Fees *fees.Estimator
	// Log gets what a person should know; nil drops it.
	Log *slog.Logger
}

// Pool is the mempool. All methods are safe for concurrent use. It is a
// follower of the chain.
type Pool struct {
	chain    Chain
	rules    block.Rules
	scripts  *script.Checker
	clock    clock.Clock
	log      *slog.Logger
	maxBytes int64
	standard bool
	policy   *policy.Settings
	expiry   time.Duration
	optIn    bool
	fees     *fees.Estimator
	treasury []byte // script of the charter's, nil without one

	mu       sync.Mutex
	txs      map[chainhash.Hash]*Entry
	spends   map[wire.OutPoint]*Entry
	objects  map[policy.Object]*Entry // what anyone may move, and does here
	worst    worstHeap
	floor    floor
	sequence uint64 // of the next entry
	marks    uint64 // of the last walk over the graph
	usage    int64
	// vbytes and feesUnits are the sums of all entries, without deltas.
	vbytes, feesUnits int64
	// dueWeight is that of the lane of what is due.
	dueWeight int64

	deltas      map[chainhash.Hash]int64    // of fees, by a person's wish
	unbroadcast map[chainhash.Hash]struct{} // own, not asked for by any peer

	// next is the block above the tip nextTo, nil until a tip needs it.
	next   *goods.Next
	nextTo chainhash.Hash

	lost     lostBlocks
	watchers []*watcher
}

// New makes an empty pool. It hears of blocks once it is a follower of the
// chain.
func New(o Options) *Pool {
	p := &Pool{
		chain: o.Chain, rules: o.Rules, scripts: o.Scripts, clock: o.Clock, log: o.Log,
		maxBytes: o.MaxBytes, standard: o.Standard,
		txs: map[chainhash.Hash]*Entry{}, spends: map[wire.OutPoint]*Entry{},
		objects: map[policy.Object]*Entry{}, deltas: map[chainhash.Hash]int64{},
		unbroadcast: map[chainhash.Hash]struct{}{},
		policy:      o.Policy, expiry: o.Expiry, optIn: o.OptInReplacement, fees: o.Fees,
	}
	if p.policy == nil {
		defaults := policy.Defaults()
		p.policy = &defaults
	}
	if p.expiry <= 0 {
		p.expiry = defaultExpiry
	}
	if o.Rules.Charter != nil {
		p.treasury = goods.TreasuryScript(o.Rules.Charter.ID())
	}
	if p.maxBytes <= 0 {
		p.maxBytes = params.DefaultMempoolBytes
	}
	if p.clock == nil {
		p.clock = clock.Real{}
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.lost.reset()
	return p
}

// Get finds an entry by txid, nil if it does not wait here.
func (p *Pool) Get(txid chainhash.Hash) *Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.txs[txid]
}

// Spender is the entry that spends an outpoint, nil if none does.
func (p *Pool) Spender(op wire.OutPoint) *Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spends[op]
}

// Entries lists the pool, parents before children, otherwise in the order of
// arrival. The slice is the caller's.
func (p *Pool) Entries() []*Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ordered()
}

// Each calls f for every transaction, in no order, with the pool locked: f must
// be quick and must not call the pool. What it is given may be kept and is not
// to be changed.
func (p *Pool) Each(f func(tx *state.Tx)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.txs {
		f(e.Tx)
	}
}

func (p *Pool) ordered() []*Entry {
	return p.entriesThat(func(*Entry) bool { return true })
}

// entriesThat lists the entries for which f holds, parents before children.
func (p *Pool) entriesThat(f func(*Entry) bool) []*Entry {
	var list []*Entry
	for _, e := range p.worst {
		if f(e) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, byDepth)
	return list
}

// byDepth orders by the number of ancestors, then by arrival: parents come
// before children.
func byDepth(a, b *Entry) int {
	if c := cmp.Compare(a.ancestors.count, b.ancestors.count); c != 0 {
		return c
	}
	return cmp.Compare(a.Sequence, b.Sequence)
}

// Info is the pool as a whole.
type Info struct {
	Count         int
	VBytes        int64
	UsageBytes    int64
	MaxBytes      int64
	TotalFeeUnits int64
	// MinUnitsPerKVB is what a transaction must pay now, at least
	// RelayUnitsPerKVB.
	MinUnitsPerKVB         int64
	RelayUnitsPerKVB       int64
	IncrementalUnitsPerKVB int64
	// Sequence grows with every transaction that comes.
	Sequence uint64
	// Unbroadcast counts own transactions that no peer has asked for yet.
	Unbroadcast int
	// FullReplacement says that whatever pays more replaces.
	FullReplacement bool
}

// Info gives the figures of getmempoolinfo.
func (p *Pool) Info() Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Info{
		Count: len(p.txs), VBytes: p.vbytes, UsageBytes: p.usage, MaxBytes: p.maxBytes,
		TotalFeeUnits:          p.feesUnits,
		MinUnitsPerKVB:         max(p.floorRate(), p.policy.MinRelayUnitsPerKVB),
		RelayUnitsPerKVB:       p.policy.MinRelayUnitsPerKVB,
		IncrementalUnitsPerKVB: p.policy.IncrementalUnitsPerKVB,
		Sequence:               p.sequence, Unbroadcast: len(p.unbroadcast), FullReplacement: !p.optIn,
	}
}

// Family is an entry's place among the unconfirmed; counts and sums include
// the entry itself, and fees what a person added or took away.
type Family struct {
	ModifiedFeeUnits                     int64
	Unbroadcast                          bool
	AncestorCount, DescendantCount       int
	AncestorVBytes, DescendantVBytes     int64
	AncestorFeeUnits, DescendantFeeUnits int64
	// Depends are the parents, SpentBy the children, in the pool.
	Depends, SpentBy []chainhash.Hash
}

// Family tells of the entry with txid; ok is false if it does not wait here.
func (p *Pool) Family(txid chainhash.Hash) (f Family, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.txs[txid]
	if e == nil {
		return f, false
	}
	_, unbroadcast := p.unbroadcast[txid]
	f = Family{
		ModifiedFeeUnits: e.modified(), Unbroadcast: unbroadcast,
		AncestorCount: e.ancestors.count, AncestorVBytes: e.ancestors.vbytes, AncestorFeeUnits: e.ancestors.feeUnits,
		DescendantCount: e.descendants.count, DescendantVBytes: e.descendants.vbytes,
		DescendantFeeUnits: e.descendants.feeUnits,
	}
	for _, parent := range e.parents {
		f.Depends = append(f.Depends, parent.Tx.Txid)
	}
	for _, child := range e.children {
		f.SpentBy = append(f.SpentBy, child.Tx.Txid)
	}
	return f, true
}

// Ancestors lists what txid depends on in the pool, without itself, parents
// before children.
func (p *Pool) Ancestors(txid chainhash.Hash) []*Entry { return p.relatives(txid, up) }

// Descendants lists what depends on txid in the pool, without itself, parents
// before children.
func (p *Pool) Descendants(txid chainhash.Hash) []*Entry { return p.relatives(txid, down) }

func (p *Pool) relatives(txid chainhash.Hash, d direction) []*Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.txs[txid]
	if e == nil {
		return nil
	}
	list := p.reach(d, e)[1:]
	slices.SortFunc(list, byDepth)
	return list
}

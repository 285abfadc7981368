package sync

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

const (
	// aheadMax above the tip, a block that nobody asked for is not taken.
	aheadMax = params.MinBlocksToKeep
	// surplusMax blocks that nobody asked for may be at the engine, of one peer.
	surplusMax = 2
	// surplusBytesMax of memory is for blocks that nobody asked for, of all
	// peers; one always fits.
	surplusBytesMax = 64 << 20
	// What a decoded block takes beside its bytes.
	txCost, inputCost, outputCost, witnessCost = 250, 136, 48, 24
)

// costOf is what a decoded block takes in memory: up to 25 times its bytes,
// where a witness is of empty items.
func costOf(b *state.Block) int64 {
	cost := int64(len(b.Raw))
	for _, tx := range b.Msg.Transactions {
		cost += txCost + int64(len(tx.TxOut))*outputCost + int64(len(tx.TxIn))*inputCost
		for _, in := range tx.TxIn {
			cost += int64(len(in.Witness)) * witnessCost
		}
	}
	return cost
}

// onBlock takes a whole block from r. Only r's own request ends here: another
// peer's ends when the bytes have been judged.
func (m *Manager) onBlock(r *remote, b *state.Block) {
	f := m.flightOf(r, b.Hash)
	if f == nil && !m.welcome(r, b) {
		return
	}
	if f != nil {
		m.paid(r, f)
		m.cancel(f)
	}
	m.submit(r, b, f != nil, false)
	m.schedule(r)
}

// welcome reports whether a block that r was not asked for is taken: it must
// lead to at least the tip's work, near the tip, and not be here.
func (m *Manager) welcome(r *remote, b *state.Block) bool {
	parent := m.Chain.Header(b.Msg.Header.PrevBlock)
	if parent == nil {
		m.announced(r, b.Hash)
		m.askHeaders(r, locatorOf(m.Chain.BestHeader()))
		return false
	}
	tip := m.Chain.Tip()
	work := state.WorkOf(b.Msg.Header.Bits)
	work.Add(&work, &parent.Work)
	need := m.workNeeded(r)
	switch {
	case !work.Lt(&need) && work.Lt(&tip.Work):
		// Too little for the block, enough for its header: it is a branch to
		// know of.
		m.takeHeader(r, b)
		return false
	case work.Lt(&need), parent.Height+1 > tip.Height+aheadMax:
		return false
	case m.pending[b.Hash] > 0, r.surplus >= surplusMax:
		return false
	case m.intake.surplus > 0 && m.intake.surplus+costOf(b) > surplusBytesMax:
		m.announced(r, b.Hash)
		m.askHeaders(r, locatorOf(m.Chain.BestHeader())) // it is asked for when its turn comes
		return false
	}
	if h := m.Chain.Header(b.Hash); h != nil && m.have(h) {
		r.knows(h)
		return false
	}
	return true
}

// takeHeader keeps the header of a block that is not taken itself, where it is
// new and no other headers of r's are being judged.
func (m *Manager) takeHeader(r *remote, b *state.Block) {
	if m.Chain.Header(b.Hash) == nil && !r.headers.busy && r.headers.low == nil {
		m.takeHeaders(r, []wire.BlockHeader{b.Msg.Header})
	}
}

// costFactor is how much more memory than bytes usual blocks take at most.
const costFactor = 6

// submit hands a block to the engine.
func (m *Manager) submit(r *remote, b *state.Block, asked, compact bool) {
	bytes, cost := int64(len(b.Raw)), costOf(b)
	m.pending[b.Hash]++
	m.intake.bytes += bytes
	m.intake.cost += cost
	if !asked {
		r.surplus++
		m.intake.surplus += cost
	}
	if len(m.sources) >= 4*windowBlocks {
		clear(m.sources) // branches that were never connected
	}
	m.sources[b.Hash] = source{r.id, compact}
	release := func() {}
	// A download must not wait for each block, but for what takes many times
	// the memory of a usual one.
	if !m.catching.Load() || m.intake.cost > costFactor*m.BudgetBytes {
		release = r.hold()
	}
	m.Intake.Submit(b, func(isNew bool, err error) {
		m.Post(func() {
			defer release()
			m.landed(b.Hash, bytes)
			m.intake.cost -= cost
			if !asked {
				r.surplus--
				m.intake.surplus -= cost
			}
			m.judged(r, &b.Msg.Header, b.Hash, compact, isNew, err)
		})
	})
}

// landed ends the accounts of a block at the engine.
func (m *Manager) landed(hash chainhash.Hash, bytes int64) {
	if m.pending[hash]--; m.pending[hash] == 0 {
		delete(m.pending, hash)
	}
	m.intake.bytes -= bytes
	if m.intake.averageBytes == 0 {
		m.intake.averageBytes = bytes
	}
	m.intake.averageBytes += (bytes - m.intake.averageBytes) / 16
}

// unsaidMax answers of the engine may pass before starved peers are looked at.
const unsaidMax = 32

// judged goes on when the engine has judged a block of r's.
func (m *Manager) judged(r *remote, raw *wire.BlockHeader, hash chainhash.Hash, compact, isNew bool, err error) {
	rule := check.AsRule(err)
	switch {
	case err == nil:
		m.overtaken(hash)
		m.accepted(r, hash, isNew)
	case rule == nil: // the engine has stopped
		return
	default:
		m.refused(r, raw, hash, compact, rule)
	}
	if m.unsaid++; m.starved && (m.unsaid >= unsaidMax || len(m.pending) == 0) {
		m.scheduleAll()
	}
}

// accepted: the bytes are here.
func (m *Manager) accepted(r *remote, hash chainhash.Hash, isNew bool) {
	h := m.Chain.Header(hash)
	if h == nil {
		return
	}
	if m.Chain.Status(h).Active {
		delete(m.sources, hash)
	}
	if r.gone {
		return
	}
	r.knows(h)
	if isNew {
		r.lastBlock = m.Clock.Now()
		if link, ok := r.link.(blockNoter); ok {
			link.NoteBlock(r.lastBlock)
		}
		if !m.catching.Load() && len(m.flights) == 0 {
			m.wantCompactAtOnce(r)
		}
	}
}

// refused: the bytes, or the block, break a rule.
func (m *Manager) refused(r *remote, raw *wire.BlockHeader, hash chainhash.Hash, compact bool, rule *check.RuleError) {
	delete(m.sources, hash)
	m.frontier = nil
	h := m.Chain.Header(hash)
	switch rule.Kind {
	case check.Mutated:
		if compact && !r.gone && h != nil {
			m.ask(r, []*state.Header{h}) // a collision, perhaps: the whole block settles it
			return
		}
	case check.Unconnected:
		if !r.gone {
			m.announced(r, hash)
			m.askHeaders(r, locatorOf(m.Chain.BestHeader()))
		}
		return
	case check.Consensus, check.Future:
		m.cancelAll(hash)
	}
	m.punish(r, rule, compact)
	if rule.Kind == check.Mutated && h != nil && len(m.flights[hash]) == 0 {
		m.rescue(h, r)
	}
}

// invalid hears from the engine that a block breaks a rule that was found only
// when it came to be connected.
func (m *Manager) invalid(h *state.Header, err error) {
	m.frontier = nil
	m.cancelAll(h.Hash)
	from, ok := m.sources[h.Hash]
	delete(m.sources, h.Hash)
	if r := m.byID[from.peer]; ok && r != nil {
		m.punish(r, err, from.compact)
	}
}

// honestOnStock are broken rules that an unmodified Bitcoin node does not know
// (BIP54), beside the goods rules; and what stands on a block that may have
// broken one of them.
var honestOnStock = map[check.Code]bool{
	"bad-cb-locktime": true, "bad-cb-sequence": true, "bad-txns-size": true, "bad-txns-legacy-sigops": true,
	"time-timewarp-attack": true, "time-negative-interval": true,
	"bad-prevblk": true, "duplicate-invalid": true,
}

// punish does to r what its block or header deserves; see the package's doc.
func (m *Manager) punish(r *remote, err error, compact bool) {
	rule := check.AsRule(err)
	if rule == nil || r.gone || r.punished || rule.Code.Goods() || m.Charter && honestOnStock[rule.Code] {
		return
	}
	switch {
	case rule.Kind == check.Future, rule.Kind == check.Unconnected:
	case compact:
	case rule.Code == "duplicate-invalid" && !r.facts.Outbound():
	default:
		r.punished = true
		r.link.Misbehaved(rule.Error())
	}
}

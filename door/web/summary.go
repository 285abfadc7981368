package web

import (
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
	"granary/state"
)

// summary is what the lists show of a block.
type summary struct {
	Txs           int
	Bytes, Weight int64
	FeesUnits     int64
	// TreasuryUnits is what the block moved into the treasury, less what it
	// moved out.
	TreasuryUnits int64
	// Records counts the goods records; Words says the first of them.
	Records int
	Words   string
	Known   bool // false where the block or its undo was pruned
}

// summaryCacheSize bounds the summaries kept in memory.
const summaryCacheSize = 4096

// summaryCache keeps summaries by block hash; what a block did never changes.
type summaryCache struct {
	mu     sync.Mutex
	byHash map[chainhash.Hash]summary
	order  []chainhash.Hash // oldest first
}

func newSummaryCache() *summaryCache {
	return &summaryCache{byHash: make(map[chainhash.Hash]summary)}
}

func (c *summaryCache) get(hash chainhash.Hash) (summary, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.byHash[hash]
	return s, ok
}

func (c *summaryCache) put(hash chainhash.Hash, s summary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byHash[hash]; ok {
		return
	}
	if len(c.order) >= summaryCacheSize {
		delete(c.byHash, c.order[0])
		c.order = c.order[1:]
	}
	c.byHash[hash] = s
	c.order = append(c.order, hash)
}

// summarize reads a block's summary, from the cache where it is there.
func (s *Server) summarize(h *state.Header) summary {
	if known, ok := s.summaries.get(h.Hash); ok {
		return known
	}
	block, err := s.options.Chain.Block(h)
	if err != nil {
		return summary{} // pruned
	}
	undo := &state.Undo{}
	if h.Parent != nil {
		if undo, err = s.options.Chain.Undo(h); err != nil {
			return summary{}
		}
	}
	made := s.summaryOf(block, undo)
	s.summaries.put(h.Hash, made)
	return made
}

func (s *Server) summaryOf(block *state.Block, undo *state.Undo) summary {
	made := summary{
		Txs: len(block.Msg.Transactions), Bytes: int64(len(block.Raw)), Weight: int64(block.Weight()), Known: true,
	}
	treasury, touched := s.treasuryScript(), factsOf(undo)
	for i, tx := range block.Msg.Transactions {
		in, out := int64(0), int64(0)
		if i > 0 && i-1 < len(undo.Spent) {
			for _, coin := range undo.Spent[i-1] {
				in += coin.ValueUnits
				if treasury != "" && string(coin.Script) == treasury {
					made.TreasuryUnits -= coin.ValueUnits
				}
			}
		}
		for _, txOut := range tx.TxOut {
			out += txOut.Value
			if treasury != "" && string(txOut.PkScript) == treasury {
				made.TreasuryUnits += txOut.Value
			}
		}
		if i > 0 {
			made.FeesUnits += in - out
			s.countRecord(&made, block.Txids[i], tx, touched)
		}
	}
	return made
}

func (s *Server) countRecord(made *summary, txid chainhash.Hash, tx *wire.MsgTx, f *facts) {
	words := s.recordWords(txid, tx, f)
	if words == nil {
		return
	}
	if made.Records++; made.Records == 1 {
		made.Words = words.Short
	}
}

// treasuryScript is the treasury's script as a string, "" without a charter.
func (s *Server) treasuryScript() string {
	if s.options.Charter == nil {
		return ""
	}
	return string(goods.TreasuryScript(s.options.Charter.ID()))
}

package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// Bounds of one page.
const (
	listBlocks = 30
	listTxs    = 50
)

type blocksView struct {
	Rows         []blockRow
	Newer, Older int32 // heights for the links, -1 for none
}

func (s *Server) blocks(r *http.Request) (*page, error) {
	tip := s.options.Chain.Tip()
	from := tip.Height
	if text := r.URL.Query().Get("from"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			return nil, notFound("%q is not a height.", clip(text))
		}
		from = min(int32(n), tip.Height)
	}
	view := &blocksView{Rows: s.rows(s.options.Chain.AtHeight(from), listBlocks), Newer: -1, Older: -1}
	if from < tip.Height {
		view.Newer = min(from, tip.Height-listBlocks) + listBlocks
	}
	if from >= listBlocks {
		view.Older = from - listBlocks
	}
	return &page{Title: "Blocks", Template: "blocks", Section: "blocks", Body: view}, nil
}

// blockView is a block for a person.
type blockView struct {
	Height                int32
	Hash, Parent, Next    string
	Active                bool
	Confirmations         int32
	Time, Median, Now     time.Time
	Version, Bits, Nonce  string
	MerkleRoot            string
	Bytes, Weight         int64
	SubsidyUnits          int64
	Summary               summary
	Kept                  bool
	Txs                   []txRow
	TxCount, Page, Pages  int
	NextPage, PrecedePage int
}

type txRow struct {
	Txid         string
	Coinbase     bool
	Inputs, Outs int
	OutUnits     int64
	VBytes       int64
	Words        string
}

func (s *Server) block(r *http.Request) (*page, error) {
	h := s.headerOf(r.PathValue("id"))
	if h == nil {
		return nil, notFound("This node knows no block %s.", clip(r.PathValue("id")))
	}
	view := &blockView{
		Height: h.Height, Hash: h.Hash.String(), Time: h.Raw.Timestamp, Median: time.Unix(h.MedianTimePast(), 0),
		Version: "0x" + strconv.FormatUint(uint64(uint32(h.Raw.Version)), 16), Nonce: strconv.FormatUint(uint64(h.Raw.Nonce), 10),
		Bits: "0x" + strconv.FormatUint(uint64(h.Raw.Bits), 16), MerkleRoot: h.Raw.MerkleRoot.String(),
		SubsidyUnits: s.options.Net.SubsidyUnits(h.Height), Now: s.options.Clock.Now(), Summary: s.summarize(h),
	}
	if h.Parent != nil {
		view.Parent = h.Parent.Hash.String()
	}
	if s.options.Chain.AtHeight(h.Height) == h {
		view.Active, view.Confirmations = true, s.options.Chain.Tip().Height-h.Height+1
		if next := s.options.Chain.AtHeight(h.Height + 1); next != nil {
			view.Next = next.Hash.String()
		}
	}
	if block, err := s.options.Chain.Block(h); err == nil {
		s.fillBlock(view, h, block, r.URL.Query().Get("page"))
	}
	return &page{Title: "Block " + count(h.Height), Template: "block", Section: "blocks", Body: view}, nil
}

// fillBlock adds the block's body, one page of its transactions.
func (s *Server) fillBlock(view *blockView, h *state.Header, block *state.Block, pageText string) {
	view.Kept, view.Bytes, view.Weight = true, int64(len(block.Raw)), int64(block.Weight())
	view.TxCount = len(block.Txids)
	view.Pages = (view.TxCount + listTxs - 1) / listTxs
	view.Page = 1
	if n, err := strconv.Atoi(pageText); err == nil && n >= 1 && n <= view.Pages {
		view.Page = n
	}
	view.PrecedePage = view.Page - 1
	if view.Page < view.Pages {
		view.NextPage = view.Page + 1
	}
	undo := &state.Undo{}
	if h.Parent != nil {
		if read, err := s.options.Chain.Undo(h); err == nil {
			undo = read
		}
	}
	touched := factsOf(undo)
	for i := (view.Page - 1) * listTxs; i < min(view.Page*listTxs, view.TxCount); i++ {
		tx := block.Msg.Transactions[i]
		row := txRow{
			Txid: block.Txids[i].String(), Coinbase: i == 0, Inputs: len(tx.TxIn), Outs: len(tx.TxOut),
			VBytes: block.Tx(i).VBytes(),
		}
		for _, out := range tx.TxOut {
			row.OutUnits += out.Value
		}
		if words := s.recordWords(block.Txids[i], tx, touched); words != nil {
			row.Words = words.Short
		}
		view.Txs = append(view.Txs, row)
	}
}

// headerOf finds a block by height (on the active chain) or hash.
func (s *Server) headerOf(id string) *state.Header {
	if len(id) <= 10 {
		height, err := strconv.ParseInt(id, 10, 32)
		if err != nil {
			return nil
		}
		return s.options.Chain.AtHeight(int32(height))
	}
	hash, err := parseHash(id)
	if err != nil {
		return nil
	}
	return s.options.Chain.Header(*hash)
}

// isBlock reports whether hash is a known block's.
func (s *Server) isBlock(hash *chainhash.Hash) bool { return s.options.Chain.Header(*hash) != nil }

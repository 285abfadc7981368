package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// txView is a transaction for a person.
type txView struct {
	Txid, Wtxid           string
	Coinbase              bool
	InBlock               bool
	Block                 string
	Height, Confirmations int32
	Position              int
	Time                  time.Time
	Bytes, Weight, VBytes int64
	Version, LockTime     uint32
	FeeKnown              bool
	FeeUnits              int64
	FeeRate               string // units per virtual byte
	InUnits, OutUnits     int64
	Inputs                []inputView
	Outputs               []outputView
	MoreInputs            int // beyond maxShownEnds
	MoreOutputs           int
	Record                *wordsView
	Now                   time.Time
}

type inputView struct {
	Coinbase     bool
	Txid, Block  string // Block: a hint where to find Txid, "" if unknown
	Index        uint32
	Known        bool
	ValueUnits   int64
	Script       scriptView
	Seat         string
	Role         string
	CreatedAt    int32
	WitnessItems int
}

type outputView struct {
	Index      int
	ValueUnits int64
	Script     scriptView
	Role       string
	Seat       string
	Note       string
}

// maxShownEnds bounds the inputs and the outputs that one page lists.
const maxShownEnds = 500

func (s *Server) transaction(r *http.Request) (*page, error) {
	txid, err := parseHash(r.PathValue("id"))
	if err != nil {
		return nil, notFound("%q is not a transaction id: it has 64 hex digits.", clip(r.PathValue("id")))
	}
	view, err := s.findTx(*txid, r.URL.Query().Get("block"))
	if err != nil {
		return nil, err
	}
	return &page{Title: "Transaction " + short(view.Txid), Template: "tx", Body: view}, nil
}

// findTx looks in the named block, the mempool, and the index.
func (s *Server) findTx(txid chainhash.Hash, blockHint string) (*txView, error) {
	if hash, err := parseHash(blockHint); err == nil {
		if view, err := s.txInBlock(txid, *hash); view != nil || err != nil {
			return view, err
		}
	}
	if s.options.Pool != nil {
		if entry := s.options.Pool.Get(txid); entry != nil {
			return s.poolTx(entry.Tx, entry.Added)
		}
	}
	if s.options.Index != nil {
		hash, ok, err := s.options.Index.Lookup(txid)
		if err != nil {
			return nil, err
		}
		if ok {
			if view, err := s.txInBlock(txid, hash); view != nil || err != nil {
				return view, err
			}
		}
		return nil, notFound("No transaction %s is on this chain or in the mempool.", txid)
	}
	return nil, notFound("Transaction %s is not in the mempool. This node keeps no index of transactions (txindex=1): open it from its block.", txid)
}

// txInBlock gives the view of txid in the block hash; nil where it is not.
func (s *Server) txInBlock(txid, hash chainhash.Hash) (*txView, error) {
	h := s.options.Chain.Header(hash)
	if h == nil {
		return nil, nil
	}
	block, err := s.options.Chain.Block(h)
	if err != nil {
		return nil, notFound("Block %s is not kept by this node any more.", short(hash.String()))
	}
	for i := range block.Txids {
		if block.Txids[i] != txid {
			continue
		}
		undo := &state.Undo{}
		if h.Parent != nil {
			if read, err := s.options.Chain.Undo(h); err == nil {
				undo = read
			}
		}
		view := s.txView(block.Tx(i), spentOf(undo, i))
		touched := factsOf(undo)
		view.Record = s.recordWords(txid, block.Msg.Transactions[i], touched)
		s.nameSeats(view, txid, block.Msg.Transactions[i], touched)
		view.InBlock, view.Block, view.Height, view.Position = true, h.Hash.String(), h.Height, i
		view.Time = h.Raw.Timestamp
		if s.options.Chain.AtHeight(h.Height) == h {
			view.Confirmations = s.options.Chain.Tip().Height - h.Height + 1
		}
		if i == 0 {
			view.Coinbase, view.FeeKnown = true, false
		}
		return view, nil
	}
	return nil, nil
}

func spentOf(undo *state.Undo, i int) []*state.Coin {
	if i == 0 || i-1 >= len(undo.Spent) {
		return nil
	}
	return undo.Spent[i-1]
}

// poolTx is a transaction that waits: its coins are on the chain or wait too.
func (s *Server) poolTx(tx *state.Tx, added time.Time) (*txView, error) {
	spent := make([]*state.Coin, len(tx.Msg.TxIn))
	err := s.options.Chain.View(func(_ *state.Header, view state.View) error {
		for i, in := range tx.Msg.TxIn {
			coin, err := view.Coin(in.PreviousOutPoint)
			if err != nil {
				return err
			}
			if coin != nil {
				spent[i] = coin.Clone()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, in := range tx.Msg.TxIn {
		if spent[i] != nil {
			continue
		}
		if parent := s.options.Pool.Get(in.PreviousOutPoint.Hash); parent != nil && int(in.PreviousOutPoint.Index) < len(parent.Tx.Msg.TxOut) {
			out := parent.Tx.Msg.TxOut[in.PreviousOutPoint.Index]
			spent[i] = &state.Coin{ValueUnits: out.Value, Script: out.PkScript}
		}
	}
	view := s.txView(tx, spent)
	if view.Record, err = s.waitingWords(tx); err != nil {
		return nil, err
	}
	view.Time = added
	return view, nil
}

// txView fills in what needs nothing but the transaction and its coins;
// spent[i] may be nil.
func (s *Server) txView(tx *state.Tx, spent []*state.Coin) *txView {
	view := &txView{
		Txid: tx.Txid.String(), Wtxid: tx.Wtxid.String(), Now: s.options.Clock.Now(),
		Bytes: int64(len(tx.Raw)), Weight: tx.Weight(), VBytes: tx.VBytes(),
		Version: uint32(tx.Msg.Version), LockTime: tx.Msg.LockTime, FeeKnown: len(spent) == len(tx.Msg.TxIn),
	}
	for i, in := range tx.Msg.TxIn {
		if i == maxShownEnds {
			view.MoreInputs = len(tx.Msg.TxIn) - i
			view.FeeKnown = false
			break
		}
		input := s.inputView(in)
		if i < len(spent) && spent[i] != nil {
			input.Known, input.ValueUnits, input.CreatedAt = true, spent[i].ValueUnits, spent[i].Height
			input.Script, input.Role = s.script(spent[i].Script), s.outputRole(spent[i].Script)
			view.InUnits += spent[i].ValueUnits
			if h := s.options.Chain.AtHeight(spent[i].Height); h != nil && spent[i].Height > 0 {
				input.Block = h.Hash.String()
			}
		} else {
			view.FeeKnown = false
		}
		view.Inputs = append(view.Inputs, input)
	}
	for i, out := range tx.Msg.TxOut {
		view.OutUnits += out.Value
		if i < maxShownEnds {
			view.Outputs = append(view.Outputs, s.outputView(i, out))
		}
	}
	view.MoreOutputs = len(tx.Msg.TxOut) - len(view.Outputs)
	if view.FeeKnown && tx.VBytes() > 0 {
		view.FeeUnits = view.InUnits - view.OutUnits
		tenths := view.FeeUnits * 10 / tx.VBytes()
		view.FeeRate = fmt.Sprintf("%d.%d", tenths/10, tenths%10)
	}
	return view
}

func (s *Server) inputView(in *wire.TxIn) inputView {
	view := inputView{
		Txid: in.PreviousOutPoint.Hash.String(), Index: in.PreviousOutPoint.Index, WitnessItems: len(in.Witness),
	}
	view.Coinbase = in.PreviousOutPoint.Hash == chainhash.Hash{} && in.PreviousOutPoint.Index == wire.MaxPrevOutIndex
	return view
}

func (s *Server) outputView(index int, out *wire.TxOut) outputView {
	view := outputView{Index: index, ValueUnits: out.Value, Script: s.script(out.PkScript), Role: s.outputRole(out.PkScript)}
	switch view.Role {
	case "treasury":
		view.Note = "Only the goods rules open it."
	case "Witness commitment":
		view.Note = "The root of the block's witnesses (BIP141)."
	case "Data":
		view.Role, view.Note = s.dataRole(out.PkScript)
	}
	return view
}

// parseHash reads 64 hex digits.
func parseHash(text string) (*chainhash.Hash, error) {
	if len(text) != 64 {
		return nil, fmt.Errorf("not 64 digits")
	}
	return chainhash.NewHashFromStr(text)
}

// clip shortens what a person typed before it is shown back.
func clip(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:80]) + "\u2026"
	}
	return text
}

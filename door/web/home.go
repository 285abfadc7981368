package web

import (
	"net/http"
	"time"

	"granary/state"
)

// homeBlocks is how many blocks the first page lists.
const homeBlocks = 8

// homeView is the first page; Live is what htmx replaces.
type homeView struct{ Live *liveView }

// liveView is the chain as it stands.
type liveView struct {
	Charter           bool
	Tip               string
	Height            int32
	Time, Now         time.Time
	BlockEverySeconds int64
	Difficulty        string
	Supply            *supplyView
	Pool              *poolView
	Blocks            []blockRow
	Reserve           *reserveView // nil without a charter
	Coverage          *coverageView
	Custodians        []custodianCard
	Auditors          []auditorCard
	Pending           []changeView
	Claims            []claimRow
	Charts            []chartView
	State             string // names this state of things, for polling
}

// supplyView is where the coins are (goods-rules section 3).
type supplyView struct {
	IssuedUnits      int64
	TreasuryUnits    int64 // pool
	EscrowUnits      int64
	CirculatingUnits int64
	UTXOUnits        int64
	// Shares of the issued coins in thousandths, for the bar.
	PoolShare, EscrowShare, OutShare int64
}

// After gives where the escrow's and the circulating part of the bar begin.
func (s *supplyView) AfterPool() int64   { return s.PoolShare }
func (s *supplyView) AfterEscrow() int64 { return s.PoolShare + s.EscrowShare }

type poolView struct {
	Count int
	Bytes int64
}

type blockRow struct {
	Height  int32
	Hash    string
	Time    time.Time
	Now     time.Time
	Summary summary
}

func (s *Server) home(*http.Request) (*page, error) {
	live, err := s.liveView()
	if err != nil {
		return nil, err
	}
	return &page{Title: s.name(), Template: "home", Section: "chain", Body: &homeView{live}}, nil
}

// live answers htmx: the live part, or 204 where nothing has changed.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("state") == s.stateName(s.options.Chain.Tip()) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	live, err := s.liveView()
	if err != nil {
		s.options.Log.Warn("the page could not be made", "err", err)
		http.Error(w, "this page could not be made", http.StatusInternalServerError)
		return
	}
	s.render(w, r, http.StatusOK, "live", live)
}

// stateName changes whenever the live part would.
func (s *Server) stateName(tip *state.Header) string {
	name := tip.Hash.String()
	if s.options.Pool != nil {
		name += "-" + count(s.options.Pool.Info().Count)
	}
	return name
}

// name is what the chain is called.
func (s *Server) name() string {
	if s.options.Charter != nil {
		return s.options.Charter.Name
	}
	return "Bitcoin " + s.options.Net.Name
}

func (s *Server) liveView() (*liveView, error) {
	live := &liveView{
		Charter: s.options.Charter != nil, Now: s.options.Clock.Now(),
	}
	tip := s.options.Chain.Tip()
	if live.Charter {
		l, err := s.ledger()
		if err != nil {
			return nil, err
		}
		tip = l.tip
		live.Supply = s.supply(l.tip.Height, &l.totals)
		if err := s.liveGoods(l, live); err != nil {
			return nil, err
		}
	}
	live.Tip, live.Height, live.Time = tip.Hash.String(), tip.Height, tip.Raw.Timestamp
	live.State = s.stateName(tip)
	if s.options.BlockEvery != nil {
		live.BlockEverySeconds = int64(s.options.BlockEvery(tip.Height) / time.Second)
	}
	if s.options.Pool != nil {
		info := s.options.Pool.Info()
		live.Pool = &poolView{Count: info.Count, Bytes: info.VBytes}
	}
	treasury := int64(-1)
	if live.Supply != nil {
		treasury = live.Supply.TreasuryUnits + live.Supply.EscrowUnits
	} else {
		live.Supply = &supplyView{IssuedUnits: s.issued(tip.Height)}
	}
	live.Blocks = s.rows(tip, homeBlocks)
	live.Charts = s.smallCharts(tip, treasury)
	return live, nil
}

// Bounds of the lists on the first page.
const (
	homeClaims = 5
	homeSeats  = 6
)

// liveGoods fills in what the goods rules know.
func (s *Server) liveGoods(l *ledger, live *liveView) (err error) {
	live.Reserve = s.reserveOf(l)
	if live.Coverage, err = s.coverage(l, coveragePoints); err != nil {
		return err
	}
	if live.Pending, err = s.pendingChanges(l); err != nil {
		return err
	}
	if live.Claims, _, err = s.claimRows(l, &listQuery{name: "open"}, homeClaims); err != nil {
		return err
	}
	for i := range l.standings[:min(len(l.standings), homeSeats)] {
		card, err := s.custodianCard(l, uint16(i))
		if err != nil {
			return err
		}
		live.Custodians = append(live.Custodians, card)
	}
	for i := range l.auditors[:min(len(l.auditors), homeSeats)] {
		card, err := s.auditorCard(l, uint16(i))
		if err != nil {
			return err
		}
		live.Auditors = append(live.Auditors, card)
	}
	return nil
}

// rows lists n blocks down from h.
func (s *Server) rows(h *state.Header, n int) []blockRow {
	var rows []blockRow
	now := s.options.Clock.Now()
	for ; h != nil && len(rows) < n; h = h.Parent {
		rows = append(rows, blockRow{
			Height: h.Height, Hash: h.Hash.String(), Time: h.Raw.Timestamp, Now: now, Summary: s.summarize(h),
		})
	}
	return rows
}

func (s *Server) supply(height int32, totals *state.Totals) *supplyView {
	view := &supplyView{
		IssuedUnits: s.issued(height), TreasuryUnits: totals.PoolUnits, EscrowUnits: totals.EscrowUnits,
		CirculatingUnits: totals.CirculatingUnits, UTXOUnits: totals.UTXOUnits,
	}
	if whole := totals.UTXOUnits; whole > 0 {
		// Units reach 2.1e15, so thousandths stay far below the limit.
		view.PoolShare = totals.PoolUnits * 1000 / whole
		view.EscrowShare = totals.EscrowUnits * 1000 / whole
		view.OutShare = 1000 - view.PoolShare - view.EscrowShare
	}
	return view
}

// issued sums the subsidies of the blocks 1 to height: genesis contributes
// nothing.
func (s *Server) issued(height int32) int64 {
	interval, total := s.options.Net.SubsidyHalvingInterval, int64(0)
	for from := int32(1); from <= height; {
		subsidy := s.options.Net.SubsidyUnits(from)
		if subsidy == 0 {
			break
		}
		last := min((from/interval+1)*interval-1, height)
		total += int64(last-from+1) * subsidy
		from = last + 1
	}
	return total
}

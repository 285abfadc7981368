package web

import (
	"fmt"
	"net/http"
	"strings"

	"granary/rules/goods"
	"granary/state"
)

// seatView is a seat for a person.
type seatView struct {
	Anchor, ID, Role, Name string
	Script                 scriptView
	Out, Txid, Block       string
	Vout                   uint32
	Height, Since          int32
	URL                    string // of the page about its holder, "" for the council
	Founded                bool   // still where block 1 put it
}

type seatGroup struct {
	Title, Words string
	Seats        []seatView
}

type seatsView struct {
	Charter bool
	Height  int32
	Groups  []seatGroup
}

// Over stands above the name of the seat's holder.
func (v *seatView) Over() string { return titled(v.ID) }

func seatAnchor(seat *state.Seat) string { return strings.ReplaceAll(seat.ID(), " ", "-") }

// seatViews reads every seat in charter order.
func (s *Server) seatViews(view state.View) ([]seatView, error) {
	seats, err := goods.ReadSeats(view)
	if err != nil {
		return nil, err
	}
	views := make([]seatView, len(seats))
	for i := range seats {
		views[i] = s.seatView(&seats[i])
	}
	return views, nil
}

func (s *Server) seatView(seat *state.Seat) seatView {
	view := seatView{
		Anchor: seatAnchor(seat), ID: seat.ID(), Role: seat.Role.String(), Name: seat.Name, Since: seat.Since,
		Script: s.script(seat.Script), Out: seat.Out.String(), Txid: seat.Out.Hash.String(), Vout: seat.Out.Index,
		Height: seat.Height, Founded: seat.Height == 1,
	}
	if seat.Role != state.RoleCouncil {
		view.URL = fmt.Sprintf("/%s/%d", seat.Role, seat.Index)
	}
	if h := s.options.Chain.AtHeight(seat.Height); h != nil {
		view.Block = h.Hash.String()
	}
	return view
}

func (s *Server) seats(*http.Request) (*page, error) {
	body := &seatsView{Charter: s.options.Charter != nil}
	made := &page{Title: "Seats", Template: "seats", Section: "seats", Body: body}
	if !body.Charter {
		return made, nil
	}
	var all []seatView
	quorum := int64(0)
	err := s.options.Chain.View(func(tip *state.Header, view state.View) error {
		body.Height = tip.Height
		if tip.Height > 0 {
			p, err := goods.ReadParameters(view)
			if err != nil {
				return err
			}
			quorum = p.QuorumAuditors
		}
		var err error
		all, err = s.seatViews(view)
		return err
	})
	if err != nil {
		return nil, err
	}
	body.Groups = []seatGroup{
		{Title: "Custodians", Words: "hold the goods in their warehouses"},
		{Title: "Auditors", Words: fmt.Sprintf("inspect and attest; %d of them together are a quorum", quorum)},
		{Title: "Council", Words: "may amend the charter, always with a delay"},
	}
	for _, seat := range all {
		switch seat.Role {
		case state.RoleCustodian.String():
			body.Groups[0].Seats = append(body.Groups[0].Seats, seat)
		case state.RoleAuditor.String():
			body.Groups[1].Seats = append(body.Groups[1].Seats, seat)
		default:
			body.Groups[2].Seats = append(body.Groups[2].Seats, seat)
		}
	}
	return made, nil
}

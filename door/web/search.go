package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"granary/base/desc"
	"granary/rules/goods"
	"granary/state"
)

// search leads to what was typed: a height, a block, a transaction, or an
// address that means something to the chain.
func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	if len(text) > MaxQueryBytes {
		text = text[:MaxQueryBytes]
	}
	text = strings.ToValidUTF8(text, "")
	target, err := s.lookUp(text)
	if err != nil {
		s.page(func(*http.Request) (*page, error) { return nil, err })(w, r)
		return
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

func (s *Server) lookUp(text string) (target string, err error) {
	if text == "" {
		return "/", nil
	}
	plain := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\u202f' || r == ',' {
			return -1
		}
		return r
	}, text)
	if height, err := strconv.ParseInt(plain, 10, 32); err == nil {
		if s.options.Chain.AtHeight(int32(height)) == nil {
			return "", notFound("The chain has not reached height %s: it stands at %s.", count(height), count(s.options.Chain.Tip().Height))
		}
		return "/block/" + strconv.FormatInt(height, 10), nil
	}
	if hash, err := parseHash(text); err == nil {
		if s.isBlock(hash) {
			return "/block/" + hash.String(), nil
		}
		return "/tx/" + hash.String(), nil
	}
	return s.lookUpAddress(text)
}

// lookUpAddress knows the addresses of seats and the treasury; others would
// need an index of scripts.
func (s *Server) lookUpAddress(text string) (string, error) {
	script, err := desc.AddressScript(text, s.options.Net.Chain)
	if err != nil {
		return "", notFound("Nothing here is called %q. The search takes a height, a block hash, a transaction id or an address of this network.", clip(text))
	}
	if string(script) == s.treasuryScript() {
		return "/charter#treasury", nil
	}
	found := ""
	err = s.options.Chain.View(func(_ *state.Header, view state.View) error {
		if s.options.Charter == nil {
			return nil
		}
		seats, err := goods.ReadSeats(view)
		for i := range seats {
			if string(seats[i].Script) == string(script) {
				found = seatAnchor(&seats[i])
			}
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if found != "" {
		return "/seats#" + url.PathEscape(found), nil
	}
	return "", notFound("Address %s is well formed, but this node keeps no index of addresses: it can only lead to seats and the treasury.", clip(text))
}

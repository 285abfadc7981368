package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"granary/base/desc"
	"granary/rules/goods"
	"granary/state"
)

// search leads to what was typed: a height, a block, a transaction, a receipt,
// a claim, a lot, a name, or an address that means something to the chain.
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
	if target, err := s.lookUpGoods(text); target != "" || err != nil {
		return target, err
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
	if target, err := s.lookUpLot(text); target != "" || err != nil {
		return target, err
	}
	return s.lookUpAddress(text)
}

// objectWords are the pages that a word and a number lead to: "receipt 7",
// "claim #7".
var objectWords = regexp.MustCompile(`^(?i)(receipt|claim|custodian|auditor)s?\s*(?:#|no\.?)?\s*([0-9]{1,19})$`)

// lookUpGoods knows receipts and claims by number, and seats and goods by name.
func (s *Server) lookUpGoods(text string) (string, error) {
	if s.options.Charter == nil {
		return "", nil
	}
	if match := objectWords.FindStringSubmatch(text); match != nil {
		return "/" + strings.ToLower(match[1]) + "/" + match[2], nil
	}
	l, err := s.ledger()
	if err != nil {
		return "", err
	}
	for i := range l.seats {
		if seat := &l.seats[i]; seat.Name != "" && strings.EqualFold(seat.Name, text) {
			if seat.Role == state.RoleCouncil {
				return "/changes", nil
			}
			return fmt.Sprintf("/%s/%d", seat.Role, seat.Index), nil
		}
	}
	for i, g := range l.goods {
		if strings.EqualFold(g.Name, text) || strings.EqualFold(g.Code, text) {
			return fmt.Sprintf("/reserve#good-%d", i), nil
		}
	}
	return "", nil
}

// serialWords is what a serial may look like.
var serialWords = regexp.MustCompile(`^(?i)(?:lot\s+)?([A-Z0-9-]{1,40})$`)

// lookUpLot finds a lot by its serial.
func (s *Server) lookUpLot(text string) (string, error) {
	match := serialWords.FindStringSubmatch(text)
	if match == nil || s.options.Charter == nil {
		return "", nil
	}
	found, err := s.findLot(match[1])
	switch {
	case err != nil || len(found) == 0:
		return "", err
	case len(found) == 1:
		return fmt.Sprintf("/receipt/%d", found[0].Number), nil
	}
	return "/receipts?lot=" + url.QueryEscape(strings.ToUpper(match[1])), nil
}

// lookUpAddress knows the addresses of seats and the treasury; others would
// need an index of scripts.
func (s *Server) lookUpAddress(text string) (string, error) {
	script, err := desc.AddressScript(text, s.options.Net.Chain)
	if err != nil {
		return "", notFound("Nothing here is called %q. The search takes a height, a block hash, a transaction id, \"receipt 7\", \"claim 7\", the serial of a lot, a name, or an address of this network.", clip(text))
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

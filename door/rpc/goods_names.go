package rpc

import (
	"fmt"
	"strconv"
	"strings"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// book is what the figures of an answer are told with: goods and names as
// they are in force after one block.
type book struct {
	tip        *state.Header
	goods      []*goods.Good
	custodians []string
	auditors   []string
	seats      []state.Seat
	counts     []bool // whether a custodian's receipts may count
}

// goodsView runs f on the state after the tip, with the book of it. f is
// short: the chain waits for it.
func (c *call) goodsView(f func(b *book, v state.View) error) error {
	if c.Rules.Charter == nil {
		return errNoCharter
	}
	return c.Chain.View(func(tip *state.Header, v state.View) error {
		b, err := readBook(tip, v)
		if err != nil {
			return err
		}
		return f(b, v)
	})
}

// readBook costs one read for each good and seat.
func readBook(tip *state.Header, v state.View) (*book, error) {
	counts, err := goods.ReadCounts(v)
	if err != nil {
		return nil, err
	}
	b := &book{tip: tip}
	for i := range counts.Goods {
		good, err := goods.ReadGood(v, i)
		if err != nil {
			return nil, err
		}
		b.goods = append(b.goods, good)
	}
	if b.seats, err = goods.ReadSeats(v); err != nil {
		return nil, err
	}
	for i := range b.seats {
		switch b.seats[i].Role {
		case state.RoleCustodian:
			s, err := goods.ReadStanding(v, b.seats[i].Index)
			if err != nil {
				return nil, err
			}
			b.custodians = append(b.custodians, b.seats[i].Name)
			b.counts = append(b.counts, s != nil && s.Counts())
		case state.RoleAuditor:
			b.auditors = append(b.auditors, b.seats[i].Name)
		}
	}
	return b, nil
}

func (b *book) custodian(index uint16) string { return nameAt(b.custodians, index) }
func (b *book) auditor(index uint16) string   { return nameAt(b.auditors, index) }

// parameters gives those in force; before block 1 the charter's.
func (c *call) parameters(v state.View) (params.Parameters, error) {
	value, err := v.Goods(state.KeyParameters())
	if err == nil && value == nil {
		return c.Rules.Charter.Parameters, nil
	}
	if err != nil {
		return params.Parameters{}, err
	}
	return params.DecodeParameters(value)
}

// stands reports whether a custodian's receipts may count.
func (b *book) stands(custodian uint16) bool {
	return int(custodian) < len(b.counts) && b.counts[custodian]
}

func nameAt(names []string, index uint16) string {
	if int(index) < len(names) {
		return names[index]
	}
	return ""
}

// good names a good and its measure; nothing where there is no such good.
func (b *book) good(index uint16) (code, measure string) {
	if int(index) < len(b.goods) && b.goods[index] != nil {
		return b.goods[index].Code, b.goods[index].Measure
	}
	return "", ""
}

// goodArg reads a good given by code or index; none is absent.
func (c *call) goodArg(name string, b *book, none uint16) (uint16, error) {
	v := c.arg(name)
	if v.absent() {
		return none, nil
	}
	for i, good := range b.goods {
		if good != nil && strings.EqualFold(good.Code, v.text) {
			return uint16(i), nil
		}
	}
	return indexArg(v, name, len(b.goods))
}

// absent reports an argument that was left out, or is "" so that those behind
// it can be given.
func (v Value) absent() bool { return v.IsNull() || v.kind == String && v.text == "" }

// custodianArg reads a custodian given by index or name.
func (c *call) custodianArg(name string, b *book, none uint16) (uint16, error) {
	return personArg(c.arg(name), name, b.custodians, none)
}

// auditorArg reads an auditor given by index or name.
func (c *call) auditorArg(name string, b *book, none uint16) (uint16, error) {
	return personArg(c.arg(name), name, b.auditors, none)
}

func personArg(v Value, name string, people []string, none uint16) (uint16, error) {
	if v.absent() {
		return none, nil
	}
	for i, person := range people {
		if person == v.text {
			return uint16(i), nil
		}
	}
	return indexArg(v, name, len(people))
}

// indexArg reads an index below n, as a number or its digits.
func indexArg(v Value, name string, n int) (uint16, error) {
	index, err := strconv.ParseUint(v.text, 10, 16)
	if (v.kind != Number && v.kind != String) || err != nil || index >= uint64(n) {
		return 0, errorf(CodeInvalidParameter, "%s: there is none called %q: give its name or an index below %d", name, clip(v.text), n)
	}
	return uint16(index), nil
}

// numberArg reads the number of a receipt or claim.
func (c *call) numberArg(name string, fallback uint64) (uint64, error) {
	n, err := c.integer(name, int64(fallback))
	if err == nil && n < 0 {
		err = errorf(CodeInvalidParameter, "%s must not be negative", name)
	}
	return uint64(n), err
}

// readNumbered reads objects of the state at one moment, nil for each that is
// not there, with the book of that moment.
func readNumbered[T any](c *call, numbers []uint64, read func(state.GoodsView, uint64) (*T, error)) (*book, []*T, error) {
	var b *book
	found := make([]*T, len(numbers))
	err := c.goodsView(func(now *book, v state.View) (err error) {
		b = now
		for i, number := range numbers {
			if found[i], err = read(v, number); err != nil {
				return err
			}
		}
		return nil
	})
	return b, found, err
}

// The bounds of a page.
const (
	pageDefault = 100
	pageMost    = 1000
)

// pageParam is the parameter that pageArg reads.
func pageParam() Param {
	return Param{Name: "count", Type: Integer, Optional: true, Default: strconv.Itoa(pageDefault), Help: fmt.Sprintf("How many at most, 1 to %d.", pageMost)}
}

func (c *call) pageArg() (int, error) {
	n, err := c.int32("count", pageDefault)
	if err == nil && (n < 1 || n > pageMost) {
		err = errorf(CodeInvalidParameter, "count must be 1 to %d", pageMost)
	}
	return int(n), err
}

// statusParam is the parameter that statusArg reads.
func statusParam() Param {
	return Param{Name: "status", Type: Text, Optional: true, Default: `"open"`, Help: `"open", "closed" or "all".`}
}

func (c *call) statusArg() (open, closed bool, err error) {
	switch status := c.text("status", "open"); status {
	case "open":
		return true, false, nil
	case "closed":
		return false, true, nil
	case "all":
		return true, true, nil
	default:
		return false, false, errorf(CodeInvalidParameter, `status must be "open", "closed" or "all", not %q`, clip(status))
	}
}

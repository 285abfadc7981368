// Package check holds the three kinds of wrong that the whole house tells
// apart: a broken rule (RuleError, their fault), a failing world (a plain
// wrapped error) and a broken promise of our own (Must, Invariant, Assume).
//
// It is the first stone of the river: every other package may import it and
// it imports nothing of the project.
package check

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// Code names a broken rule. Bitcoin's rules carry the reject reasons that
// Bitcoin Core's users know ("bad-txns-inputs-missingorspent"); the goods
// rules carry codes that start with "goods-".
type Code string

// Goods reports whether the code belongs to the goods rules. Peers are never
// punished for those: an unmodified Bitcoin node relays such things honestly.
func (c Code) Goods() bool { return strings.HasPrefix(string(c), "goods-") }

// Kind says what a broken rule means for whoever sent the object.
type Kind uint8

const (
	// Consensus: the object can never be valid on this chain.
	Consensus Kind = iota
	// Mutated: the bytes are damaged but the id they claim may still belong
	// to a valid object (merkle or witness malleation); the id must not be
	// remembered as invalid.
	Mutated
	// Future: not valid yet (a header too far ahead of the clock).
	Future
	// Unconnected: the parent is not known.
	Unconnected
	// Policy: valid in a block, but not wanted in the mempool.
	Policy
)

// RuleError is a broken rule: the fault of whoever made the object. It is a
// value; compare Code, not text.
type RuleError struct {
	Code   Code
	Kind   Kind
	Detail string // one line for a person; may be empty
}

// Error gives "code", "code, detail" or, where the detail begins with a reason
// in brackets, "code (reason)…": the forms of Core's reject reasons.
func (e *RuleError) Error() string {
	switch {
	case e.Detail == "":
		return string(e.Code)
	case e.Detail[0] == '(':
		return string(e.Code) + " " + e.Detail
	}
	return string(e.Code) + ", " + e.Detail
}

// Rule makes a consensus RuleError with a formatted detail.
func Rule(code Code, format string, args ...any) error {
	return RuleKind(Consensus, code, format, args...)
}

// RuleKind makes a RuleError of the given kind.
func RuleKind(kind Kind, code Code, format string, args ...any) error {
	return &RuleError{Code: code, Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// AsRule finds the RuleError inside err, or nil if err is not one.
func AsRule(err error) *RuleError {
	var rule *RuleError
	if errors.As(err, &rule) {
		return rule
	}
	return nil
}

// CodeOf gives the code of the RuleError inside err, or "" if there is none.
func CodeOf(err error) Code {
	if rule := AsRule(err); rule != nil {
		return rule.Code
	}
	return ""
}

// Must panics unless ok: a promise of our own code is broken and going on
// would risk state. It is always on. Input of a peer or a person never
// reaches it.
func Must(ok bool, format string, args ...any) {
	if !ok {
		panic("granary: broken promise: " + fmt.Sprintf(format, args...))
	}
}

var assumptions atomic.Uint64

// Assume counts a broken expectation that is safe to survive; tests and
// metrics read the count with BrokenAssumptions.
func Assume(ok bool) {
	if !ok {
		assumptions.Add(1)
	}
}

// BrokenAssumptions is how often Assume was given false in this process.
func BrokenAssumptions() uint64 { return assumptions.Load() }

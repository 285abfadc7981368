package rpc

import (
	"context"
	"encoding/hex"
	"strconv"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/params"
)

// call is one running request: its arguments in the table's order, already of
// the table's types, and the services to hand them to.
type call struct {
	*Services
	ctx    context.Context
	server *Server
	method *Method
	args   []Value
	user   string
}

// arg gives the argument of that name; Null where it was not given.
func (c *call) arg(name string) Value {
	for i := range c.method.Params {
		if c.method.Params[i].Name == name {
			return c.args[i]
		}
	}
	check.Must(false, "method %s has no parameter %s", c.method.Name, name)
	return Value{}
}

// text gives a string argument, fallback where it is absent.
func (c *call) text(name, fallback string) string {
	if v := c.arg(name); !v.IsNull() {
		return v.text
	}
	return fallback
}

// flag gives a boolean argument.
func (c *call) flag(name string, fallback bool) bool {
	if v := c.arg(name); !v.IsNull() {
		return v.truth
	}
	return fallback
}

// integer gives a whole number that fits 64 bits, fallback where it is absent.
func (c *call) integer(name string, fallback int64) (int64, error) {
	v := c.arg(name)
	if v.IsNull() {
		return fallback, nil
	}
	return v.int64()
}

// int32 is integer within 32 bits (heights, counts).
func (c *call) int32(name string, fallback int32) (int32, error) {
	n, err := c.integer(name, int64(fallback))
	if err == nil && int64(int32(n)) != n {
		return 0, errIntegerRange
	}
	return int32(n), err
}

var errIntegerRange = errorf(CodeMisc, "JSON integer out of range")

func (v Value) int64() (int64, error) {
	if v.kind != Number {
		return 0, errorf(CodeType, "%s", mismatch(v.kind, "number"))
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil {
		return 0, errIntegerRange
	}
	return n, nil
}

// verbosity gives a level that may have been asked for as a boolean.
func (c *call) verbosity(name string, fallback int64) (int64, error) {
	v := c.arg(name)
	if v.kind == Bool {
		if v.truth {
			return 1, nil
		}
		return 0, nil
	}
	return c.integer(name, fallback)
}

// hash gives a required hash argument.
func (c *call) hash(name string) (chainhash.Hash, error) { return c.arg(name).hash(name) }

func (v Value) hash(name string) (hash chainhash.Hash, err error) {
	if v.kind != String {
		return hash, errorf(CodeType, "%s", mismatch(v.kind, "string"))
	}
	if len(v.text) != 2*chainhash.HashSize {
		return hash, errorf(CodeInvalidParameter, "%s must be of length %d (not %d, for '%s')",
			name, 2*chainhash.HashSize, len(v.text), clip(v.text))
	}
	raw, err := hex.DecodeString(v.text)
	if err != nil {
		return hash, errorf(CodeInvalidParameter, "%s must be hexadecimal string (not '%s')", name, clip(v.text))
	}
	for i := range raw {
		hash[len(raw)-1-i] = raw[i]
	}
	return hash, nil
}

// bytes gives a hex argument as bytes.
func (c *call) bytes(name string) ([]byte, error) { return c.arg(name).bytes(name) }

func (v Value) bytes(name string) ([]byte, error) {
	if v.kind != String {
		return nil, errorf(CodeType, "%s", mismatch(v.kind, "string"))
	}
	raw, err := hex.DecodeString(v.text)
	if err != nil {
		return nil, errorf(CodeInvalidParameter, "%s must be hexadecimal string (not '%s')", name, clip(v.text))
	}
	return raw, nil
}

// units gives an amount of coins in units.
func (v Value) units() (int64, error) {
	if v.kind != Number && v.kind != String {
		return 0, errorf(CodeType, "Amount is not a number or string")
	}
	units, ok := parseAmount(v.text)
	if !ok {
		return 0, errorf(CodeType, "Invalid amount")
	}
	if units < 0 || units > params.MaxMoneyUnits {
		return 0, errorf(CodeType, "Amount out of range")
	}
	return units, nil
}

// unitsOr gives an amount argument, fallback where it is absent.
func (c *call) unitsOr(name string, fallback int64) (int64, error) {
	v := c.arg(name)
	if v.IsNull() {
		return fallback, nil
	}
	return v.units()
}

// clip keeps an echo of hostile input short.
func clip(s string) string {
	const most = 128
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

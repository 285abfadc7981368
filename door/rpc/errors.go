package rpc

import (
	"fmt"

	"granary/base/check"
)

// Error codes of the JSON-RPC specification and of Bitcoin Core's protocol.
const (
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInternal       = -32603
	CodeParse          = -32700

	CodeMisc             = -1
	CodeType             = -3
	CodeInvalidAddress   = -5 // an address, key, block or transaction is unknown
	CodeOutOfMemory      = -7
	CodeInvalidParameter = -8
	CodeDatabase         = -20
	CodeDeserialization  = -22
	CodeVerify           = -25 // also: transaction error
	CodeVerifyRejected   = -26
	CodeAlreadyInChain   = -27
	CodeInWarmup         = -28
)

// Error is an answer of the door: a code of the list above and one line for a
// person.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

func errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// asError turns what a handler returned into an answer: an *Error goes out
// as it is, a broken rule becomes −25 with its reject reason, anything else
// is the world's fault and becomes −1.
func asError(err error) *Error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // handlers return it bare
		return e
	}
	if rule := check.AsRule(err); rule != nil {
		return errorf(CodeVerify, "%s", rule.Error())
	}
	return errorf(CodeMisc, "%s", err.Error())
}

package rest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"granary/door/rpc"
)

// Caller runs the methods of the JSON-RPC door.
type Caller interface {
	Call(ctx context.Context, method string, args ...rpc.Value) (json.RawMessage, *rpc.Error)
}

var _ Caller = (*rpc.Server)(nil)

// New makes the handler of everything below /rest/. It is safe for concurrent
// use.
func New(c Caller) http.Handler { return &handler{c} }

type handler struct{ caller Caller }

// request is one request on its way.
type request struct {
	*handler
	w    http.ResponseWriter
	r    *http.Request
	path []string // behind /rest/NAME/, without the ending
	form string   // json, hex, bin, or empty
}

// failure is an answer in words.
type failure struct {
	status int
	text   string
}

func bad(format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func missing(format string, args ...any) *failure {
	return &failure{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// routes are the names behind /rest/.
var routes = map[string]func(*request) *failure{
	"tx": (*request).tx, "block": (*request).block, "headers": (*request).headers,
	"blockhashbyheight": (*request).blockHash, "chaininfo": (*request).chainInfo,
	"deploymentinfo": (*request).deployments, "mempool": (*request).mempool, "getutxos": (*request).utxos,
	"blockfilter": (*request).filter, "blockfilterheaders": (*request).filterHeaders,
}

// maxPathChars is far beyond the longest path that says something.
const maxPathChars = 4 << 10

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{handler: h, w: w, r: r}
	if f := q.answer(); f != nil {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(f.status)
		fmt.Fprintf(w, "%s\r\n", f.text) //nolint:errcheck // the client has gone
	}
}

func (q *request) answer() *failure {
	if q.r.Method != http.MethodGet && q.r.Method != http.MethodPost {
		return &failure{http.StatusMethodNotAllowed, "only GET and POST are answered"}
	}
	if len(q.r.URL.Path) > maxPathChars {
		return bad("Invalid URI format: too long")
	}
	rest := strings.TrimPrefix(q.r.URL.Path, "/rest/")
	if at := strings.LastIndexByte(rest, '.'); at >= 0 {
		switch form := rest[at+1:]; form {
		case "json", "hex", "bin":
			rest, q.form = rest[:at], form
		}
	}
	parts := strings.Split(rest, "/")
	route := routes[parts[0]]
	if route == nil {
		return missing("no such resource")
	}
	q.path = parts[1:]
	return route(q)
}

// formats are what can stand behind the point, for errors.
const (
	allFormats = "output format not found (available: .bin, .hex, .json)"
	onlyJSON   = "output format not found (available: json)"
)

// call runs a method; a refusal becomes the status that fits it.
func (q *request) call(method string, args ...rpc.Value) (json.RawMessage, *failure) {
	raw, e := q.caller.Call(q.r.Context(), method, args...)
	switch {
	case e == nil:
		return raw, nil
	case e.Code == rpc.CodeInWarmup:
		return nil, &failure{http.StatusServiceUnavailable, "Service temporarily unavailable: " + e.Message}
	case e.Code == rpc.CodeInvalidAddress:
		return nil, missing("%s", e.Message)
	case e.Code == rpc.CodeInternal:
		return nil, &failure{http.StatusInternalServerError, e.Message}
	}
	return nil, bad("%s", e.Message)
}

// callHex runs a method that answers with hex.
func (q *request) callHex(method string, args ...rpc.Value) ([]byte, *failure) {
	raw, f := q.call(method, args...)
	if f != nil {
		return nil, f
	}
	text := strings.Trim(string(raw), `"`)
	out, err := hex.DecodeString(text)
	if err != nil {
		return nil, &failure{http.StatusInternalServerError, method + " gave no hex"}
	}
	return out, nil
}

func (q *request) json(raw []byte) *failure {
	return q.send("application/json", append(raw[:len(raw):len(raw)], '\n'))
}

// bytes sends binary data in the form that was asked for; shown is what .hex
// says where it is not simply the bytes.
func (q *request) bytes(raw []byte, shown string) *failure {
	if q.form == "bin" {
		return q.send("application/octet-stream", raw)
	}
	if shown == "" {
		shown = hex.EncodeToString(raw)
	}
	return q.send("text/plain", []byte(shown+"\n"))
}

func (q *request) send(kind string, body []byte) *failure {
	q.w.Header().Set("Content-Type", kind)
	q.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	q.w.Header().Set("X-Content-Type-Options", "nosniff")
	q.w.Write(body) //nolint:errcheck // the client has gone
	return nil
}

// validHash reports 64 hex digits.
func validHash(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == 32
}

// clip keeps an echo of hostile input short and in one line.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// oneHash takes a path of exactly one hash.
func (q *request) oneHash() (rpc.Value, *failure) {
	text := strings.Join(q.path, "/")
	if len(q.path) != 1 || !validHash(text) {
		return rpc.Value{}, bad("Invalid hash: %s", clip(text))
	}
	return rpc.StringValue(text), nil
}

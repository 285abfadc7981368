package rpc

import (
	"slices"
	"strings"
)

// request is one call as it came: decoded, not yet matched against the table.
type request struct {
	v2     bool  // "jsonrpc": "2.0"; anything else is the legacy form
	id     Value // echoed as it came
	hasID  bool
	method string
	params Value // an Array (also where absent or null) or an Object
}

// notification reports a call that gets no answer: 2.0 without an id.
func (r *request) notification() bool { return r.v2 && !r.hasID }

// parse reads one call. Fields are filled as far as they could be read, so
// that an error can be answered in the caller's version and with its id.
func (r *request) parse(v Value) *Error {
	*r = request{params: Value{kind: Array}}
	if v.kind != Object {
		return errorf(CodeInvalidRequest, "Invalid Request object")
	}
	r.id, r.hasID = v.Get("id")
	switch version, _ := v.Get("jsonrpc"); {
	case version.IsNull() || (version.kind == String && version.text == "1.0"):
	case version.kind != String:
		return errorf(CodeInvalidRequest, "jsonrpc field must be a string")
	case version.text == "2.0":
		r.v2 = true
	default:
		return errorf(CodeInvalidRequest, "JSON-RPC version not supported")
	}
	switch method, _ := v.Get("method"); {
	case method.IsNull():
		return errorf(CodeInvalidRequest, "Missing method")
	case method.kind != String:
		return errorf(CodeInvalidRequest, "Method must be a string")
	default:
		r.method = method.text
	}
	switch given, _ := v.Get("params"); given.kind {
	case Null:
	case Array, Object:
		r.params = given
	default:
		return errorf(CodeInvalidRequest, "Params must be an array or object")
	}
	return nil
}

// appendReply writes the answer to r in the version it was asked in.
func (r *request) appendReply(dst, result []byte, failure *Error) []byte {
	dst = append(dst, '{')
	if r.v2 {
		dst = append(dst, `"jsonrpc":"2.0",`...)
	}
	switch {
	case failure == nil:
		dst = append(append(dst, `"result":`...), result...)
		if !r.v2 {
			dst = append(dst, `,"error":null`...)
		}
	default:
		if !r.v2 {
			dst = append(dst, `"result":null,`...)
		}
		dst = append(dst, `"error":`...)
		dst = append(dst, failure.json()...)
	}
	dst = append(dst, `,"id":`...)
	return append(r.id.AppendJSON(dst), '}')
}

func (e *Error) json() []byte {
	raw, err := marshal(object{{"code", e.Code}, {"message", e.Message}})
	if err != nil {
		return []byte(`{"code":-32603,"message":"internal error"}`)
	}
	return raw
}

// bind brings the parameters of a call into the table's order: one Value for
// each parameter of the method, Null where absent. named calls may carry
// positional ones under "args", as Core's command line sends them.
func (m *Method) bind(params Value) ([]Value, *Error) {
	given := params.items
	if params.kind == Object {
		var failure *Error
		if given, failure = m.bindNamed(params); failure != nil {
			return nil, failure
		}
	}
	if len(given) > len(m.Params) || len(given) < m.required() {
		return nil, errorf(CodeMisc, "%s", m.Help())
	}
	args := make([]Value, len(m.Params))
	copy(args, given)
	return args, m.checkTypes(args)
}

func (m *Method) required() int {
	for i := len(m.Params); i > 0; i-- {
		if !m.Params[i-1].Optional {
			return i
		}
	}
	return 0
}

func (m *Method) bindNamed(params Value) ([]Value, *Error) {
	left := make(map[string]Value, len(params.keys))
	order := make([]string, 0, len(params.keys))
	for i, key := range params.keys {
		if _, twice := left[key]; twice {
			return nil, errorf(CodeInvalidParameter, "Parameter %s specified multiple times", key)
		}
		left[key] = params.items[i]
		order = append(order, key)
	}
	var named []Value
	first, firstName := -1, ""
	for i := range m.Params {
		for _, name := range m.Params[i].names() {
			v, ok := left[name]
			if !ok {
				continue
			}
			if first < 0 {
				first, firstName = i, m.Params[i].Name
			}
			named = append(named, make([]Value, i-len(named))...)
			named = append(named, v)
			delete(left, name)
			break
		}
	}
	if positional, ok := left["args"]; ok && positional.kind == Array {
		delete(left, "args")
		if first >= 0 && first < positional.Len() {
			return nil, errorf(CodeInvalidParameter,
				"Parameter %s specified twice both as positional and named argument", firstName)
		}
		merged := slices.Clone(positional.items)
		if len(named) > len(merged) {
			merged = append(merged, named[len(merged):]...)
		}
		named = merged
	}
	for _, key := range order {
		if _, unknown := left[key]; unknown {
			return nil, errorf(CodeInvalidParameter, "Unknown named parameter %s", key)
		}
	}
	return named, nil
}

// checkTypes compares each given argument with the table. All mismatches are
// named in one error.
func (m *Method) checkTypes(args []Value) *Error {
	var wrong []string
	for i, arg := range args {
		p := &m.Params[i]
		if arg.IsNull() && p.Optional {
			continue
		}
		if want, ok := p.Type.accepts(arg.kind); !ok {
			wrong = append(wrong, `    "Position `+itoa(i+1)+` (`+p.Name+`)": "`+mismatch(arg.kind, want)+`"`)
		}
	}
	if wrong == nil {
		return nil
	}
	return errorf(CodeType, "Wrong type passed:\n{\n%s\n}", strings.Join(wrong, ",\n"))
}

func mismatch(got Kind, want string) string {
	return "JSON value of type " + got.String() + " is not of expected type " + want
}

package rpc

import (
	"fmt"
	"strings"
)

// ConvertArgs turns the words of a command line into the params of a call, as
// bitcoin-cli does: by the table, a word for a string parameter stays a
// string, any other must be JSON. Words beyond the table, and all words of an
// unknown method, are taken as JSON where they are, else as strings, so that
// the node can judge them. The result is a JSON array.
func ConvertArgs(method string, words []string) (Value, error) {
	m := methodTable()[method]
	out := Value{kind: Array}
	for i, word := range words {
		var p *Param
		if m != nil && i < len(m.Params) {
			p = &m.Params[i]
		}
		v, err := convertWord(p, word)
		if err != nil {
			return Value{}, err
		}
		out.items = append(out.items, v)
	}
	return out, nil
}

// ConvertNamedArgs does the same for name=value words. Words without an equals
// sign become positional ones under "args". The result is a JSON object.
func ConvertNamedArgs(method string, words []string) (Value, error) {
	m := methodTable()[method]
	out, positional := Value{kind: Object}, []string(nil)
	for _, word := range words {
		name, text, named := strings.Cut(word, "=")
		if !named {
			positional = append(positional, word)
			continue
		}
		v, err := convertWord(m.param(name), text)
		if err != nil {
			return Value{}, err
		}
		out.keys, out.items = append(out.keys, name), append(out.items, v)
	}
	if positional != nil {
		args, err := ConvertArgs(method, positional)
		if err != nil {
			return Value{}, err
		}
		out.keys, out.items = append(out.keys, "args"), append(out.items, args)
	}
	return out, nil
}

func (m *Method) param(name string) *Param {
	if m == nil {
		return nil
	}
	for i := range m.Params {
		for _, n := range m.Params[i].names() {
			if n == name {
				return &m.Params[i]
			}
		}
	}
	return nil
}

func convertWord(p *Param, word string) (Value, error) {
	if p != nil && paramTypes[p.Type].textual {
		return StringValue(word), nil
	}
	v, err := ParseJSON([]byte(word))
	if err == nil {
		return v, nil
	}
	if p == nil || p.Type == HashOrHeight || p.Type == Amount {
		return StringValue(word), nil
	}
	return Value{}, fmt.Errorf("argument %s: %q is not %s", p.Name, word, paramTypes[p.Type].help)
}

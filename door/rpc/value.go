package rpc

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind is the type of a JSON value.
type Kind uint8

// The six types of JSON.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String gives the word that type errors use.
func (k Kind) String() string {
	return [...]string{"null", "bool", "number", "string", "array", "object"}[k]
}

// Value is a decoded JSON value. Numbers keep their text, so that no amount
// ever passes through a float; objects keep the order of their keys and do
// not fold them. A Value is read-only after ParseJSON.
type Value struct {
	kind  Kind
	truth bool
	text  string   // of a String (unescaped) or a Number (as written)
	keys  []string // of an Object, beside items
	items []Value
}

// Bounds of one JSON text. Depth is far above what any method takes; the
// count bounds memory where a short text holds very many values.
const (
	maxJSONDepth  = 64
	maxJSONValues = 1 << 18
)

var errJSON = errors.New("not a JSON text")

// ParseJSON decodes one JSON text strictly (RFC 8259): valid UTF-8, nothing
// behind the value, at most 64 levels deep and a quarter of a million values.
func ParseJSON(text []byte) (Value, error) {
	p := jsonParser{text: text}
	v, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	p.space()
	if p.at != len(text) {
		return Value{}, errJSON
	}
	return v, nil
}

// Get finds the first item under key in an object; a null Value where there
// is none.
func (v Value) Get(key string) (Value, bool) {
	for i, k := range v.keys {
		if k == key {
			return v.items[i], true
		}
	}
	return Value{}, false
}

// Len is the number of items of an array or object.
func (v Value) Len() int { return len(v.items) }

// IsNull reports a JSON null or an absent value.
func (v Value) IsNull() bool { return v.kind == Null }

// AppendJSON writes the value as compact JSON.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(dst, v.truth)
	case Number:
		return append(dst, v.text...)
	case String:
		return appendString(dst, v.text)
	case Array, Object:
		brackets := "[]"
		if v.kind == Object {
			brackets = "{}"
		}
		dst = append(dst, brackets[0])
		for i := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			if v.kind == Object {
				dst = append(appendString(dst, v.keys[i]), ':')
			}
			dst = v.items[i].AppendJSON(dst)
		}
		return append(dst, brackets[1])
	default:
		return append(dst, "null"...)
	}
}

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// StringValue makes a JSON string of text; invalid UTF-8 is replaced.
func StringValue(text string) Value { return Value{kind: String, text: text} }

// IntValue makes a JSON number.
func IntValue(n int64) Value { return Value{kind: Number, text: strconv.FormatInt(n, 10)} }

// BoolValue makes a JSON boolean.
func BoolValue(truth bool) Value { return Value{kind: Bool, truth: truth} }

// appendString quotes s; control characters and what would end a script
// element in a careless page are escaped, invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r < 0x20 || r == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

type jsonParser struct {
	text   []byte
	at     int
	values int
}

func (p *jsonParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonParser) value(depth int) (Value, error) {
	p.space()
	p.values++
	if p.at >= len(p.text) || depth > maxJSONDepth || p.values > maxJSONValues {
		return Value{}, errJSON
	}
	switch c := p.text[p.at]; c {
	case '{', '[':
		return p.container(c, depth)
	case '"':
		text, err := p.quoted()
		return Value{kind: String, text: text}, err
	case 't':
		return Value{kind: Bool, truth: true}, p.word("true")
	case 'f':
		return Value{kind: Bool}, p.word("false")
	case 'n':
		return Value{}, p.word("null")
	default:
		return p.number()
	}
}

func (p *jsonParser) word(w string) error {
	if len(p.text)-p.at < len(w) || string(p.text[p.at:p.at+len(w)]) != w {
		return errJSON
	}
	p.at += len(w)
	return nil
}

func (p *jsonParser) container(open byte, depth int) (Value, error) {
	v, end := Value{kind: Array}, byte(']')
	if open == '{' {
		v.kind, end = Object, '}'
	}
	p.at++
	p.space()
	if p.at < len(p.text) && p.text[p.at] == end {
		p.at++
		return v, nil
	}
	for {
		if v.kind == Object {
			key, err := p.key()
			if err != nil {
				return Value{}, err
			}
			v.keys = append(v.keys, key)
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		v.items = append(v.items, item)
		p.space()
		if p.at >= len(p.text) {
			return Value{}, errJSON
		}
		c := p.text[p.at]
		p.at++
		if c == end {
			return v, nil
		}
		if c != ',' {
			return Value{}, errJSON
		}
	}
}

func (p *jsonParser) key() (string, error) {
	p.space()
	if p.at >= len(p.text) || p.text[p.at] != '"' {
		return "", errJSON
	}
	key, err := p.quoted()
	if err != nil {
		return "", err
	}
	p.space()
	return key, p.word(":")
}

// quoted reads a string from its opening quote.
func (p *jsonParser) quoted() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != '"' && p.text[p.at] != '\\' && p.text[p.at] >= 0x20 {
		p.at++
	}
	plain := p.text[start:p.at]
	if !utf8.Valid(plain) || p.at >= len(p.text) || p.text[p.at] < 0x20 {
		return "", errJSON
	}
	if p.text[p.at] == '"' {
		p.at++
		return string(plain), nil
	}
	return p.escaped(append([]byte(nil), plain...))
}

// escaped goes on with a string from its first backslash.
func (p *jsonParser) escaped(out []byte) (string, error) {
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			p.at++
			if !utf8.Valid(out) {
				return "", errJSON
			}
			return string(out), nil
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		case c < 0x20:
			return "", errJSON
		default:
			out = append(out, c)
			p.at++
		}
	}
	return "", errJSON
}

var simpleEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

func (p *jsonParser) escape() (rune, error) {
	if p.at+1 >= len(p.text) {
		return 0, errJSON
	}
	c := p.text[p.at+1]
	if r, ok := simpleEscapes[c]; ok {
		p.at += 2
		return r, nil
	}
	first, err := p.hexEscape()
	if err != nil {
		return 0, err
	}
	if !utf16.IsSurrogate(first) {
		return first, nil
	}
	second, err := p.hexEscape()
	if err != nil {
		return 0, err
	}
	r := utf16.DecodeRune(first, second)
	if r == utf8.RuneError {
		return 0, errJSON
	}
	return r, nil
}

// hexEscape reads \uXXXX.
func (p *jsonParser) hexEscape() (rune, error) {
	if len(p.text)-p.at < 6 || p.text[p.at] != '\\' || p.text[p.at+1] != 'u' {
		return 0, errJSON
	}
	n, err := strconv.ParseUint(string(p.text[p.at+2:p.at+6]), 16, 16)
	if err != nil {
		return 0, errJSON
	}
	p.at += 6
	return rune(n), nil
}

// number reads -?int frac? exp? and keeps its text.
func (p *jsonParser) number() (Value, error) {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	switch c := p.peek(); {
	case c == '0':
		p.at++
	case c >= '1' && c <= '9':
		p.digits()
	default:
		return Value{}, errJSON
	}
	if p.peek() == '.' {
		p.at++
		if !p.digits() {
			return Value{}, errJSON
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if !p.digits() {
			return Value{}, errJSON
		}
	}
	return Value{kind: Number, text: string(p.text[start:p.at])}, nil
}

func (p *jsonParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *jsonParser) digits() bool {
	start := p.at
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.at++
	}
	return p.at > start
}

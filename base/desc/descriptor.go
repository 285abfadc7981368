package desc

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
)

// maxTextBytes bounds a descriptor's text: a raw script of 10,000 bytes fits.
const maxTextBytes = 32 << 10

// Descriptor is a parsed descriptor of one chain. It is immutable and safe
// for concurrent use.
type Descriptor struct {
	text string // without checksum
	node node
}

// node is one expression; script gives the output script of index.
type node interface {
	script(index uint32) ([]byte, error)
	isRange() bool
}

// Parse reads a descriptor, with or without its checksum, for the given
// chain. A wrong checksum, an unknown form and a key of another network are
// refused with an error that says what to do.
func Parse(text string, chain *chaincfg.Params) (*Descriptor, error) {
	if len(text) > maxTextBytes {
		return nil, fmt.Errorf("descriptor of %d characters: at most %d are allowed", len(text), maxTextBytes)
	}
	body, err := cutChecksum(text)
	if err != nil {
		return nil, err
	}
	p := parser{chain: chain}
	n, err := p.expression(body, top)
	if err != nil {
		return nil, err
	}
	d := &Descriptor{text: body, node: n}
	if _, err := d.Script(0); err != nil {
		return nil, err
	}
	return d, nil
}

// IsRange reports whether the descriptor ends its keys with /* and so gives
// another script for every index.
func (d *Descriptor) IsRange() bool { return d.node.isRange() }

// Script gives the output script; index picks one of a range, below 2^31, and
// is ignored otherwise. The caller owns the result.
func (d *Descriptor) Script(index uint32) ([]byte, error) {
	if d.IsRange() && index >= hdkeychain.HardenedKeyStart {
		return nil, fmt.Errorf("descriptor index %d: at most 2147483647", index)
	}
	return d.node.script(index)
}

// String is the descriptor as written, with its checksum.
func (d *Descriptor) String() string {
	text, err := AddChecksum(d.text)
	if err != nil {
		return d.text // unreachable: Parse computed the checksum
	}
	return text
}

// place says where an expression stands, which decides the forms it may have.
type place uint8

const (
	top place = iota
	inSh
	inWsh
)

type parser struct{ chain *chaincfg.Params }

// refused are forms that exist elsewhere, with the reason they are not here.
var refused = map[string]string{
	"combo":         "it names several scripts: write the one you mean",
	"rawtr":         "an untweaked taproot key is not supported: use tr(KEY)",
	"multi_a":       "tapscript trees are not supported: use wsh(multi(...))",
	"sortedmulti_a": "tapscript trees are not supported: use wsh(sortedmulti(...))",
	"musig":         "aggregate keys are not supported: give the aggregate as tr(KEY)",
}

func (p *parser) expression(text string, at place) (node, error) {
	name, rest, found := strings.Cut(text, "(")
	if !found || !strings.HasSuffix(rest, ")") {
		return nil, fmt.Errorf("descriptor %.60q: expected NAME(...), such as wpkh(KEY) or addr(ADDRESS)", text)
	}
	inner := rest[:len(rest)-1]
	switch name {
	case "addr", "raw":
		if at == top {
			return p.literal(name, inner)
		}
	case "pk", "pkh":
		return p.single(name, inner, keyRules{compressedOnly: at == inWsh})
	case "wpkh":
		if at != inWsh {
			return p.single(name, inner, keyRules{compressedOnly: true})
		}
	case "tr":
		if at == top {
			return p.taproot(inner)
		}
	case "multi", "sortedmulti":
		return p.multi(name == "sortedmulti", inner, at)
	case "sh":
		if at == top {
			return p.wrapped(inner, inSh)
		}
	case "wsh":
		if at != inWsh {
			return p.wrapped(inner, inWsh)
		}
	default:
		if reason, known := refused[name]; known {
			return nil, fmt.Errorf("descriptor form %s(): %s", name, reason)
		}
		return nil, fmt.Errorf("unknown descriptor form %.20q: known are addr, raw, pk, pkh, wpkh, sh, wsh, multi, sortedmulti, tr", name)
	}
	return nil, fmt.Errorf("descriptor form %s() cannot stand inside %s", name, map[place]string{inSh: "sh()", inWsh: "wsh()"}[at])
}

func (p *parser) literal(name, inner string) (node, error) {
	if name == "addr" {
		script, err := AddressScript(inner, p.chain)
		return literal(script), err
	}
	script, err := hex.DecodeString(inner)
	if err != nil {
		return nil, fmt.Errorf("raw(%.40s): not hex: write the script's bytes as hex digits", inner)
	}
	return literal(script), nil
}

func (p *parser) single(name, inner string, rules keyRules) (node, error) {
	k, err := parseKey(inner, rules, p.chain)
	if err != nil {
		return nil, err
	}
	return &single{form: name, key: k}, nil
}

func (p *parser) taproot(inner string) (node, error) {
	if strings.Contains(inner, ",") {
		return nil, fmt.Errorf("tr() with a script tree is not supported: use tr(KEY)")
	}
	return p.single("tr", inner, keyRules{compressedOnly: true, xOnly: true})
}

func (p *parser) wrapped(inner string, at place) (node, error) {
	n, err := p.expression(inner, at)
	if err != nil {
		return nil, err
	}
	return &wrapped{inner: n, witness: at == inWsh}, nil
}

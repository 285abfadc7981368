package rpc

import (
	"strings"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"

	"granary/base/desc"
)

func getDescriptorInfo(c *call) (any, error) {
	d, err := c.descriptor("descriptor")
	if err != nil {
		return nil, err
	}
	body, _, _ := strings.Cut(c.text("descriptor", ""), "#")
	sum, err := desc.Checksum(body)
	if err != nil {
		return nil, errorf(CodeInvalidAddress, "%s", clipLong(err.Error()))
	}
	public, secret := c.publicForm(body)
	literal := strings.HasPrefix(body, "addr(") || strings.HasPrefix(body, "raw(")
	return object{
		{"descriptor", withChecksum(public)},
		{"checksum", sum},
		{"isrange", d.IsRange()},
		{"issolvable", !literal},
		{"hasprivatekeys", secret},
	}, nil
}

// publicForm writes a descriptor that parses with public keys in place of
// private ones, and reports whether there was one.
func (c *call) publicForm(body string) (public string, secret bool) {
	var out strings.Builder
	for len(body) > 0 {
		end := strings.IndexAny(body, "(),")
		if end < 0 {
			end = len(body)
		}
		word, changed := c.publicKey(body[:end])
		secret = secret || changed
		out.WriteString(word)
		if end < len(body) {
			out.WriteByte(body[end])
			end++
		}
		body = body[end:]
	}
	return out.String(), secret
}

// publicKey gives the public form of one key expression.
func (c *call) publicKey(word string) (public string, changed bool) {
	origin := ""
	if end := strings.IndexByte(word, ']'); end >= 0 {
		origin, word = word[:end+1], word[end+1:]
	}
	if key, err := decodeWIF(word, c.server.opts.Net.Chain.PrivateKeyID); err == nil {
		return origin + hexOf(key.pub()), true
	}
	head, path, _ := strings.Cut(word, "/")
	if len(head) < 5 || len(head) > 120 || head[1:4] != "prv" {
		return origin + word, false
	}
	extended, err := hdkeychain.NewKeyFromString(head)
	if err != nil || !extended.IsPrivate() {
		return origin + word, false
	}
	neutral, err := extended.Neuter()
	if err != nil {
		return origin + word, false
	}
	if path != "" {
		path = "/" + path
	}
	return origin + neutral.String() + path, true
}

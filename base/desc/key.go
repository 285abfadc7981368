package desc

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
)

// maxKeyChars bounds one key expression: origin, extended key and path.
const maxKeyChars = 1_000

// key is one KEY of a descriptor: a fixed public key, or an extended public
// key whose last step is the index of the expansion.
type key struct {
	fixed    []byte // serialized public key; nil for an extended key with *
	extended *hdkeychain.ExtendedKey
}

// keyRules says which forms of key the surrounding expression takes.
type keyRules struct {
	compressedOnly bool // inside wpkh, wsh, tr
	xOnly          bool // inside tr
}

func parseKey(text string, rules keyRules, chain *chaincfg.Params) (*key, error) {
	if len(text) > maxKeyChars {
		return nil, fmt.Errorf("key of %d characters: a key expression has at most %d", len(text), maxKeyChars)
	}
	body, err := cutOrigin(text)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(body, "<>;") {
		return nil, fmt.Errorf("key %q: multipath <...;...> is not supported: write one descriptor for each path", text)
	}
	if raw, err := hex.DecodeString(body); err == nil {
		return hexKey(body, raw, rules)
	}
	if wif, err := btcutil.DecodeWIF(body); len(body) <= 60 && err == nil {
		if !wif.IsForNet(chain) {
			return nil, fmt.Errorf("a private key of another network than %s: use a key of this one", chain.Name)
		}
		return checkCompressed(wif.SerializePubKey(), rules)
	}
	return extendedKey(body, chain)
}

// cutOrigin checks and removes "[fingerprint/path]".
func cutOrigin(text string) (string, error) {
	if !strings.HasPrefix(text, "[") {
		return text, nil
	}
	origin, body, found := strings.Cut(text[1:], "]")
	if !found {
		return "", fmt.Errorf("key %q: the origin is not closed: add ]", text)
	}
	steps := strings.Split(origin, "/")
	if raw, err := hex.DecodeString(steps[0]); err != nil || len(raw) != 4 {
		return "", fmt.Errorf("key origin %q: the fingerprint is 8 hex digits", origin)
	}
	for _, step := range steps[1:] {
		number := strings.TrimSuffix(strings.TrimSuffix(step, "'"), "h")
		if len(step)-len(number) > 1 {
			number = step
		}
		if _, err := stepNumber(number); err != nil {
			return "", fmt.Errorf("key origin %q: %w", origin, err)
		}
	}
	return body, nil
}

func stepNumber(step string) (uint32, error) {
	n, err := strconv.ParseUint(step, 10, 32)
	if err != nil || n >= hdkeychain.HardenedKeyStart {
		return 0, fmt.Errorf("path step %q is not a number from 0 to 2147483647", step)
	}
	return uint32(n), nil
}

func hexKey(body string, raw []byte, rules keyRules) (*key, error) {
	if rules.xOnly && len(raw) == 32 {
		raw = append([]byte{0x02}, raw...)
	}
	if len(raw) != 33 && len(raw) != 65 {
		return nil, fmt.Errorf("key %q: a public key has 33 bytes (65 uncompressed)", body)
	}
	if _, err := btcec.ParsePubKey(raw); err != nil || len(raw) == 65 && raw[0] != 0x04 {
		return nil, fmt.Errorf("key %q is no point of the curve: check for a typing error", body)
	}
	return checkCompressed(raw, rules)
}

func checkCompressed(raw []byte, rules keyRules) (*key, error) {
	if rules.compressedOnly && len(raw) != 33 {
		return nil, fmt.Errorf("key %x is uncompressed, which wpkh, wsh and tr refuse: use its compressed form", raw)
	}
	return &key{fixed: raw}, nil
}

func extendedKey(body string, chain *chaincfg.Params) (*key, error) {
	steps := strings.Split(body, "/")
	if len(steps[0]) > 120 {
		return nil, fmt.Errorf("key %.20q... is neither hex, WIF nor an extended key", steps[0])
	}
	ext, err := hdkeychain.NewKeyFromString(steps[0])
	if err != nil {
		return nil, fmt.Errorf("key %q is neither hex, WIF nor an extended key: check for a typing error", steps[0])
	}
	want := chain.HDPublicKeyID
	if ext.IsPrivate() {
		want = chain.HDPrivateKeyID
	}
	if [4]byte(ext.Version()) != want {
		return nil, fmt.Errorf("extended key %.16s... belongs to another network than %s: use a key of this one", steps[0], chain.Name)
	}
	if ext.IsPrivate() {
		if ext, err = ext.Neuter(); err != nil {
			return nil, fmt.Errorf("extended key %.16s...: its network is unknown to key derivation: use the extended public key", steps[0])
		}
	}
	return derivePath(ext, steps[1:])
}

func derivePath(ext *hdkeychain.ExtendedKey, steps []string) (*key, error) {
	for i, step := range steps {
		if step == "*" && i == len(steps)-1 {
			if _, err := ext.Derive(0); err != nil {
				return nil, fmt.Errorf("path step %q: %w", step, err)
			}
			return &key{extended: ext}, nil
		}
		if strings.HasSuffix(step, "'") || strings.HasSuffix(step, "h") {
			return nil, fmt.Errorf("path step %q is hardened: only public derivation is supported, give the extended key below it", step)
		}
		number, err := stepNumber(step)
		if err != nil {
			return nil, err
		}
		if ext, err = ext.Derive(number); err != nil {
			return nil, fmt.Errorf("path step %q: %w", step, err)
		}
	}
	pub, err := ext.ECPubKey()
	if err != nil {
		return nil, fmt.Errorf("extended key: %w", err)
	}
	return &key{fixed: pub.SerializeCompressed()}, nil
}

// at gives the serialized public key for one index of the expansion.
func (k *key) at(index uint32) ([]byte, error) {
	if k.extended == nil {
		return k.fixed, nil
	}
	child, err := k.extended.Derive(index)
	if err != nil {
		return nil, fmt.Errorf("deriving key %d: %w: use the next index", index, err)
	}
	pub, err := child.ECPubKey()
	if err != nil {
		return nil, fmt.Errorf("deriving key %d: %w", index, err)
	}
	return pub.SerializeCompressed(), nil
}

//go:build libsecp256k1

package sig

/*
#cgo pkg-config: libsecp256k1
#include <string.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>

typedef struct {
	unsigned char kind;       // 0: skip, 1: ECDSA, 2: Schnorr
	unsigned char key_length;
	unsigned char verdict;
	unsigned char key[65];
	unsigned char sig[64];    // R and S, big-endian
	unsigned char digest[32];
} granary_check;

static int granary_ecdsa(const secp256k1_context *ctx, const granary_check *c) {
	secp256k1_ecdsa_signature sig;
	secp256k1_pubkey key;
	if (!secp256k1_ec_pubkey_parse(ctx, &key, c->key, c->key_length)) return 0;
	if (!secp256k1_ecdsa_signature_parse_compact(ctx, &sig, c->sig)) return 0;
	secp256k1_ecdsa_signature_normalize(ctx, &sig, &sig);
	return secp256k1_ecdsa_verify(ctx, &sig, c->digest, &key);
}

static int granary_schnorr(const secp256k1_context *ctx, const granary_check *c) {
	secp256k1_xonly_pubkey key;
	if (!secp256k1_xonly_pubkey_parse(ctx, &key, c->key)) return 0;
	return secp256k1_schnorrsig_verify(ctx, c->sig, c->digest, 32, &key);
}

static void granary_verify(const secp256k1_context *ctx, granary_check *checks, size_t n) {
	for (size_t i = 0; i < n; i++) {
		granary_check *c = &checks[i];
		switch (c->kind) {
		case 1: c->verdict = granary_ecdsa(ctx, c); break;
		case 2: c->verdict = granary_schnorr(ctx, c); break;
		default: c->verdict = 0;
		}
	}
}

// A context of our own runs the library's self test once.
static secp256k1_context *granary_context(void) {
	return secp256k1_context_create(SECP256K1_CONTEXT_NONE);
}
*/
import "C"

import "sync"

// libsecpEngine calls the C library libsecp256k1 (0.2 or newer) for a whole
// batch at a time. It is built in by the tag "libsecp256k1" only.
type libsecpEngine struct {
	context *C.secp256k1_context // read-only after it is made
	scratch *sync.Pool
}

var _ Engine = libsecpEngine{}

// libsecp is made once; its context lives as long as the process.
var libsecp = sync.OnceValue(func() libsecpEngine {
	return libsecpEngine{
		context: C.granary_context(),
		scratch: &sync.Pool{New: func() any { return new([]C.granary_check) }},
	}
})

// tagged gives the engines that build tags add.
func tagged() []Engine { return []Engine{libsecp()} }

// Name implements Engine.
func (libsecpEngine) Name() string { return "libsecp256k1" }

// Verify implements Engine.
func (e libsecpEngine) Verify(checks []Check, verdicts []bool) {
	if len(checks) == 0 {
		return
	}
	scratch := e.scratch.Get().(*[]C.granary_check)
	defer e.scratch.Put(scratch)
	if cap(*scratch) < len(checks) {
		*scratch = make([]C.granary_check, max(len(checks), PreferredBatch))
	}
	flat := (*scratch)[:len(checks)]
	for i := range checks {
		flatten(&checks[i], &flat[i])
	}
	C.granary_verify(e.context, &flat[0], C.size_t(len(flat)))
	for i := range flat {
		verdicts[i] = flat[i].verdict != 0
	}
}

// flatten copies a check into the C form, without pointers; a malformed one
// becomes a check to skip.
func flatten(c *Check, to *C.granary_check) {
	to.kind, to.verdict = 0, 0
	var signature [64]byte
	switch c.Kind {
	case ECDSA:
		r, s, ok := ParseDERLax(c.Sig)
		if !ok || (len(c.PubKey) != 33 && len(c.PubKey) != 65) {
			return
		}
		copy(signature[:32], r[:])
		copy(signature[32:], s[:])
		to.kind = 1
	case Schnorr:
		if len(c.PubKey) != 32 || len(c.Sig) != 64 {
			return
		}
		copy(signature[:], c.Sig)
		to.kind = 2
	default:
		return
	}
	to.key_length = C.uchar(len(c.PubKey))
	for i, b := range c.PubKey {
		to.key[i] = C.uchar(b)
	}
	for i, b := range signature {
		to.sig[i] = C.uchar(b)
	}
	for i, b := range c.Digest {
		to.digest[i] = C.uchar(b)
	}
}

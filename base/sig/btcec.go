package sig

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

// btcecEngine is the portable engine, pure Go on btcec's field arithmetic. It
// verifies one signature after the other.
type btcecEngine struct{}

var _ Engine = btcecEngine{}

// Name implements Engine.
func (btcecEngine) Name() string { return "btcec" }

// Verify implements Engine.
func (btcecEngine) Verify(checks []Check, verdicts []bool) {
	for i := range checks {
		c := &checks[i]
		switch c.Kind {
		case ECDSA:
			verdicts[i] = btcecECDSA(c)
		case Schnorr:
			verdicts[i] = btcecSchnorr(c)
		default:
			verdicts[i] = false
		}
	}
}

func btcecECDSA(c *Check) bool {
	rBytes, sBytes, ok := ParseDERLax(c.Sig)
	if !ok {
		return false
	}
	var r, s btcec.ModNScalar
	if r.SetBytes(&rBytes) != 0 || s.SetBytes(&sBytes) != 0 {
		return false
	}
	key, err := btcec.ParsePubKey(c.PubKey)
	if err != nil {
		return false
	}
	// Zero R or S and both forms of S are Verify's to judge.
	return ecdsa.NewSignature(&r, &s).Verify(c.Digest[:], key)
}

// challengePrefix is BIP340's tag hash, twice: the start of every challenge.
var challengePrefix = func() (prefix [64]byte) {
	tag := sha256.Sum256([]byte("BIP0340/challenge"))
	copy(prefix[:32], tag[:])
	copy(prefix[32:], tag[:])
	return prefix
}()

// btcecSchnorr is BIP340's Verify. It is written out here because btcec's own
// reduces an S beyond the group order instead of refusing it.
func btcecSchnorr(c *Check) bool {
	if len(c.PubKey) != 32 || len(c.Sig) != 64 {
		return false
	}
	var key, sG, eP, nonce btcec.JacobianPoint
	if key.X.SetByteSlice(c.PubKey) || !btcec.DecompressY(&key.X, false, &key.Y) {
		return false
	}
	key.Y.Normalize()
	key.Z.SetInt(1)
	var r btcec.FieldVal
	var s, e btcec.ModNScalar
	if r.SetByteSlice(c.Sig[:32]) || s.SetByteSlice(c.Sig[32:]) {
		return false
	}
	var message [64 + 96]byte
	copy(message[:64], challengePrefix[:])
	copy(message[64:], c.Sig[:32])
	copy(message[96:], c.PubKey)
	copy(message[128:], c.Digest[:])
	challenge := sha256.Sum256(message[:])
	e.SetBytes(&challenge) // reduced, as BIP340 says
	e.Negate()
	btcec.ScalarBaseMultNonConst(&s, &sG)
	btcec.ScalarMultNonConst(&e, &key, &eP)
	btcec.AddNonConst(&sG, &eP, &nonce)
	if nonce.Z.IsZero() || (nonce.X.IsZero() && nonce.Y.IsZero()) {
		return false
	}
	nonce.ToAffine()
	return !nonce.Y.IsOdd() && nonce.X.Equals(&r)
}

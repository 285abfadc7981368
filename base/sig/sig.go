package sig

import "sync"

// Kind says what a Check's bytes mean.
type Kind uint8

const (
	// ECDSA over secp256k1 as Bitcoin's consensus has always run it. PubKey is
	// 33 bytes (compressed) or 65 bytes (uncompressed or hybrid, BIP66 era
	// nodes accept both). Sig is a DER signature without the hash type byte,
	// read as leniently as Bitcoin Core reads it (see ParseDERLax); callers
	// for whom BIP66 is active check StrictDER first. A high S is accepted.
	ECDSA Kind = iota
	// Schnorr is BIP340: PubKey is the 32-byte x coordinate, Sig 64 bytes.
	Schnorr
)

// Check is one signature to verify. The slices are only read, and only until
// Verify returns.
type Check struct {
	Kind   Kind
	PubKey []byte
	Sig    []byte
	Digest [32]byte // the message hash that was signed
}

// PreferredBatch is a batch length at which every engine works at its best.
// Longer batches are fine; shorter ones may cost more per signature.
const PreferredBatch = 256

// Engine verifies batches. Implementations are safe for concurrent use and
// agree in every verdict.
type Engine interface {
	// Name is for benchmarks and logs, for example "btcec".
	Name() string
	// Verify sets verdicts[i] to whether checks[i] holds. Malformed keys and
	// signatures do not hold. len(verdicts) must be at least len(checks).
	Verify(checks []Check, verdicts []bool)
}

// Engines gives every engine of this build that runs on this machine, the
// preferred one first. The slice belongs to the caller.
func Engines() []Engine { return append(tagged(), btcecEngine{}) }

// Default is the preferred engine of this build, chosen once per process.
var Default = sync.OnceValue(func() Engine { return Engines()[0] })

// Verify verifies one signature with e.
func Verify(e Engine, c *Check) bool {
	var verdict [1]bool
	e.Verify([]Check{*c}, verdict[:])
	return verdict[0]
}

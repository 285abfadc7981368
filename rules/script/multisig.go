package script

import "granary/base/sig"

// multisig walks one multisig through rounds of verdicts: each signature, in
// order, must match one of the keys left. It gives out one check at a time, so
// that no more signatures are verified than the interpreter would need.
type multisig struct {
	keys, sigs [][]byte
	digests    [maxTemplateKeys][32]byte // of each signature
	key, sig   int                       // the pair in question
	keyArray   [maxTemplateKeys][]byte
	sigArray   [maxTemplateKeys][]byte
}

// begin takes the keys and signatures of s over; the digests are the caller's
// to fill.
func (m *multisig) begin(s *spend) {
	m.keys = append(m.keyArray[:0], s.keys...)
	m.sigs = append(m.sigArray[:0], s.sigs...)
	m.key, m.sig = 0, 0
}

// check is the pair in question.
func (m *multisig) check() sig.Check {
	signature := m.sigs[m.sig]
	return sig.Check{
		Kind: sig.ECDSA, PubKey: m.keys[m.key],
		Sig: signature[:len(signature)-1], Digest: m.digests[m.sig],
	}
}

// advance takes the verdict on the pair in question. done tells that the
// multisig is decided, and passed how; otherwise check gives the next pair.
func (m *multisig) advance(verdict bool) (passed, done bool) {
	m.key++
	if verdict {
		m.sig++
	}
	sigsLeft, keysLeft := len(m.sigs)-m.sig, len(m.keys)-m.key
	if sigsLeft == 0 {
		return true, true
	}
	return false, sigsLeft > keysLeft
}

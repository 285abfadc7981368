package benchchain

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
)

// keyCount is how many different keys sign; lock kinds are spread over them.
const keyCount = 4096

// lockKind is one of the four templates.
type lockKind uint8

const (
	kindP2WPKH lockKind = iota
	kindP2PKH
	kindP2TR
	kindP2WSH
	kindCount
)

// signatures is how many signatures open a lock.
func (k lockKind) signatures() int {
	if k == kindP2WSH {
		return 2
	}
	return 1
}

// lock names the script of a coin: a template and the first of its keys.
type lock struct {
	kind lockKind
	key  int
}

// keyring holds keyCount keys and their scripts, read-only after it is made.
type keyring struct {
	keys []keyEntry
}

type keyEntry struct {
	private, tweaked *btcec.PrivateKey
	public           []byte // compressed
	scripts          [kindCount][]byte
	multisig         []byte // witness script 2-of-3 over this and the next two keys
}

// newKeyring derives the keys from the seed; they are worthless anywhere else.
func newKeyring(seed uint64, workers int) *keyring {
	ring := &keyring{keys: make([]keyEntry, keyCount)}
	parallel(keyCount, workers, func(i int) { ring.keys[i].derive(seed, i) })
	parallel(keyCount, workers, func(i int) { ring.scripts(i) })
	return ring
}

func (e *keyEntry) derive(seed uint64, index int) {
	var material [32]byte
	copy(material[:], "granary bench")
	binary.BigEndian.PutUint64(material[16:], seed)
	binary.BigEndian.PutUint64(material[24:], uint64(index))
	digest := sha256.Sum256(material[:])
	e.private, _ = btcec.PrivKeyFromBytes(digest[:])
	e.public = e.private.PubKey().SerializeCompressed()
	e.tweaked = txscript.TweakTaprootPrivKey(*e.private, nil)
}

func (r *keyring) scripts(i int) {
	e := &r.keys[i]
	hash := address.Hash160(e.public)
	e.multisig = []byte{txscript.OP_2}
	for n := range 3 {
		e.multisig = append(append(e.multisig, 33), r.keys[(i+n)%keyCount].public...)
	}
	e.multisig = append(e.multisig, txscript.OP_3, txscript.OP_CHECKMULTISIG)
	program := sha256.Sum256(e.multisig)
	e.scripts[kindP2WPKH] = append([]byte{txscript.OP_0, 20}, hash...)
	e.scripts[kindP2PKH] = append(append([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, hash...),
		txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	e.scripts[kindP2TR] = append([]byte{txscript.OP_1, 32}, schnorr.SerializePubKey(e.tweaked.PubKey())...)
	e.scripts[kindP2WSH] = append([]byte{txscript.OP_0, 32}, program[:]...)
}

func (r *keyring) script(l lock) []byte { return r.keys[l.key].scripts[l.kind] }

// pick draws a lock.
func (r *keyring) pick(rand *rand.Rand) lock {
	return lock{kind: lockKind(rand.IntN(int(kindCount))), key: rand.IntN(keyCount)}
}

// parallel calls f for 0 to n-1 on so many goroutines.
func parallel(n, workers int, f func(i int)) {
	var wait sync.WaitGroup
	for worker := range workers {
		wait.Go(func() {
			for i := worker; i < n; i += workers {
				f(i)
			}
		})
	}
	wait.Wait()
}

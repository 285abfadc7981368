package transport

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"

	"granary/base/check"
)

// rekeyInterval is after how many packets a key of BIP324 is replaced.
const rekeyInterval = 224

const (
	keyBytes        = 32
	terminatorBytes = 16
)

// secrets are what both ends derive from the shared secret (BIP324).
type secrets struct {
	sendLength, receiveLength         [keyBytes]byte
	sendPacket, receivePacket         [keyBytes]byte
	sendTerminator, receiveTerminator [terminatorBytes]byte
	session                           [32]byte
}

// derive expands the shared secret of a key exchange.
func derive(shared []byte, magic [4]byte, initiator bool) *secrets {
	salt := append([]byte("bitcoin_v2_shared_secret"), magic[:]...)
	prk, err := hkdf.Extract(sha256.New, shared, salt)
	check.Must(err == nil, "extract a key: %v", err)
	expand := func(info string) (key [keyBytes]byte) {
		out, err := hkdf.Expand(sha256.New, prk, info, keyBytes)
		check.Must(err == nil, "expand a key: %v", err)
		return [keyBytes]byte(out)
	}
	terminators := expand("garbage_terminators")
	s := &secrets{
		sendLength: expand("initiator_L"), sendPacket: expand("initiator_P"),
		receiveLength: expand("responder_L"), receivePacket: expand("responder_P"),
		sendTerminator:    [terminatorBytes]byte(terminators[:terminatorBytes]),
		receiveTerminator: [terminatorBytes]byte(terminators[terminatorBytes:]),
		session:           expand("session_id"),
	}
	if !initiator {
		s.sendLength, s.receiveLength = s.receiveLength, s.sendLength
		s.sendPacket, s.receivePacket = s.receivePacket, s.sendPacket
		s.sendTerminator, s.receiveTerminator = s.receiveTerminator, s.sendTerminator
	}
	return s
}

// lengthCipher is FSChaCha20 of BIP324: a stream over the lengths of packets
// that takes a new key from itself after every rekeyInterval of them.
type lengthCipher struct {
	stream *chacha20.Cipher
	chunks int
	rekeys uint64
}

func newLengthCipher(key [keyBytes]byte) *lengthCipher {
	c := &lengthCipher{}
	c.reset(key[:])
	return c
}

func (c *lengthCipher) reset(key []byte) {
	var nonce [chacha20.NonceSize]byte
	binary.LittleEndian.PutUint64(nonce[4:], c.rekeys)
	stream, err := chacha20.NewUnauthenticatedCipher(key, nonce[:])
	check.Must(err == nil, "key a cipher: %v", err)
	c.stream, c.chunks = stream, 0
}

// crypt encrypts or decrypts one length in place.
func (c *lengthCipher) crypt(length []byte) {
	c.stream.XORKeyStream(length, length)
	if c.chunks++; c.chunks == rekeyInterval {
		var key [keyBytes]byte
		c.stream.XORKeyStream(key[:], key[:])
		c.rekeys++
		c.reset(key[:])
	}
}

// packetCipher is FSChaCha20Poly1305 of BIP324.
type packetCipher struct {
	aead    cipher.AEAD
	packets uint32
	rekeys  uint64
}

func newPacketCipher(key [keyBytes]byte) *packetCipher {
	c := &packetCipher{}
	c.reset(key[:])
	return c
}

func (c *packetCipher) reset(key []byte) {
	aead, err := chacha20poly1305.New(key)
	check.Must(err == nil, "key a cipher: %v", err)
	c.aead, c.packets = aead, 0
}

func (c *packetCipher) nonce(packet uint32) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSize)
	binary.LittleEndian.PutUint32(nonce, packet)
	binary.LittleEndian.PutUint64(nonce[4:], c.rekeys)
	return nonce
}

// seal encrypts plain in place; room for the tag must lie behind it.
func (c *packetCipher) seal(plain, aad []byte) []byte {
	sealed := c.aead.Seal(plain[:0], c.nonce(c.packets), plain, aad)
	c.next()
	return sealed
}

// open decrypts in place; false where the bytes do not authenticate.
func (c *packetCipher) open(sealed, aad []byte) (plain []byte, ok bool) {
	plain, err := c.aead.Open(sealed[:0], c.nonce(c.packets), sealed, aad)
	if err != nil {
		return nil, false
	}
	c.next()
	return plain, true
}

// next counts a packet and takes a new key where it is time.
func (c *packetCipher) next() {
	if c.packets++; c.packets < rekeyInterval {
		return
	}
	key := make([]byte, keyBytes, keyBytes+chacha20poly1305.Overhead)
	key = c.aead.Seal(key[:0], c.nonce(0xffffffff), key, nil)
	c.rekeys++
	c.reset(key[:keyBytes])
}

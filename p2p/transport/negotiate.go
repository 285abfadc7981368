package transport

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ellswift"
)

const (
	publicKeyBytes  = 64
	maxGarbageBytes = 4095
	// maxVersionBytes bounds the packets, decoys included, before the first
	// message.
	maxVersionBytes = 1 << 16
)

// v1Prefix is how every v1 peer begins: the header of a version message.
func (c *Conn) v1Prefix() []byte { return appendCommand(c.opt.Magic[:], "version") }

// negotiate settles which transport is spoken (BIP324).
func (c *Conn) negotiate(initiator bool) error {
	if !initiator {
		plain, err := c.peerIsV1()
		if err != nil {
			return err
		}
		if plain {
			c.framing = &v1{c: c}
			return nil
		}
		// Who only knocks costs no key of ours.
		if _, err := c.in.Peek(publicKeyBytes); err != nil {
			return noEOF(err)
		}
	}
	return c.openV2(initiator)
}

// peerIsV1 looks at the first bytes, without consuming them, for as long as
// they may be those of a v1 peer.
func (c *Conn) peerIsV1() (bool, error) {
	prefix := c.v1Prefix()
	for n := 1; n <= len(prefix); n++ {
		seen, err := c.in.Peek(n)
		if err != nil {
			return false, noEOF(err)
		}
		if !bytes.Equal(seen, prefix[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// openV2 exchanges keys, garbage and version packets. What we send goes out
// on a goroutine of its own: both ends may have more to say than a connection
// holds.
func (c *Conn) openV2(initiator bool) error {
	private, public, err := ellswift.EllswiftCreate()
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	garbage := randomGarbage()
	parts, wrote := make(chan []byte, 2), make(chan error, 1)
	go func() { wrote <- c.writeParts(parts) }()
	parts <- append(public[:], garbage...)

	s, err := c.exchange(private, public, initiator)
	if err != nil {
		close(parts)
		return err
	}
	v := newV2(c, s)
	parts <- v.appendPacket(s.sendTerminator[:], nil, nil, garbage, false)
	close(parts)
	if err := c.readVersionPacket(v, s); err != nil {
		return err
	}
	if err := <-wrote; err != nil {
		return err
	}
	c.framing, c.version, c.session = v, 2, s.session
	return nil
}

// randomGarbage is of random length: a handshake looks like nothing.
func randomGarbage() []byte {
	var b [2]byte
	rand.Read(b[:]) //nolint:errcheck // never fails since Go 1.24
	garbage := make([]byte, (int(b[0])|int(b[1])<<8)&maxGarbageBytes)
	rand.Read(garbage) //nolint:errcheck // never fails since Go 1.24
	return garbage
}

// writeParts writes under the handshake's deadline.
func (c *Conn) writeParts(parts <-chan []byte) error {
	for part := range parts {
		n, err := c.nc.Write(part)
		c.written.Add(uint64(n))
		if err != nil {
			return err
		}
	}
	return nil
}

// exchange reads the peer's key and derives the secrets. Who dialled and gets
// no whole key learns that the peer does not speak v2.
func (c *Conn) exchange(private *btcec.PrivateKey, public [publicKeyBytes]byte, initiator bool) (*secrets, error) {
	var theirs [publicKeyBytes]byte
	if _, err := io.ReadFull(c.in, theirs[:]); err != nil {
		if initiator {
			return nil, fmt.Errorf("%w (%v)", ErrNotV2, err)
		}
		return nil, noEOF(err)
	}
	prefix := c.v1Prefix()
	switch {
	case initiator && bytes.Equal(theirs[:len(prefix)], prefix):
		return nil, ErrNotV2
	case !initiator && bytes.Equal(theirs[4:len(prefix)], prefix[4:]):
		return nil, ErrMagic // a v1 peer of another network
	}
	shared, err := ellswift.V2Ecdh(private, theirs, public, initiator)
	if err != nil {
		return nil, fmt.Errorf("exchange keys: %w", err)
	}
	return derive(shared[:], c.opt.Magic, initiator), nil
}

var errGarbage = errors.New("the peer's garbage does not end")

// readVersionPacket reads the peer's garbage up to its terminator, then
// packets up to the first that is no decoy: the version packet, whose contents
// are for the future. The first packet authenticates the garbage.
func (c *Conn) readVersionPacket(v *v2, s *secrets) error {
	garbage := make([]byte, 0, 256)
	for !bytes.HasSuffix(garbage, s.receiveTerminator[:]) {
		if len(garbage) == maxGarbageBytes+terminatorBytes {
			return errGarbage
		}
		next, err := c.in.ReadByte()
		if err != nil {
			return noEOF(err)
		}
		garbage = append(garbage, next)
	}
	aad := garbage[:len(garbage)-terminatorBytes]
	for left := maxVersionBytes; ; {
		contents, decoy, _, err := c.handshakePacket(v, aad, left)
		if err != nil || !decoy {
			return err
		}
		left -= headerBytes + len(contents)
		aad = nil
	}
}

// handshakePacket reads a packet without taking the handshake's deadline off.
func (c *Conn) handshakePacket(v *v2, aad []byte, limitBytes int) ([]byte, bool, int, error) {
	c.progress.frozen = true
	defer func() { c.progress.frozen = false }()
	return v.readPacket(aad, limitBytes)
}

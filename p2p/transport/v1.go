package transport

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"granary/base/hash"
	"granary/p2p/message"
)

// The header of a v1 message: magic, command, length, checksum.
const (
	commandBytes  = 12
	v1HeaderBytes = 4 + commandBytes + 4 + 4
	// v1JoinBytes is up to which length header and payload go in one write.
	v1JoinBytes = 16 << 10
)

// v1 is the transport in the clear.
type v1 struct {
	c      *Conn
	header [v1HeaderBytes]byte
	joined []byte
}

func (v *v1) read(limitBytes int) (command string, payload []byte, sizeBytes int, err error) {
	if _, err := io.ReadFull(v.c.in, v.header[:1]); err != nil {
		return "", nil, 0, err
	}
	v.c.progress.arm()
	if _, err := io.ReadFull(v.c.in, v.header[1:]); err != nil {
		return "", nil, 0, noEOF(err)
	}
	le := binary.LittleEndian
	if [4]byte(v.header[:4]) != v.c.opt.Magic {
		return "", nil, 0, ErrMagic
	}
	command, printable := parseCommand(v.header[4 : 4+commandBytes])
	length := le.Uint32(v.header[16:])
	if limit := min(message.MaxPayload(command), limitBytes); uint64(length) > uint64(limit) {
		return "", nil, 0, fmt.Errorf("%w: %d bytes of %q, the most are %d", ErrTooLong, length, command, limit)
	}
	if payload, err = v.c.readGrowing(int(length)); err != nil {
		return "", nil, 0, noEOF(err)
	}
	sizeBytes = v1HeaderBytes + len(payload)
	v.c.progress.disarm()
	sum := hash.Double(payload)
	if !printable || !bytes.Equal(sum[:4], v.header[20:24]) {
		return otherCommands, nil, sizeBytes, errSkip
	}
	return command, payload, sizeBytes, nil
}

func (v *v1) write(command string, payload []byte) (sizeBytes int, err error) {
	header := appendV1Header(v.joined[:0], v.c, command, payload)
	sizeBytes = len(header) + len(payload)
	if len(payload) <= v1JoinBytes {
		v.joined = append(header, payload...)
		return sizeBytes, v.c.writeAll(v.joined)
	}
	if err := v.c.writeAll(header); err != nil {
		return sizeBytes, err
	}
	return sizeBytes, v.c.writeAll(payload)
}

func appendV1Header(to []byte, c *Conn, command string, payload []byte) []byte {
	sum := hash.Double(payload)
	to = appendCommand(append(to, c.opt.Magic[:]...), command)
	to = binary.LittleEndian.AppendUint32(to, uint32(len(payload)))
	return append(to, sum[:4]...)
}

// appendCommand appends a command, filled up with zeros.
func appendCommand(to []byte, command string) []byte {
	var padded [commandBytes]byte
	copy(padded[:], command)
	return append(to, padded[:]...)
}

// parseCommand reads a command: printable ASCII, then zeros only.
func parseCommand(padded []byte) (command string, ok bool) {
	name, fill, _ := bytes.Cut(padded, []byte{0})
	if len(bytes.Trim(fill, "\x00")) > 0 {
		return otherCommands, false
	}
	for _, char := range name {
		if char < ' ' || char > 0x7e {
			return otherCommands, false
		}
	}
	return string(name), true
}

// noEOF makes the end of a connection within a message an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

package zmq

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ZMTP 3.0 (RFC 23/ZMTP): a greeting of 64 bytes each way, a READY command
// each way, then frames.
const (
	greetingBytes = 64

	flagMore    = 1
	flagLong    = 2
	flagCommand = 4

	// maxFrameBytes bounds what a subscriber may send in one frame:
	// subscriptions and handshakes are far below.
	maxFrameBytes = 1 << 10
)

var errProtocol = errors.New("the subscriber does not speak ZMTP 3")

// greeting is what we say first: version 3.0, mechanism NULL.
func greeting() []byte {
	g := make([]byte, greetingBytes)
	g[0], g[9] = 0xff, 0x7f
	g[10] = 3
	copy(g[12:32], "NULL")
	return g
}

// checkGreeting judges the other side's.
func checkGreeting(g []byte) error {
	mechanism := string(bytes.TrimRight(g[12:32], "\x00"))
	switch {
	case g[0] != 0xff || g[9]&1 == 0 || g[10] < 3:
		return errProtocol
	case mechanism != "NULL":
		return fmt.Errorf("the subscriber wants the mechanism %.20q, only NULL is spoken here", mechanism)
	}
	return nil
}

// appendFrame writes one frame.
func appendFrame(dst []byte, flags byte, body []byte) []byte {
	dst = appendFrameHead(dst, flags, len(body))
	return append(dst, body...)
}

func appendFrameHead(dst []byte, flags byte, size int) []byte {
	if size <= 0xff {
		return append(dst, flags, byte(size))
	}
	dst = append(dst, flags|flagLong)
	return binary.BigEndian.AppendUint64(dst, uint64(size))
}

// readFrame reads one frame of at most maxFrameBytes.
func readFrame(r io.Reader) (flags byte, body []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	flags = head[0]
	size := uint64(head[1])
	if flags&flagLong != 0 {
		if _, err = io.ReadFull(r, head[2:9]); err != nil {
			return 0, nil, err
		}
		size = binary.BigEndian.Uint64(head[1:9])
	}
	if flags > flagMore|flagLong|flagCommand || size > maxFrameBytes {
		return 0, nil, errProtocol
	}
	body = make([]byte, size)
	_, err = io.ReadFull(r, body)
	return flags, body, err
}

// command writes a command frame: the name with its length, then the data.
func command(name string, data []byte) []byte {
	body := append([]byte{byte(len(name))}, name...)
	return appendFrame(nil, flagCommand, append(body, data...))
}

// parseCommand takes a command's body apart.
func parseCommand(body []byte) (name string, data []byte, err error) {
	if len(body) == 0 || len(body) < 1+int(body[0]) {
		return "", nil, errProtocol
	}
	return string(body[1 : 1+body[0]]), body[1+body[0]:], nil
}

// ready is our READY command: a PUB socket.
func ready() []byte {
	const name, value = "Socket-Type", "PUB"
	data := append([]byte{byte(len(name))}, name...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(value)))
	return command("READY", append(data, value...))
}

// checkReady judges the other side's: only subscribers have business here.
func checkReady(flags byte, body []byte) error {
	name, data, err := parseCommand(body)
	if err != nil || flags&flagCommand == 0 || name != "READY" {
		return errProtocol
	}
	for len(data) > 0 {
		n := int(data[0])
		if len(data) < 1+n+4 {
			return errProtocol
		}
		key, rest := string(data[1:1+n]), data[1+n:]
		size := binary.BigEndian.Uint32(rest)
		if uint64(len(rest)) < 4+uint64(size) {
			return errProtocol
		}
		value := string(rest[4 : 4+size])
		if strings.EqualFold(key, "Socket-Type") && value != "SUB" && value != "XSUB" {
			return fmt.Errorf("a %.20q socket is no subscriber", value)
		}
		data = rest[4+size:]
	}
	return nil
}

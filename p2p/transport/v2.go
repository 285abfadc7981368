package transport

import (
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"granary/p2p/message"
)

// A packet of BIP324: the encrypted length of the contents, then, encrypted
// and authenticated, a header byte and the contents.
const (
	lengthBytes = 3
	headerBytes = 1
	tagBytes    = chacha20poly1305.Overhead
	// nameBytes are the most that name a message within the contents.
	nameBytes       = 1 + commandBytes
	maxContents     = nameBytes + message.MaxPayloadBytes
	ignoreBit       = 0x80
	reusableV2Bytes = 64 << 10
)

// shortNames are the messages that BIP324 names by one byte.
var shortNames = [...]string{
	1: "addr", 2: "block", 3: "blocktxn", 4: "cmpctblock", 5: "feefilter",
	6: "filteradd", 7: "filterclear", 8: "filterload", 9: "getblocks",
	10: "getblocktxn", 11: "getdata", 12: "getheaders", 13: "headers", 14: "inv",
	15: "mempool", 16: "merkleblock", 17: "notfound", 18: "ping", 19: "pong",
	20: "sendcmpct", 21: "tx", 22: "getcfilters", 23: "cfilter",
	24: "getcfheaders", 25: "cfheaders", 26: "getcfcheckpt", 27: "cfcheckpt",
	28: "addrv2",
}

// shortIDs is the reverse of shortNames.
var shortIDs = func() map[string]byte {
	ids := map[string]byte{}
	for id, name := range shortNames {
		if name != "" {
			ids[name] = byte(id)
		}
	}
	return ids
}()

// v2 is the encrypted transport.
type v2 struct {
	c                         *Conn
	sendLength, receiveLength *lengthCipher
	sendPacket, receivePacket *packetCipher
	out                       []byte
}

func newV2(c *Conn, s *secrets) *v2 {
	return &v2{
		c:          c,
		sendLength: newLengthCipher(s.sendLength), receiveLength: newLengthCipher(s.receiveLength),
		sendPacket: newPacketCipher(s.sendPacket), receivePacket: newPacketCipher(s.receivePacket),
	}
}

// appendPacket appends a packet whose contents are name and payload joined.
func (v *v2) appendPacket(to, name, payload, aad []byte, ignore bool) []byte {
	n := len(name) + len(payload)
	at := len(to)
	to = append(to, byte(n), byte(n>>8), byte(n>>16))
	v.sendLength.crypt(to[at:])
	var header byte
	if ignore {
		header = ignoreBit
	}
	at = len(to)
	to = append(append(append(to, header), name...), payload...)
	to = append(to, make([]byte, tagBytes)...)
	sealed := v.sendPacket.seal(to[at:len(to)-tagBytes], aad)
	return to[:at+len(sealed)]
}

// readPacket reads the next packet of which contents are at most limitBytes,
// decoys included.
func (v *v2) readPacket(aad []byte, limitBytes int) (contents []byte, decoy bool, sizeBytes int, err error) {
	var length [lengthBytes]byte
	if _, err := io.ReadFull(v.c.in, length[:1]); err != nil {
		return nil, false, 0, err
	}
	v.c.progress.arm()
	if _, err := io.ReadFull(v.c.in, length[1:]); err != nil {
		return nil, false, 0, noEOF(err)
	}
	v.receiveLength.crypt(length[:])
	n := int(length[0]) | int(length[1])<<8 | int(length[2])<<16
	if n > min(limitBytes, maxContents) {
		return nil, false, 0, fmt.Errorf("%w: a packet of %d bytes, the most are %d", ErrTooLong, n, min(limitBytes, maxContents))
	}
	sealed, err := v.c.readGrowing(headerBytes + n + tagBytes)
	if err != nil {
		return nil, false, 0, noEOF(err)
	}
	v.c.progress.disarm()
	plain, ok := v.receivePacket.open(sealed, aad)
	if !ok {
		return nil, false, 0, ErrBadCrypt
	}
	return plain[headerBytes:], plain[0]&ignoreBit != 0, lengthBytes + len(sealed), nil
}

func (v *v2) read(limitBytes int) (command string, payload []byte, sizeBytes int, err error) {
	contents, decoy, sizeBytes, err := v.readPacket(nil, nameBytes+limitBytes)
	if err != nil {
		return "", nil, 0, err
	}
	command, payload, ok := splitContents(contents)
	if decoy || !ok {
		return otherCommands, nil, sizeBytes, errSkip
	}
	if limit := min(message.MaxPayload(command), limitBytes); len(payload) > limit {
		return "", nil, 0, fmt.Errorf("%w: %d bytes of %q, the most are %d", ErrTooLong, len(payload), command, limit)
	}
	return command, payload, sizeBytes, nil
}

// splitContents parts the name of a message from its payload.
func splitContents(contents []byte) (command string, payload []byte, ok bool) {
	switch {
	case len(contents) == 0:
		return "", nil, false
	case contents[0] != 0:
		id := int(contents[0])
		if id >= len(shortNames) {
			return "", nil, false
		}
		return shortNames[id], contents[1:], true
	case len(contents) < nameBytes:
		return "", nil, false
	}
	command, ok = parseCommand(contents[1:nameBytes])
	return command, contents[nameBytes:], ok
}

func (v *v2) write(command string, payload []byte) (sizeBytes int, err error) {
	var long [nameBytes]byte
	name := append(long[:0], shortIDs[command])
	if name[0] == 0 {
		name = appendCommand(name, command)
	}
	need := lengthBytes + headerBytes + len(name) + len(payload) + tagBytes
	packet := v.out
	if cap(packet) < need {
		packet = make([]byte, 0, need)
	}
	packet = v.appendPacket(packet[:0], name, payload, nil, false)
	if cap(packet) <= reusableV2Bytes {
		v.out = packet
	}
	return len(packet), v.c.writeAll(packet)
}

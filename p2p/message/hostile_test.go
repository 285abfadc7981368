package message

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"granary/state"
)

// TestBeyondTheBounds: each bound of the protocol, and what Bitcoin Core does
// about it.
func TestBeyondTheBounds(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	count := func(n uint64) []byte { return state.AppendCompactSize(nil, n) }
	zeros := func(n int) []byte { return make([]byte, n) }
	_, tx := Encode(&Tx{Tx: testTx(1)})
	ua := func(n uint64) []byte { return join(zeros(80), count(n), bytes.Repeat([]byte{'a'}, int(n))) }
	addressOf := func(network byte, n uint64) []byte {
		return join(count(1), zeros(4), []byte{0, network}, count(n), zeros(int(n)), zeros(2))
	}
	for name, c := range map[string]struct {
		command string
		payload []byte
		want    Severity
		good    bool
	}{
		"50,000 items":          {"inv", join(count(50_000), zeros(36*50_000)), 0, true},
		"50,001 items":          {"inv", join(count(50_001), zeros(36*50_001)), Punish, false},
		"50,001 asked":          {"getdata", join(count(50_001), zeros(36*50_001)), Punish, false},
		"declared items":        {"inv", join(count(50_000), zeros(36)), Drop, false},
		"2,000 headers":         {"headers", join(count(2_000), zeros(81*2_000)), 0, true},
		"2,001 headers":         {"headers", join(count(2_001), zeros(81*2_001)), Punish, false},
		"1,001 addresses":       {"addr", join(count(1_001), zeros(30*1_001)), Punish, false},
		"1,001 addresses v2":    {"addrv2", join(count(1_001), zeros(12*1_001)), Punish, false},
		"102 hashes":            {"getheaders", join(zeros(4), count(102), zeros(33*102)), Cut, false},
		"102 hashes for blocks": {"getblocks", join(zeros(4), count(102), zeros(33*102)), Cut, false},
		"a long count":          {"inv", []byte{0xfd, 0x01, 0x00, 0, 0, 0}, Drop, false},
		"a huge count":          {"inv", join(count(1 << 40)), Drop, false},
		"user agent of 256":     {"version", ua(256), 0, true},
		"user agent of 257":     {"version", ua(257), Drop, false},
		"IPv4 of 5 bytes":       {"addrv2", addressOf(1, 5), Drop, false},
		"Tor v3 of 32":          {"addrv2", addressOf(4, 32), 0, true},
		"unknown of 512":        {"addrv2", addressOf(99, 512), 0, true},
		"unknown of 513":        {"addrv2", addressOf(99, 513), Drop, false},
		"services any":          {"addrv2", join(count(1), zeros(4), count(1<<60), []byte{1, 4, 1, 2, 3, 4, 0, 1}), 0, true},
		"place of 17 bits":      {"getblocktxn", join(zeros(32), count(1), count(65_536)), Drop, false},
		"places overflow":       {"getblocktxn", join(zeros(32), count(2), count(65_535), count(0)), Drop, false},
		"the last place":        {"getblocktxn", join(zeros(32), count(2), count(65_534), count(0)), 0, true},
		"prefilled overflow":    {"cmpctblock", join(zeros(88), count(0), count(2), count(65_535), tx, count(0), tx), Punish, false},
		"prefilled of 17 bits":  {"cmpctblock", join(zeros(88), count(0), count(1), count(65_536), tx), Drop, false},
		"65,536 short ids":      {"cmpctblock", join(zeros(88), count(65_536), zeros(6*65_536), count(0)), Drop, false},
		"bytes behind a tx":     {"tx", join(tx, zeros(1)), Drop, false},
		"bytes behind a ping":   {"ping", zeros(9), 0, true},
		"pong cut short":        {"pong", zeros(3), 0, true},
		"empty pong":            {"pong", nil, 0, true},
		"empty ping":            {"ping", nil, Drop, false},
		"65,537 empty txs":      {"blocktxn", join(zeros(32), count(65_537), zeros(10*65_537)), Drop, false},
		"future message":        {"sendtxrcncl", zeros(12), 0, true},
	} {
		_, err := Decode(c.command, c.payload)
		var malformed *Malformed
		switch {
		case c.good && err == nil:
		case !c.good && errors.As(err, &malformed) && malformed.Severity == c.want:
		default:
			t.Errorf("%s: %v, want severity %d (good: %v)", name, err, c.want, c.good)
		}
		if len(c.payload) > MaxPayload(c.command) {
			t.Errorf("%s: the transport would refuse %d bytes of %s", name, len(c.payload), c.command)
		}
	}
}

// TestAllocationIsBounded decodes the most wasteful payloads: what is
// allocated stays within a constant times of what came.
func TestAllocationIsBounded(t *testing.T) {
	count := func(n uint64) []byte { return state.AppendCompactSize(nil, n) }
	emptyTx := make([]byte, 10)
	for name, c := range map[string]struct {
		command string
		payload []byte
	}{
		"items declared":   {"inv", append(count(50_000), make([]byte, 36*100)...)},
		"headers declared": {"headers", append(count(2_000), make([]byte, 81*100)...)},
		"short ids":        {"cmpctblock", append(append(make([]byte, 88), count(1<<25)...), make([]byte, 6000)...)},
		"empty txs":        {"blocktxn", append(append(make([]byte, 32), count(65_536)...), bytes.Repeat(emptyTx, 65_536)...)},
		"txs declared":     {"blocktxn", append(append(make([]byte, 32), count(65_536)...), bytes.Repeat(emptyTx, 100)...)},
		"addresses":        {"addrv2", append(count(1000), make([]byte, 9*100)...)},
		"filter":           {"cfilter", append(append(make([]byte, 33), count(1<<25)...), make([]byte, 100)...)},
		"block of nothing": {"block", append(append(make([]byte, 80), count(100_000)...), bytes.Repeat(emptyTx, 100_000)...)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Decode(c.command, c.payload)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 4096+60*uint64(len(c.payload)) {
			t.Errorf("%s: %d bytes allocated for %d", name, got, len(c.payload))
		}
		_, _ = m, err
	}
}

// FuzzDecode: no input panics; what decodes, encodes to what decodes to the
// same; btcsuite's decoder, where it takes the same bytes, reads the same.
func FuzzDecode(f *testing.F) {
	var commands []string
	for i, m := range samples() {
		command, payload := Encode(m)
		commands = append(commands, command)
		f.Add(uint8(i), payload)
	}
	f.Fuzz(func(t *testing.T, which uint8, payload []byte) {
		command := commands[int(which)%len(commands)]
		if len(payload) > MaxPayload(command) {
			return
		}
		m, err := Decode(command, bytes.Clone(payload))
		if err != nil {
			var malformed *Malformed
			if !errors.As(err, &malformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		_, first := Encode(m)
		again, err := Decode(command, bytes.Clone(first))
		if err != nil {
			t.Fatalf("what was decoded does not decode again: %v", err)
		}
		if _, second := Encode(again); !bytes.Equal(first, second) {
			t.Fatalf("%x becomes %x", first, second)
		}
		if wireMessage(command) == nil || command == "version" {
			return // version: btcsuite has times before 1970
		}
		if theirs, ok := viaWire(command, payload); ok && !bytes.Equal(theirs, first) {
			t.Fatalf("of %x btcsuite makes %x, we %x", payload, theirs, first)
		}
	})
}

package goods_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/datadriven"

	"granary/rules/goods"
	"granary/state"
)

// The vectors are text: testdata/*.txt. "chain" starts a world and mines;
// "block" judges one block on it, which counts only if it is valid; "undo"
// takes blocks back; "state" shows what holds. See the files for the words.
func TestVectors(t *testing.T) {
	datadriven.Walk(t, "testdata/vectors", func(t *testing.T, path string) {
		var w *world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "chain":
				var height int
				d.ScanArgs(t, "height", &height)
				if w = newWorld(t); d.HasArg("odd") {
					w = oddWorld(t)
				}
				w.mine(height)
				return fmt.Sprintf("height %d\n", w.height)
			case "block":
				w.t = t
				return w.vectorBlock(d)
			case "undo":
				n := 1
				d.MaybeScanArgs(t, "blocks", &n)
				for range n {
					w.disconnect()
				}
				return fmt.Sprintf("height %d\n", w.height)
			case "state":
				return w.describe()
			case "mine":
				var n int
				d.ScanArgs(t, "blocks", &n)
				w.t = t
				w.mine(n)
				return fmt.Sprintf("height %d\n", w.height)
			case "grant":
				var units int64
				d.ScanArgs(t, "units", &units)
				w.grant(units)
				return w.describe()
			case "propose":
				w.t = t
				return w.vectorPropose(d)
			case "attest":
				w.t = t
				return w.vectorAttest(d)
			}
			if command := vectorCommands[d.Cmd]; command != nil {
				w.t = t
				return command(w, d)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

// block reads the lines of one block:
//
//	tx                          a new transaction; named a, b, c ... in order
//	in grant UNITS              an ordinary coin of that many units
//	in seat ROLE [INDEX]        the seat as it is before the block
//	in NAME OUTPUT              an output of an earlier transaction
//	in treasury [HEIGHT]        the treasury output of a block, the last one
//	out UNITS SCRIPT            SCRIPT: key N, treasury, receipt N, long N (bytes), or hex
//	record rotate|HEX           the record output; HEX is type and body
//	record attest NAME ...      of proposals made by "propose"
//	record receive NAME         one of those
//	record draw NUMBER MEASURES [ID]
//	burn UNITS                  value on the last output
//	pad BYTES                   weight on input 0, four units a byte
//	witness BYTES               a witness on input 0
//	coinbase EDIT ...           edits of the valid coinbase, see edit
func (w *world) vectorBlock(d *datadriven.TestData) string {
	var txs []*wire.MsgTx
	var edits []string
	for _, line := range strings.Split(d.Input, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "tx" {
			txs = append(txs, wire.NewMsgTx(2))
			continue
		}
		if words[0] == "coinbase" {
			edits = append(edits, strings.TrimSpace(strings.TrimPrefix(line, "coinbase")))
			continue
		}
		w.line(txs, words)
	}
	a := w.begin()
	for i, tx := range txs {
		if err := a.tx(tx); err != nil {
			return fmt.Sprintf("tx %c: %v\n", 'a'+i, err)
		}
	}
	cb := a.coinbase()
	for _, edit := range edits {
		a.edit(cb, strings.Fields(edit))
	}
	events, err := a.finish(cb)
	if err != nil {
		return fmt.Sprintf("coinbase: %v\n", err)
	}
	w.check()
	var b strings.Builder
	b.WriteString("ok\n")
	for _, e := range events {
		describeGoods(&b, e)
		switch e := e.(type) {
		case goods.SeatMoved:
			fmt.Fprintf(&b, "%s by %s to %x\n", e.Seat.ID(), e.Record, e.Seat.Script)
		case goods.SeatCreated:
			fmt.Fprintf(&b, "created %s (%s)\n", e.Seat.ID(), e.Seat.Name)
		case goods.TreasuryPaid:
			if !e.Coinbase {
				fmt.Fprintf(&b, "treasury paid %d\n", e.Units)
			}
		}
	}
	return b.String()
}

// line adds one line to the last transaction.
func (w *world) line(txs []*wire.MsgTx, words []string) {
	w.t.Helper()
	tx := txs[len(txs)-1]
	number := func(text string) int64 {
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err != nil {
			w.t.Fatal(err)
		}
		return n
	}
	switch words[0] {
	case "in":
		tx.AddTxIn(wire.NewTxIn(w.outpoint(txs, words[1:]), nil, nil))
	case "out":
		tx.AddTxOut(wire.NewTxOut(number(words[1]), w.script(words[2:])))
	case "record":
		tx.AddTxOut(wire.NewTxOut(0, w.recordScript(words[1:])))
	case "burn":
		tx.TxOut[len(tx.TxOut)-1].Value = number(words[1])
	case "witness":
		tx.TxIn[0].Witness = wire.TxWitness{make([]byte, number(words[1]))}
	case "pad":
		tx.TxIn[0].SignatureScript = make([]byte, number(words[1]))
	default:
		w.t.Fatalf("unknown line %q", words)
	}
}

func (w *world) outpoint(txs []*wire.MsgTx, words []string) *wire.OutPoint {
	w.t.Helper()
	at := func(i int) uint32 {
		n, err := strconv.Atoi(words[i])
		if err != nil {
			w.t.Fatal(err)
		}
		return uint32(n)
	}
	roles := map[string]state.Role{"custodian": state.RoleCustodian, "auditor": state.RoleAuditor, "council": state.RoleCouncil}
	switch words[0] {
	case "grant":
		op := w.grant(int64(at(1)))
		return &op
	case "seat":
		var index uint16
		if len(words) > 2 {
			index = uint16(at(2))
		}
		op := w.seat(roles[words[1]], index).Out
		return &op
	case "treasury":
		treasury, height := goods.TreasuryScript(w.charter.ID()), w.height
		if len(words) > 1 {
			height = int32(at(1))
		}
		for op, coin := range w.coins {
			if coin.Coinbase && coin.Height == height && bytes.Equal(coin.Script, treasury) {
				return &op
			}
		}
	}
	if input := vectorInputs[words[0]]; input != nil {
		return input(w, words)
	}
	hash := txs[words[0][0]-'a'].TxHash()
	return wire.NewOutPoint(&hash, at(1))
}

func (w *world) script(words []string) []byte {
	w.t.Helper()
	switch words[0] {
	case "key":
		n, _ := strconv.Atoi(words[1])
		return keyScript(byte(n))
	case "treasury":
		return goods.TreasuryScript(w.charter.ID())
	case "long":
		n, _ := strconv.Atoi(words[1])
		return bytes.Repeat([]byte{0x51}, n)
	case "empty":
		return nil
	case "receipt":
		n, _ := strconv.ParseUint(words[1], 10, 64)
		r, err := goods.ReadReceipt(w, n)
		if err != nil || r == nil {
			w.t.Fatalf("receipt %d: %v", n, err)
		}
		return r.Script
	}
	return unhex(w.t, words[0])
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recordScript makes a script of record form from a type and body.
func recordScript(t testing.TB, text string) []byte {
	t.Helper()
	if text == "rotate" {
		return goods.RecordScript(goods.Rotate{})
	}
	body := []byte{}
	if n, found := strings.CutPrefix(text, "body="); found { // rotate with a body of n bytes
		count, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		body = append([]byte{1}, make([]byte, count)...)
	} else if text != "none" {
		body = unhex(t, text)
	}
	payload := append([]byte("GrRe"), body...)
	switch n := len(payload); {
	case n <= 75:
		return append([]byte{0x6a, byte(n)}, payload...)
	case n <= 255:
		return append([]byte{0x6a, 0x4c, byte(n)}, payload...)
	default:
		return append([]byte{0x6a, 0x4d, byte(n), byte(n >> 8)}, payload...)
	}
}

// edit changes the coinbase: "drop I", "value I UNITS", "script I SCRIPT",
// "insert I UNITS SCRIPT", "swap I J", "witness" (appends a witness
// commitment), "root" (commits to a wrong root).
func (a *attempt) edit(cb *wire.MsgTx, words []string) {
	a.w.t.Helper()
	num := func(i int) int64 {
		n, err := strconv.ParseInt(strings.ReplaceAll(words[i], "_", ""), 10, 64)
		if err != nil {
			a.w.t.Fatal(err)
		}
		if i == 1 && n < 0 {
			n += int64(len(cb.TxOut))
		}
		return n
	}
	outs := cb.TxOut
	switch words[0] {
	case "drop":
		cb.TxOut = append(outs[:num(1):num(1)], outs[num(1)+1:]...)
	case "value":
		outs[num(1)].Value = num(2)
	case "script":
		outs[num(1)].PkScript = a.w.script(words[2:])
	case "insert":
		i := num(1)
		cb.TxOut = append(append(outs[:i:i], wire.NewTxOut(num(2), a.w.script(words[3:]))), outs[i:]...)
	case "append":
		cb.AddTxOut(wire.NewTxOut(0, a.w.script(words[1:])))
	case "swap":
		i, j := num(1), num(2)
		outs[i], outs[j] = outs[j], outs[i]
	case "witness":
		cb.AddTxOut(wire.NewTxOut(0, append([]byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed}, make([]byte, 32)...)))
	case "repeat":
		cb.AddTxOut(outs[num(1)])
	case "root":
		root, _ := goods.Root(a.w)
		root[31] ^= 1
		outs[len(outs)-1].PkScript = goods.CommitmentScript(a.w.charter.ID(), root)
	default:
		a.w.t.Fatalf("unknown edit %q", words)
	}
}

func (w *world) describe() string {
	w.t.Helper()
	w.check()
	totals, err := goods.ReadTotals(w)
	if err != nil {
		w.t.Fatal(err)
	}
	root, err := goods.Root(w)
	if err != nil {
		w.t.Fatal(err)
	}
	seats, err := goods.ReadSeats(w)
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "height %d\nL %d pool %d escrow %d utxo %d\nroot %x\n", w.height,
		totals.CirculatingUnits, totals.PoolUnits, totals.EscrowUnits, totals.UTXOUnits, root[:])
	for _, s := range seats {
		fmt.Fprintf(&b, "%s (%s) since %d under %x\n", s.ID(), s.Name, s.Height, s.Script)
	}
	w.describeReceipts(&b)
	for _, describe := range vectorStates {
		describe(w, &b)
	}
	return b.String()
}

package policy

import (
	"bytes"
	"strings"
	"testing"

	"granary/base/check"
	"granary/state"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

var defaults = Defaults()

func rep(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// program is a witness program of n bytes with the given version opcode.
func program(op byte, n int) []byte { return cat([]byte{op, byte(n)}, rep(0x11, n)) }

func key(first byte, n int) []byte { return cat([]byte{byte(n), first}, rep(0x22, n-1)) }

func bareMultisig(m, keys int) []byte {
	script := []byte{byte(txscript.OP_1 - 1 + m)}
	for range keys {
		script = append(script, key(2, 33)...)
	}
	return append(script, byte(txscript.OP_1-1+keys), txscript.OP_CHECKMULTISIG)
}

var (
	p2pkh  = cat([]byte{0x76, 0xa9, 20}, rep(1, 20), []byte{0x88, 0xac})
	p2sh   = cat([]byte{0xa9, 20}, rep(1, 20), []byte{0x87})
	p2wpkh = program(0, 20)
	p2wsh  = program(0, 32)
	p2tr   = program(txscript.OP_1, 32)
	p2a    = []byte{txscript.OP_1, 2, 0x4e, 0x73}
)

func TestClassify(t *testing.T) {
	twenty := append([]byte{1, 20}, []byte{}...)
	bigMultisig := []byte{txscript.OP_1}
	for range 20 {
		bigMultisig = append(bigMultisig, key(2, 33)...)
	}
	bigMultisig = append(append(bigMultisig, twenty...), txscript.OP_CHECKMULTISIG)
	cases := []struct {
		name   string
		script []byte
		want   string
	}{
		{"empty", nil, "nonstandard"},
		{"p2pkh", p2pkh, "pubkeyhash"},
		{"p2sh", p2sh, "scripthash"},
		{"p2wpkh", p2wpkh, "witness_v0_keyhash"},
		{"p2wsh", p2wsh, "witness_v0_scripthash"},
		{"v0 of another length", program(0, 33), "nonstandard"},
		{"p2tr", p2tr, "witness_v1_taproot"},
		{"p2a", p2a, "anchor"},
		{"v1 of two other bytes", []byte{0x51, 2, 0x4e, 0x74}, "witness_unknown"},
		{"v16", program(txscript.OP_16, 32), "witness_unknown"},
		{"v1 of 40 bytes", program(txscript.OP_1, 40), "witness_unknown"},
		{"v1 of 41 bytes", program(txscript.OP_1, 41), "nonstandard"},
		{"v1 of 1 byte", program(txscript.OP_1, 1), "nonstandard"},
		{"compressed key", append(key(3, 33), txscript.OP_CHECKSIG), "pubkey"},
		{"uncompressed key", append(key(4, 65), txscript.OP_CHECKSIG), "pubkey"},
		{"hybrid key", append(key(7, 65), txscript.OP_CHECKSIG), "pubkey"},
		{"key of a wrong form", append(key(5, 33), txscript.OP_CHECKSIG), "nonstandard"},
		{"long key of a short form", append(key(2, 65), txscript.OP_CHECKSIG), "nonstandard"},
		{"bare op_return", []byte{0x6a}, "nulldata"},
		{"data", []byte{0x6a, 2, 1, 2}, "nulldata"},
		{"two pushes", []byte{0x6a, 1, 1, 1, 2, 0x51}, "nulldata"},
		{"op_return and not a push", []byte{0x6a, 0x75}, "nonstandard"},
		{"op_return and a cut push", []byte{0x6a, 5, 1}, "nonstandard"},
		{"1 of 1", bareMultisig(1, 1), "multisig"},
		{"3 of 3", bareMultisig(3, 3), "multisig"},
		{"4 of 3", bareMultisig(4, 3), "nonstandard"},
		{"0 of 1", bareMultisig(0, 1), "nonstandard"},
		{"1 of 20", bigMultisig, "multisig"},
		{"count does not fit", append(bareMultisig(1, 2)[:1+34], txscript.OP_2, txscript.OP_CHECKMULTISIG), "nonstandard"},
		{"trailing bytes", append(bareMultisig(1, 1), txscript.OP_CHECKMULTISIG), "nonstandard"},
		{"op_true", []byte{0x51}, "nonstandard"},
	}
	for _, c := range cases {
		if got := Classify(c.script).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if got := Class(200).String(); got != "nonstandard" {
		t.Errorf("an unknown class is called %s", got)
	}
}

func TestDust(t *testing.T) {
	cases := []struct {
		name   string
		script []byte
		want   int64
	}{
		{"p2pkh", p2pkh, 546},
		{"p2sh", p2sh, 540},
		{"p2wpkh", p2wpkh, 294},
		{"p2wsh", p2wsh, 330},
		{"p2tr", p2tr, 330},
		{"p2a", p2a, 240},
		{"data", []byte{0x6a, 1, 1}, 0},
		{"over long", rep(0x51, 10_001), 0},
	}
	for _, c := range cases {
		if got := defaults.DustUnits(wire.NewTxOut(0, c.script)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestFees(t *testing.T) {
	for _, c := range []struct{ rate, vbytes, want int64 }{
		{1000, 141, 141},
		{1000, 0, 0},
		{0, 100, 0},
		{1, 1, 1},
		{1, 1000, 1},
		{1, 1001, 2},
		{3000, 182, 546},
		{1 << 62, 1 << 62, 1<<63 - 1},
	} {
		if got := FeeAt(c.rate, c.vbytes); got != c.want {
			t.Errorf("FeeAt(%d, %d) = %d, want %d", c.rate, c.vbytes, got, c.want)
		}
	}
	for _, c := range []struct{ fee, vbytes, want int64 }{
		{141, 141, 1000}, {1, 3, 333}, {0, 5, 0}, {5, 0, 0}, {1 << 62, 1, 1<<63 - 1},
	} {
		if got := RateOf(c.fee, c.vbytes); got != c.want {
			t.Errorf("RateOf(%d, %d) = %d, want %d", c.fee, c.vbytes, got, c.want)
		}
	}
	if CompareRates(1, 3, 2, 6) != 0 || CompareRates(1, 3, 2, 5) >= 0 || CompareRates(21e14, 1e6, 21e14-1, 1e6) <= 0 {
		t.Error("CompareRates does not order fee rates")
	}
	for _, c := range []struct{ weight, sigops, want int64 }{{400, 1, 100}, {401, 0, 101}, {400, 21, 105}} {
		if got := defaults.VBytes(c.weight, c.sigops); got != c.want {
			t.Errorf("VBytes(%d, %d) = %d, want %d", c.weight, c.sigops, got, c.want)
		}
	}
	wantCode(t, "fee at both floors", defaults.CheckFee(200, 100, 2000), "")
	wantCode(t, "fee under the pool's floor", defaults.CheckFee(199, 100, 2000), "mempool min fee not met")
	wantCode(t, "fee under the relay floor", defaults.CheckFee(99, 100, 0), "min relay fee not met")
	wantCode(t, "fee at the relay floor", defaults.CheckFee(100, 100, 0), "")
}

func wantCode(t *testing.T, name string, err error, want string) {
	t.Helper()
	if got := string(check.CodeOf(err)); got != want || (err == nil) != (want == "") {
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
	kind := check.Policy
	if want == "bad-witness-nonstandard" {
		kind = check.Mutated
	}
	if rule := check.AsRule(err); rule != nil && rule.Kind != kind {
		t.Errorf("%s: kind %d, want %d", name, rule.Kind, kind)
	}
}

// checkPaying is what a transaction with a fee must pass by itself.
func checkPaying(tx *state.Tx, g *Goods) error {
	if err := defaults.CheckTx(tx, g); err != nil {
		return err
	}
	return CheckDust(defaults.Dust(tx.Msg, g), 1000, 1000)
}

// plain is a standard transaction of one input and one output.
func plain() *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: 1}})
	msg.AddTxOut(wire.NewTxOut(1000, p2wpkh))
	return msg
}

func TestCheckTx(t *testing.T) {
	data := func(n int) []byte { // a script of n bytes
		return cat([]byte{0x6a, txscript.OP_PUSHDATA1, byte(n - 3)}, rep(7, n-3))
	}
	cases := []struct {
		name string
		edit func(*wire.MsgTx)
		want string
	}{
		{"plain", func(*wire.MsgTx) {}, ""},
		{"version 0", func(m *wire.MsgTx) { m.Version = 0 }, "version"},
		{"version 1", func(m *wire.MsgTx) { m.Version = 1 }, ""},
		{"version 3", func(m *wire.MsgTx) { m.Version = 3 }, ""},
		{"version 4", func(m *wire.MsgTx) { m.Version = 4 }, "version"},
		{"version -1", func(m *wire.MsgTx) { m.Version = -1 }, "version"},
		{"weight 400,000", func(m *wire.MsgTx) { padWeight(m, 400_000) }, ""},
		{"weight 400,001", func(m *wire.MsgTx) { padWeight(m, 400_001) }, "tx-size"},
		{"signature script 1650", func(m *wire.MsgTx) { m.TxIn[0].SignatureScript = rep(0x51, 1650) }, ""},
		{"signature script 1651", func(m *wire.MsgTx) { m.TxIn[0].SignatureScript = rep(0x51, 1651) }, "scriptsig-size"},
		{"not a push", func(m *wire.MsgTx) { m.TxIn[0].SignatureScript = []byte{0x51, 0x75} }, "scriptsig-not-pushonly"},
		{"cut push", func(m *wire.MsgTx) { m.TxIn[0].SignatureScript = []byte{5, 1} }, "scriptsig-not-pushonly"},
		{"odd output", func(m *wire.MsgTx) { m.TxOut[0].PkScript = []byte{0x51} }, "scriptpubkey"},
		{"unknown witness", func(m *wire.MsgTx) { m.TxOut[0].PkScript = program(txscript.OP_16, 32) }, ""},
		{"anchor at dust", func(m *wire.MsgTx) { m.TxOut[0] = wire.NewTxOut(240, p2a) }, ""},
		{"anchor under dust", func(m *wire.MsgTx) { m.TxOut[0] = wire.NewTxOut(239, p2a) }, "dust"},
		{"p2wpkh at dust", func(m *wire.MsgTx) { m.TxOut[0].Value = 294 }, ""},
		{"p2wpkh under dust", func(m *wire.MsgTx) { m.TxOut[0].Value = 293 }, "dust"},
		{"2 of 3", func(m *wire.MsgTx) { m.TxOut[0].PkScript = bareMultisig(2, 3) }, ""},
		{"2 of 4", func(m *wire.MsgTx) { m.TxOut[0].PkScript = bareMultisig(2, 4) }, "scriptpubkey"},
		{"data of 83", func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(0, data(83))) }, ""},
		{"data of 84", func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(0, data(84))) }, "scriptpubkey"},
		{"data twice", func(m *wire.MsgTx) {
			m.AddTxOut(wire.NewTxOut(0, data(40)))
			m.AddTxOut(wire.NewTxOut(0, data(41)))
		}, "multi-op-return"},
	}
	for _, c := range cases {
		msg := plain()
		c.edit(msg)
		wantCode(t, c.name, checkPaying(state.NewTx(msg), nil), c.want)
	}
}

// TestRecords: with a charter a record may be long, and output 0 of its
// transaction may hold nothing.
func TestRecords(t *testing.T) {
	record := func(body int) []byte {
		payload := cat([]byte("GrRe\x01"), rep(7, body))
		script, err := txscript.NewScriptBuilder().AddOp(txscript.OP_RETURN).AddFullData(payload).Script()
		if err != nil {
			t.Fatal(err)
		}
		return script
	}
	treasury := program(txscript.OP_16, 32)
	cases := []struct {
		name                 string
		edit                 func(*wire.MsgTx)
		withCharter, without string
	}{
		{"short", func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(0, record(0))) }, "", ""},
		{"long", func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(0, record(8000))) }, "", "scriptpubkey"},
		{"seat", func(m *wire.MsgTx) {
			m.TxOut[0].Value = 0
			m.AddTxOut(wire.NewTxOut(0, record(0)))
		}, "", "dust"},
		{"seat with dust", func(m *wire.MsgTx) {
			m.TxOut[0].Value = 1
			m.AddTxOut(wire.NewTxOut(0, record(0)))
		}, "dust", "dust"},
		{"empty output 1", func(m *wire.MsgTx) {
			m.AddTxOut(wire.NewTxOut(0, p2wpkh))
			m.AddTxOut(wire.NewTxOut(0, record(0)))
		}, "dust", "dust"},
		{"not last", func(m *wire.MsgTx) {
			m.TxOut = append([]*wire.TxOut{wire.NewTxOut(0, record(100))}, m.TxOut...)
		}, "scriptpubkey", "scriptpubkey"},
		{"record and data", func(m *wire.MsgTx) {
			m.AddTxOut(wire.NewTxOut(0, []byte{0x6a, 1, 1}))
			m.AddTxOut(wire.NewTxOut(0, record(0)))
		}, "multi-op-return", "multi-op-return"},
		{"empty without a record", func(m *wire.MsgTx) { m.TxOut[0].Value = 0 }, "dust", "dust"},
	}
	for _, c := range cases {
		msg := plain()
		c.edit(msg)
		wantCode(t, c.name+" with charter", checkPaying(state.NewTx(msg), ReadGoods(treasury, msg)), c.withCharter)
		wantCode(t, c.name+" without", checkPaying(state.NewTx(msg), nil), c.without)
	}
}

// padWeight fills the witness until the transaction has exactly this weight.
func padWeight(msg *wire.MsgTx, weight int64) {
	fill := weight
	for {
		msg.TxIn[0].Witness = wire.TxWitness{make([]byte, fill)}
		got := state.TxWeight(msg)
		if got == weight {
			return
		}
		fill -= got - weight
	}
}

func TestCheckSize(t *testing.T) {
	msg := plain()
	msg.TxOut[0].PkScript = rep(0x6a, 4)
	wantCode(t, "64 bytes", CheckSize(msg), "tx-size-small")
	msg.TxOut[0].PkScript = rep(0x6a, 5)
	wantCode(t, "65 bytes", CheckSize(msg), "")
}

func TestCheckInputs(t *testing.T) {
	push := func(b []byte) []byte {
		script, _ := txscript.NewScriptBuilder().AddData(b).Script()
		return script
	}
	checksigs := func(n int) []byte { return rep(txscript.OP_CHECKSIG, n) }
	tap := func(items ...[]byte) wire.TxWitness { return items }
	control := cat([]byte{0xc0}, rep(2, 32))
	cases := []struct {
		name      string
		coin      []byte
		sigScript []byte
		witness   wire.TxWitness
		want      string
	}{
		{"p2pkh", p2pkh, nil, nil, ""},
		{"odd coin", []byte{0x51}, nil, nil, "bad-txns-nonstandard-inputs"},
		{"treasury-like coin", program(txscript.OP_16, 32), nil, nil, "bad-txns-nonstandard-inputs"},
		{"p2sh without a script", p2sh, nil, nil, "bad-txns-nonstandard-inputs"},
		{"p2sh with 15 operations", p2sh, push(checksigs(15)), nil, ""},
		{"p2sh with 16 operations", p2sh, push(checksigs(16)), nil, "bad-txns-nonstandard-inputs"},
		{"p2sh with a reserved opcode", p2sh, []byte{txscript.OP_RESERVED}, nil, "bad-txns-nonstandard-inputs"},
		{"p2sh with a number on top", p2sh, []byte{txscript.OP_1NEGATE}, nil, ""},
		{"p2sh with 1,000 items", p2sh, rep(0x51, 1000), nil, ""},
		{"p2sh with 1,001 items", p2sh, rep(0x51, 1001), nil, "bad-txns-nonstandard-inputs"},
		{"p2wpkh", p2wpkh, nil, tap(rep(1, 71), rep(2, 33)), ""},
		{"anchor", p2a, nil, nil, ""},
		{"anchor with a witness", p2a, nil, tap(rep(1, 1)), "bad-witness-nonstandard"},
		{"witness on p2pkh", p2pkh, nil, tap(rep(1, 1)), "bad-witness-nonstandard"},
		{"witness on p2sh of no program", p2sh, push(rep(0x51, 4)), tap(rep(1, 1)), "bad-witness-nonstandard"},
		{"nested p2wpkh", p2sh, push(p2wpkh), tap(rep(1, 71), rep(2, 33)), ""},
		{"script of 3,600", p2wsh, nil, tap(rep(1, 3600)), ""},
		{"script of 3,601", p2wsh, nil, tap(rep(1, 3601)), "bad-witness-nonstandard"},
		{"nested script of 3,601", p2sh, push(p2wsh), tap(rep(1, 3601)), "bad-witness-nonstandard"},
		{"item of 80", p2wsh, nil, tap(rep(1, 80), rep(1, 9)), ""},
		{"item of 81", p2wsh, nil, tap(rep(1, 81), rep(1, 9)), "bad-witness-nonstandard"},
		{"100 items", p2wsh, nil, make(wire.TxWitness, 101), ""},
		{"101 items", p2wsh, nil, make(wire.TxWitness, 102), "bad-witness-nonstandard"},
		{"key path", p2tr, nil, tap(rep(1, 64)), ""},
		{"annex", p2tr, nil, tap(rep(1, 64), []byte{0x50}), "bad-witness-nonstandard"},
		{"tapscript item of 80", p2tr, nil, tap(rep(1, 80), rep(0x51, 200), control), ""},
		{"tapscript item of 81", p2tr, nil, tap(rep(1, 81), rep(0x51, 200), control), "bad-witness-nonstandard"},
		{"other leaf, item of 81", p2tr, nil, tap(rep(1, 81), rep(0x51, 200), cat([]byte{0xc2}, rep(2, 32))), ""},
		{"empty control block", p2tr, nil, tap(rep(1, 8), nil), "bad-witness-nonstandard"},
		{"nested taproot is free", p2sh, push(p2tr), tap(rep(1, 81), nil), ""},
	}
	for _, c := range cases {
		msg := plain()
		msg.TxIn[0].SignatureScript, msg.TxIn[0].Witness = c.sigScript, c.witness
		wantCode(t, c.name, CheckInputs(msg, []*state.Coin{{ValueUnits: 5000, Script: c.coin}}, nil), c.want)
	}
	wantCode(t, "16,000 sigops", CheckSigOps(16_000), "")
	wantCode(t, "16,001 sigops", CheckSigOps(16_001), "bad-txns-too-many-sigops")
}

// TestOneDustForAChild: one dust output is for a child to sweep, where nothing is paid.
func TestOneDustForAChild(t *testing.T) {
	msg := plain()
	msg.TxOut[0].Value = 1
	wantCode(t, "one", defaults.CheckTx(state.NewTx(msg), nil), "")
	wantCode(t, "without a fee", CheckDust(defaults.Dust(msg, nil), 0, 0), "")
	wantCode(t, "with a fee", CheckDust(defaults.Dust(msg, nil), 1, 0), "dust")
	wantCode(t, "with a wished fee", CheckDust(defaults.Dust(msg, nil), 0, -1), "dust")
	msg.AddTxOut(wire.NewTxOut(0, p2a))
	wantCode(t, "two", defaults.CheckTx(state.NewTx(msg), nil), "dust")
}

func TestSettings(t *testing.T) {
	s := Defaults()
	s.BareMultisig, s.DataCarrierBytes, s.DustUnitsPerKVB, s.BytesPerSigOp = false, 0, 30_000, 5
	s.MinRelayUnitsPerKVB = 100
	msg := plain()
	msg.TxOut[0].PkScript = bareMultisig(1, 2)
	wantCode(t, "multisig", s.CheckTx(state.NewTx(msg), nil), "bare-multisig")
	msg.TxOut[0] = wire.NewTxOut(0, []byte{txscript.OP_RETURN, 1, 1})
	wantCode(t, "data", s.CheckTx(state.NewTx(msg), nil), "scriptpubkey")
	if dust := s.Dust(plain(), nil); len(dust) != 1 {
		t.Errorf("dust at ten times the rate: %v", dust)
	}
	if got := s.VBytes(400, 100); got != 125 {
		t.Errorf("%d virtual bytes, want 125", got)
	}
	wantCode(t, "fee", s.CheckFee(10, 100, 0), "")
	wantCode(t, "less", s.CheckFee(9, 100, 0), "min relay fee not met")
}

func TestCompareRates(t *testing.T) {
	cases := []struct {
		feeA, sizeA, feeB, sizeB int64
		want                     int
	}{
		{1, 2, 2, 4, 0},
		{1, 2, 2, 3, -1},
		{-1, 2, 1, 1000, -1},
		{-1, 2, -1, 3, -1},
		{-4, 2, -2, 1, 0},
		{0, 5, -1, 5, 1},
		{1 << 62, 1, 1 << 61, 1, 1},
		{-1 << 63, 1, -1 << 62, 1, -1},
	}
	for _, c := range cases {
		if got := CompareRates(c.feeA, c.sizeA, c.feeB, c.sizeB); got != c.want {
			t.Errorf("%v: got %d", c, got)
		}
		if got := CompareRates(c.feeB, c.sizeB, c.feeA, c.sizeA); got != -c.want {
			t.Errorf("%v turned: got %d", c, got)
		}
	}
}

// TestReasonsAreShort keeps refusals to one line.
func TestReasonsAreShort(t *testing.T) {
	msg := plain()
	msg.TxOut[0].Value = 1
	err := checkPaying(state.NewTx(msg), nil)
	if err == nil || strings.ContainsAny(err.Error(), "\n") {
		t.Errorf("got %q", err)
	}
}

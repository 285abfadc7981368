package goods_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// model is the slow oracle: goods-rules in maps and math/big, without any of
// the code under test. It judges transactions and coinbases by code and says
// what every key of the state must hold.
type model struct {
	id       [32]byte
	coins    map[wire.OutPoint]modelCoin
	seats    []modelSeat // charter order
	launched map[string]string
	height   int32 // of the last block
	goods    modelGoods
}

type modelCoin struct {
	units  *big.Int
	script string // hex
}

type modelSeat struct {
	role, index int
	name        string
	out         wire.OutPoint
	script      string
	height      int32
}

func newModel(w *world) *model {
	m := &model{id: w.charter.ID(), coins: map[wire.OutPoint]modelCoin{}, launched: map[string]string{}, goods: newModelGoods(w.charter)}
	launch := func(role, index int, name string, script []byte) {
		m.seats = append(m.seats, modelSeat{role: role, index: index, name: name, script: hex.EncodeToString(script)})
	}
	for i, c := range w.charter.Custodians {
		launch(1, i, c.Name, c.Script)
		for _, a := range c.Allowances {
			m.launched[fmt.Sprintf("41%04x%04x", i, a.Good)] = littleEndian(8, uint64(a.Limit))
		}
	}
	for i, a := range w.charter.Auditors {
		launch(2, i, a.Name, a.Script)
	}
	launch(3, 0, w.charter.Council.Name, w.charter.Council.Script)
	p := w.charter.Parameters
	text := ""
	for _, v := range []int64{
		p.MinCoverageBP, p.MinerShareBP, p.BlockReleaseCapUnits, p.QuorumAuditors, p.DeliveryWindowBlocks,
		p.PickupWindowBlocks, p.GraceWindowBlocks, p.AttestationLifeBlocks, p.AmendmentDelayBlocks, p.RedemptionFeeBP,
		p.MinDrawUnits, p.UnbondedAllowanceUnits, p.BondRatioBP, p.PenaltyBP,
	} {
		text += littleEndian(8, uint64(v))
	}
	m.launched["50"] = text
	for i, g := range w.charter.Goods {
		text := ""
		for _, s := range []string{g.Code, g.Name, g.Measure} {
			text += littleEndian(2, uint64(len(s))) + hex.EncodeToString([]byte(s))
		}
		text += littleEndian(8, uint64(g.ParNum)) + littleEndian(8, uint64(g.ParDen)) + littleEndian(4, uint64(g.HaircutBP)) +
			littleEndian(4, uint64(g.MaxAgeBlocks)) + littleEndian(8, uint64(g.MinReceipt)) + littleEndian(8, uint64(g.MinRedemption))
		m.launched[fmt.Sprintf("47%04x", i)] = text
	}
	return m
}

func littleEndian(bytes int, v uint64) string {
	text := ""
	for range bytes {
		text += fmt.Sprintf("%02x", v&0xff)
		v >>= 8
	}
	return text
}

func (m *model) treasury() string { return "6020" + hex.EncodeToString(m.id[:]) }

func dead(script string) bool { return strings.HasPrefix(script, "6a") || len(script) > 20_000 }

// recordOf gives type and body in hex of a script in a record's form.
func recordOf(script string) (string, bool) {
	for _, form := range []struct {
		opcode      string
		digits      int
		least, most int
	}{{"", 2, 0, 75}, {"4c", 2, 76, 255}, {"4d", 4, 256, 65_535}, {"4e", 8, 65_536, 1 << 30}} {
		rest, ok := strings.CutPrefix(script, "6a"+form.opcode)
		if !ok || len(rest) < form.digits {
			continue
		}
		n := 0
		for i := form.digits - 2; i >= 0; i -= 2 {
			var b int
			fmt.Sscanf(rest[i:i+2], "%02x", &b)
			n = n<<8 | b
		}
		payload := rest[form.digits:]
		if len(payload) == 2*n && n >= form.least && n <= form.most {
			if body, ok := strings.CutPrefix(payload, hex.EncodeToString([]byte("GrRe"))); ok {
				return body, true
			}
		}
	}
	return "", false
}

// txCode is the code of the first rule that a transaction breaks, "" if none.
func (m *model) txCode(msg *wire.MsgTx, height int32) string {
	records, at := 0, 0
	body := ""
	for i, out := range msg.TxOut {
		if found, ok := recordOf(hex.EncodeToString(out.PkScript)); ok {
			records++
			at, body = i, found
		}
	}
	var acting []int // seats spent
	var places []int // by which inputs
	treasury := false
	for i, in := range msg.TxIn {
		treasury = treasury || m.coins[in.PreviousOutPoint].script == m.treasury()
		for s := range m.seats {
			if m.seats[s].out == in.PreviousOutPoint {
				acting, places = append(acting, s), append(places, i)
			}
		}
	}
	switch {
	case records > 1:
		return "goods-record-many"
	case records == 1 && at != len(msg.TxOut)-1:
		return "goods-record-position"
	case records == 1 && height < 101:
		return "goods-record-early"
	case records == 1 && body == "":
		return "goods-record-malformed"
	case len(body) > 2*8_001:
		return "goods-record-size"
	case records == 1 && (body[:2] < "01" || body[:2] > "04"):
		return "goods-record-unknown"
	}
	if records == 1 {
		if _, ok := parseModel(body); !ok {
			return "goods-record-malformed"
		}
		if body[:2] == "04" {
			return m.recordCode(msg, body, modelSeat{}, int64(height))
		}
	}
	switch {
	case records == 0 && len(acting) > 0:
		return "goods-seat-record"
	case records == 1 && len(acting) == 0:
		return "goods-seat-missing"
	case len(acting) > 1:
		return "goods-seat-many"
	case len(acting) == 1 && places[0] != 0:
		return "goods-seat-input"
	case len(acting) == 1 && m.seats[acting[0]].height == height:
		return "goods-seat-twice"
	case len(acting) == 1 && msg.SerializeSizeStripped()*3+msg.SerializeSize() > 40_000:
		return "goods-seat-weight"
	case len(acting) == 1 && msg.TxOut[0].Value != 0:
		return "goods-seat-value"
	}
	if len(acting) == 1 {
		script := hex.EncodeToString(msg.TxOut[0].PkScript)
		if len(script) < 2 || len(script) > 84 || strings.HasPrefix(script, "6a") || script == m.treasury() {
			return "goods-seat-script"
		}
		if code := m.recordCode(msg, body, m.seats[acting[0]], int64(height)); code != "" {
			return code
		}
	}
	if treasury {
		return "goods-treasury-spend"
	}
	return ""
}

// coinbaseCode is the code of the first rule that a coinbase breaks.
func (m *model) coinbaseCode(msg *wire.MsgTx, height int32, subsidy, fees int64, root chainhash.Hash) string {
	sum := new(big.Int)
	var scripts []string
	marks, witness := []int{}, -1
	burn, record := false, false
	for i, out := range msg.TxOut {
		script := hex.EncodeToString(out.PkScript)
		scripts = append(scripts, script)
		sum.Add(sum, big.NewInt(out.Value))
		if out.Value < 0 || sum.Cmp(big.NewInt(21e14)) > 0 {
			return "goods-amount"
		}
		burn = burn || dead(script) && out.Value > 0
		if _, ok := recordOf(script); ok {
			record = true
		}
		if strings.HasPrefix(script, "6a244772436f") {
			marks = append(marks, i)
		}
		if strings.HasPrefix(script, "6a24aa21a9ed") && len(script) >= 76 {
			witness = i
		}
	}
	switch {
	case record:
		return "goods-coinbase-record"
	case burn:
		return "goods-coinbase-burn"
	case sum.Cmp(new(big.Int).Add(big.NewInt(subsidy), big.NewInt(fees))) != 0:
		return "goods-coinbase-sum"
	}
	paid := slices.Index(scripts, m.treasury())
	twice := paid >= 0 && slices.Contains(scripts[paid+1:], m.treasury())
	if subsidy > 0 && (paid != 0 || msg.TxOut[0].Value < subsidy) || subsidy == 0 && paid >= 0 || twice {
		return "goods-coinbase-treasury"
	}
	if height == 1 {
		for i, seat := range m.seats {
			if len(scripts) <= 1+i || scripts[1+i] != seat.script || msg.TxOut[1+i].Value != 0 {
				return "goods-coinbase-seats"
			}
		}
	}
	want := chainhash.TaggedHash([]byte("granary/commitment"), append(bytes.Clone(m.id[:]), root[:]...))
	last := len(scripts) - 1
	if witness == last {
		last--
	}
	switch {
	case len(marks) == 0:
		return "goods-commitment-missing"
	case len(marks) > 1:
		return "goods-commitment-duplicate"
	case witness >= 0 && witness != len(scripts)-1 || marks[0] != last:
		return "goods-commitment-position"
	case scripts[marks[0]] != "6a244772436f"+hex.EncodeToString(want[:]):
		return "goods-commitment-wrong"
	}
	return ""
}

// apply moves coins and seats.
func (m *model) apply(msg *wire.MsgTx, height int32, coinbase bool) {
	id := msg.TxHash()
	if !coinbase {
		acting := slices.IndexFunc(m.seats, func(s modelSeat) bool { return s.out == msg.TxIn[0].PreviousOutPoint })
		m.applyRecord(msg, acting, int64(height))
		in, _, out := m.drawn(msg)
		m.goods.fees = new(big.Int).Add(m.goods.fees, in.Sub(in, out))
		for s := range m.seats {
			if m.seats[s].out == msg.TxIn[0].PreviousOutPoint {
				m.seats[s].out = wire.OutPoint{Hash: id}
				m.seats[s].script = hex.EncodeToString(msg.TxOut[0].PkScript)
				m.seats[s].height = height
			}
		}
		for _, in := range msg.TxIn {
			delete(m.coins, in.PreviousOutPoint)
		}
	} else if height == 1 {
		for s := range m.seats {
			m.seats[s].out, m.seats[s].height = wire.OutPoint{Hash: id, Index: uint32(1 + s)}, 1
		}
	}
	for i, out := range msg.TxOut {
		if script := hex.EncodeToString(out.PkScript); !dead(script) {
			m.coins[wire.OutPoint{Hash: id, Index: uint32(i)}] = modelCoin{big.NewInt(out.Value), script}
		}
	}
}

// stateBytes is every key and value, in hex, recounted from nothing.
func (m *model) stateBytes() map[string]string {
	all, pool := new(big.Int), new(big.Int)
	for _, c := range m.coins {
		all.Add(all, c.units)
		if c.script == m.treasury() {
			pool.Add(pool, c.units)
		}
	}
	circulating := new(big.Int).Sub(all, pool)
	keys := maps.Clone(m.launched)
	m.goods.goodsBytes(keys, int64(m.height))
	keys["54"] = littleEndian(8, circulating.Uint64()) + littleEndian(8, pool.Uint64()) + littleEndian(8, 0) + littleEndian(8, all.Uint64())
	for _, s := range m.seats {
		txid := hex.EncodeToString(s.out.Hash[:])
		keys[fmt.Sprintf("53%02x%04x", s.role, s.index)] = fmt.Sprintf("%02x%x%s%s%s%02x%s", len(s.name), s.name, txid,
			littleEndian(4, uint64(s.out.Index)), littleEndian(4, uint64(s.height)), len(s.script)/2, s.script)
		keys[fmt.Sprintf("4f%s%08x", txid, s.out.Index)] = fmt.Sprintf("01%02x%s", s.role, littleEndian(2, uint64(s.index)))
	}
	return keys
}

// circulating is L, recounted: fees do not lower it.
func (m *model) circulating() *big.Int {
	v := new(big.Int).Set(m.goods.fees)
	for _, c := range m.coins {
		if c.script != m.treasury() {
			v.Add(v, c.units)
		}
	}
	return v
}

// modelRoot is the tree's definition over stateBytes.
func modelRoot(keys map[string]string) chainhash.Hash {
	var walk func(sorted []string, bit int) chainhash.Hash
	walk = func(sorted []string, bit int) chainhash.Hash {
		if len(sorted) == 1 {
			key, _ := hex.DecodeString(sorted[0])
			value, _ := hex.DecodeString(keys[sorted[0]])
			return *chainhash.TaggedHash([]byte("granary/leaf"), binary.LittleEndian.AppendUint16(nil, uint16(len(key))), key, value)
		}
		at := slices.IndexFunc(sorted, func(k string) bool {
			b, _ := hex.DecodeString(k[bit/8*2 : bit/8*2+2])
			return b[0]>>(7-bit%8)&1 == 1
		})
		if at <= 0 {
			return walk(sorted, bit+1)
		}
		left, right := walk(sorted[:at], bit+1), walk(sorted[at:], bit+1)
		return *chainhash.TaggedHash([]byte("granary/node"), binary.LittleEndian.AppendUint16(nil, uint16(bit)), left[:], right[:])
	}
	return walk(slices.Sorted(maps.Keys(keys)), 0)
}

func (m *model) clone() *model {
	c := *m
	c.coins, c.seats = maps.Clone(m.coins), slices.Clone(m.seats)
	c.goods = m.goods.clone()
	return &c
}

// TestRandomHistories runs random blocks, bad ones among them, and random
// reorganisations through the rules and the model: the same verdicts, codes
// and state bytes. GRANARY_LONG=1 runs 2,000 of them, GRANARY_HISTORIES=N as many,
// GRANARY_SEED=N from seed N on.
func TestRandomHistories(t *testing.T) {
	number := func(variable, usual string) uint64 {
		n, err := strconv.ParseUint(cmp.Or(os.Getenv(variable), usual), 10, 32)
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return n
	}
	histories := number("GRANARY_HISTORIES", "12")
	if os.Getenv("GRANARY_LONG") != "" {
		histories = number("GRANARY_HISTORIES", "2000")
	}
	codes := map[check.Code]int{}
	for _, seed := range []uint64{497} { // failed once
		runHistory(t, seed, codes)
	}
	first := number("GRANARY_SEED", "0")
	for seed := range histories {
		runHistory(t, first+seed, codes)
	}
	t.Logf("%d histories, verdicts %v", histories, codes)
	if len(codes) < 15 {
		t.Errorf("the histories met %d codes only: %v", len(codes), codes)
	}
}

type history struct {
	t     testing.TB
	seed  uint64
	rng   *rand.Rand
	w     *world
	m     *model
	past  []*model
	codes map[check.Code]int

	proposals []goods.Receive
	lots      int
}

func runHistory(t testing.TB, seed uint64, codes map[check.Code]int) {
	h := &history{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 99)), codes: codes}
	switch seed % 3 {
	case 0:
		h.w = newWorld(t)
	case 1:
		h.w = oddWorld(t)
	case 2:
		h.w = oddWorldWithCap(t, 200*params.UnitsPerCoin)
	}
	h.m = newModel(h.w)
	root := chainhash.Hash{}
	for h.w.height < 98+int32(h.rng.IntN(5)) {
		h.block(&root, nil)
	}
	for range h.rng.IntN(8) {
		op := h.w.grant(int64(h.rng.IntN(100_000)))
		h.m.coins[op] = modelCoin{big.NewInt(h.w.coins[op].ValueUnits), hex.EncodeToString(h.w.coins[op].Script)}
	}
	h.past = nil
	root, _ = goods.Root(h.w)
	for range 40 {
		if len(h.past) > 0 && h.rng.IntN(5) == 0 {
			for range 1 + h.rng.IntN(min(6, len(h.past))) {
				h.w.disconnect()
				h.m, h.past = h.past[len(h.past)-1], h.past[:len(h.past)-1]
			}
			root = h.compare()
		}
		h.block(&root, h.randomTx)
	}
}

// block judges one random block with both, and ends with one that is valid.
func (h *history) block(root *chainhash.Hash, randomTx func(*model) *wire.MsgTx) {
	height := h.w.height + 1
	next := h.m.clone()
	next.height = height
	next.goods.hashes = append(next.goods.hashes, hex.EncodeToString(h.w.tip.Hash[:]))
	next.goods.begin(int64(height))
	var accepted []*wire.MsgTx
	a := h.w.begin()
	for range 4 {
		if randomTx == nil {
			break
		}
		msg := randomTx(next)
		want := next.txCode(msg, height)
		err := a.tx(msg)
		h.verdict(err, want)
		if want == "" {
			accepted = append(accepted, msg)
			next.apply(msg, height, false)
			continue
		}
		a = h.w.begin() // the block is gone; begin again with what was valid
		for _, tx := range accepted {
			if err := a.tx(tx); err != nil {
				h.t.Fatalf("seed %d: %v", h.seed, err)
			}
		}
	}
	subsidy := h.w.subsidy()
	if randomTx != nil {
		bad := a.coinbase()
		h.spoil(bad)
		want := next.coinbaseCode(bad, height, subsidy, a.fees, *root)
		err := a.g.Coinbase(txOf(bad), subsidy, a.fees)
		h.verdict(err, want)
		a = h.w.begin()
		for _, tx := range accepted {
			if err := a.tx(tx); err != nil {
				h.t.Fatalf("seed %d: %v", h.seed, err)
			}
		}
	}
	cb := a.coinbase()
	if code := next.coinbaseCode(cb, height, subsidy, a.fees, *root); code != "" {
		h.t.Fatalf("seed %d height %d: the model refuses a built coinbase: %s", h.seed, height, code)
	}
	if _, err := a.finish(cb); err != nil {
		h.t.Fatalf("seed %d height %d: %v", h.seed, height, err)
	}
	next.apply(cb, height, true)
	h.past = append(h.past, h.m)
	h.m = next
	*root = h.compare()
}

func (h *history) verdict(err error, want string) {
	h.t.Helper()
	got := check.CodeOf(err)
	h.codes[got]++
	if string(got) != want || err != nil && got == "" {
		h.t.Fatalf("seed %d height %d: verdict %v, the model says %q", h.seed, h.w.height+1, err, want)
	}
}

// compare: every state byte, and the root, are what the model says.
func (h *history) compare() chainhash.Hash {
	h.t.Helper()
	h.w.check()
	want := h.m.stateBytes()
	have := 0
	for key, value := range h.w.goods {
		if state.IsNodeKey([]byte(key)) {
			continue
		}
		have++
		if want[hex.EncodeToString([]byte(key))] != hex.EncodeToString(value) {
			h.t.Fatalf("seed %d height %d: key %x is %x, the model says %s", h.seed, h.w.height, key, value, want[hex.EncodeToString([]byte(key))])
		}
	}
	if have != len(want) {
		h.t.Fatalf("seed %d height %d: %d keys, the model has %d", h.seed, h.w.height, have, len(want))
	}
	root, err := goods.Root(h.w)
	if err != nil || root != modelRoot(want) {
		h.t.Fatalf("seed %d height %d: root %x (%v), the model says %x", h.seed, h.w.height, root, err, modelRoot(want))
	}
	return root
}

// randomTx makes a transaction that is often nearly right.
func (h *history) randomTx(m *model) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	add := func(op wire.OutPoint) {
		if !slices.ContainsFunc(msg.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == op }) {
			msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
		}
	}
	switch h.rng.IntN(9) {
	case 0, 1:
		return h.randomAttest(m)
	case 2, 3:
		return h.randomReceive(m)
	case 4, 5, 6:
		if msg := h.randomDraw(m); msg != nil {
			return msg
		}
	}
	acts := h.rng.IntN(3) > 0
	if acts {
		add(m.seats[h.rng.IntN(len(m.seats))].out)
	}
	in := int64(0)
	for range h.rng.IntN(3) {
		op := h.anyCoin(m, h.rng.IntN(12) == 0)
		add(op)
	}
	if h.rng.IntN(12) == 0 {
		add(m.seats[h.rng.IntN(len(m.seats))].out)
	}
	if len(msg.TxIn) == 0 {
		add(h.anyCoin(m, false))
	}
	if h.rng.IntN(10) == 0 {
		h.rng.Shuffle(len(msg.TxIn), func(i, j int) { msg.TxIn[i], msg.TxIn[j] = msg.TxIn[j], msg.TxIn[i] })
	}
	for _, txIn := range msg.TxIn {
		in += m.coins[txIn.PreviousOutPoint].units.Int64()
	}
	if acts && h.rng.IntN(20) > 0 {
		msg.AddTxOut(wire.NewTxOut(0, h.anyScript()))
	}
	for range h.rng.IntN(3) {
		units := int64(0)
		if in > 0 {
			units = h.rng.Int64N(in + 1)
		}
		in -= units
		msg.AddTxOut(wire.NewTxOut(units, h.anyScript()))
	}
	if acts && h.rng.IntN(12) > 0 || h.rng.IntN(12) == 0 {
		msg.AddTxOut(wire.NewTxOut(0, h.anyRecord()))
	}
	if len(msg.TxOut) == 0 || h.rng.IntN(25) == 0 {
		msg.AddTxOut(wire.NewTxOut(0, h.anyScript()))
	}
	if h.rng.IntN(25) == 0 {
		msg.TxIn[0].SignatureScript = make([]byte, 9_800+h.rng.IntN(200))
	}
	return msg
}

// anyCoin picks a coin by chance, independent of map order.
func (h *history) anyCoin(m *model, treasury bool) wire.OutPoint {
	var ops []wire.OutPoint
	for op, c := range m.coins {
		if (c.script == m.treasury()) == treasury {
			ops = append(ops, op)
		}
	}
	slices.SortFunc(ops, func(a, b wire.OutPoint) int {
		return bytes.Compare(state.KeyOutpoint(a), state.KeyOutpoint(b))
	})
	return ops[h.rng.IntN(len(ops))]
}

func (h *history) anyScript() []byte {
	switch h.rng.IntN(14) {
	case 0:
		return goods.TreasuryScript(h.w.charter.ID())
	case 1:
		return []byte{0x6a, 1, 2}
	case 2:
		return bytes.Repeat([]byte{0x51}, h.rng.IntN(50))
	case 3:
		return bytes.Repeat([]byte{0x51}, 9_999+h.rng.IntN(3))
	}
	return keyScript(byte(h.rng.IntN(256)))
}

func (h *history) anyRecord() []byte {
	if h.rng.IntN(4) > 0 {
		return goods.RecordScript(goods.Rotate{})
	}
	texts := []string{"none", "00", "01", "0100", "02", "ff", fmt.Sprintf("body=%d", h.rng.IntN(400)), "body=8000", "body=8001"}
	script := recordScript(h.t, texts[h.rng.IntN(len(texts))])
	switch h.rng.IntN(6) {
	case 0:
		return append(script, 0x51)
	case 1:
		return append([]byte{0x6a, 0x4c, byte(len(script) - 2)}, script[2:]...)
	case 2:
		return script[:len(script)-1]
	}
	return script
}

// spoil edits a valid coinbase, perhaps into another valid one.
func (h *history) spoil(cb *wire.MsgTx) {
	for range h.rng.IntN(3) {
		n := len(cb.TxOut)
		if n == 0 {
			return
		}
		i, j := h.rng.IntN(n), h.rng.IntN(n)
		switch h.rng.IntN(9) {
		case 0:
			cb.TxOut = slices.Delete(slices.Clone(cb.TxOut), i, i+1)
		case 1:
			cb.TxOut[i], cb.TxOut[j] = cb.TxOut[j], cb.TxOut[i]
		case 2:
			out := *cb.TxOut[i]
			out.Value += int64(h.rng.IntN(5)) - 2
			cb.TxOut[i] = &out
		case 3:
			cb.TxOut = slices.Insert(slices.Clone(cb.TxOut), i, wire.NewTxOut(0, h.anyScript()))
		case 4:
			cb.TxOut = slices.Insert(slices.Clone(cb.TxOut), i, cb.TxOut[j])
		case 5:
			cb.AddTxOut(wire.NewTxOut(0, append([]byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed}, make([]byte, h.rng.IntN(40))...)))
		case 6:
			out := *cb.TxOut[i]
			out.PkScript = bytes.Clone(out.PkScript)
			out.PkScript[len(out.PkScript)-1] ^= 1
			cb.TxOut[i] = &out
		case 7:
			cb.TxOut = slices.Insert(slices.Clone(cb.TxOut), i, wire.NewTxOut(0, h.anyRecord()))
		case 8:
			if move := cb.TxOut[i].Value; i != j {
				from, to := *cb.TxOut[i], *cb.TxOut[j]
				from.Value, to.Value = 0, to.Value+move
				cb.TxOut[i], cb.TxOut[j] = &from, &to
			}
		}
	}
}

package rpc

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/rules/proof"
	"granary/state"
)

// anyone is the address of the P2WSH output that 0x51 spends.
const anyone = `"bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"`

// goodsWorld is a node on a chain with a charter whose seats anyone can spend.
type goodsWorld struct {
	*world
	charter *params.Charter
}

func newGoodsWorld(t testing.TB) *goodsWorld {
	charter := testCharter(t)
	w := &goodsWorld{newWorld(t, charter), charter}
	w.mine(105)
	return w
}

func (w *goodsWorld) mine(n int) { w.must(nil, "generatetoaddress", fmt.Sprintf("[%d,%s]", n, anyone)) }

func (w *goodsWorld) tip() (hash chainhash.Hash, height int32) {
	h := w.door.services.Load().Chain.Tip()
	return h.Hash, h.Height
}

// act mines a block with a record by the seat, whose script op spends.
func (w *goodsWorld) act(role state.Role, index uint16, op byte, record goods.Record) {
	w.t.Helper()
	var tx *wire.MsgTx
	err := w.door.services.Load().Chain.View(func(_ *state.Header, v state.View) error {
		seats, err := goods.ReadSeats(v)
		for i := range seats {
			if s := &seats[i]; s.Role == role && s.Index == index {
				tx = wire.NewMsgTx(2)
				tx.AddTxIn(&wire.TxIn{PreviousOutPoint: s.Out, Witness: wire.TxWitness{{op}}, Sequence: wire.MaxTxInSequenceNum})
				tx.AddTxOut(wire.NewTxOut(0, s.Script))
				tx.AddTxOut(wire.NewTxOut(0, goods.RecordScript(record)))
			}
		}
		return err
	})
	if err != nil || tx == nil {
		w.t.Fatalf("no seat of role %v %d: %v", role, index, err)
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		w.t.Fatal(err)
	}
	w.must(nil, "generateblock", fmt.Sprintf("[%s,[%q]]", anyone, hex.EncodeToString(raw.Bytes())))
}

// receive opens receipts of so many lots of the first good.
func (w *goodsWorld) receive(first, lots int) {
	w.t.Helper()
	seen, height := w.tip()
	record := goods.Receive{Custodian: 0, Expiry: height + 50, Observed: goods.Observed{Height: height, Hash: seen}}
	for i := range lots {
		record.Openings = append(record.Openings, goods.Opening{
			Good: 0, Registry: 0, Serial: fmt.Sprintf("LOT-%d", first+i), Quantity: 2000 + int64(i),
			Document: chainhash.HashH([]byte{byte(i)}), Location: "Hall 7", Script: append([]byte{0, 20}, make([]byte, 20)...),
		})
	}
	proposals := goods.Attest{Proposals: []chainhash.Hash{goods.ProposalHash(w.charter.ID(), record)}}
	w.act(state.RoleAuditor, 0, 0x53, proposals)
	w.act(state.RoleAuditor, 1, 0x54, proposals)
	w.act(state.RoleCustodian, 0, 0x51, record)
}

type madeProof struct {
	BlockHash   string `json:"blockhash"`
	Height      int32  `json:"height"`
	StateHeight int32  `json:"stateheight"`
	Bytes       int    `json:"bytes"`
	Proof       string `json:"proof"`
}

func (w *goodsWorld) facts(m *madeProof) *proof.Facts {
	w.t.Helper()
	raw, err := hex.DecodeString(m.Proof)
	if err != nil || len(raw) != m.Bytes || m.Bytes > 10_000 || m.StateHeight != m.Height-1 {
		w.t.Fatalf("%d bytes of proof, %+v: %v", len(raw), m, err)
	}
	p, err := proof.Decode(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	facts, err := p.Verify(w.charter)
	if err != nil {
		w.t.Fatal(err)
	}
	if facts.Block.Hash.String() != m.BlockHash || facts.Block.Height != m.Height {
		w.t.Fatalf("facts of block %v at %d, made as %+v", facts.Block.Hash, facts.Block.Height, m)
	}
	return facts
}

// TestGoodsProof makes proofs of a receipt at every block since it opened and
// has them checked, on the chain and off it.
func TestGoodsProof(t *testing.T) {
	w := newGoodsWorld(t)
	w.receive(0, 3)
	_, opened := w.tip()
	w.fails(CodeInvalidAddress, "receipt 0 is not in the goods state", "getgoodsproof", "[0]")
	w.mine(5)
	var tip madeProof
	w.must(&tip, "getgoodsproof", "[2]")
	if f := w.facts(&tip); f.Receipt.Quantity() != 2002 || f.Receipt.Serial != "LOT-2" || f.Receipt.Custodian.Name != w.charter.Custodians[0].Name {
		t.Errorf("receipt %+v", f.Receipt.Receipt)
	}
	var again madeProof
	if w.must(&again, "getgoodsproof", "[2]"); again != tip {
		t.Errorf("the same proof made again is %+v, was %+v", again, tip)
	}
	chain := w.door.services.Load().Chain
	for height := opened + 1; height <= tip.Height; height++ {
		var older madeProof
		at := chain.AtHeight(height)
		w.must(&older, "getgoodsproof", fmt.Sprintf(`[1,%q]`, at.Hash))
		f := w.facts(&older)
		if older.Height != height || f.Receipt.Quantity() != 2001 || f.Totals.PoolUnits+f.Totals.CirculatingUnits != f.Totals.UTXOUnits {
			t.Errorf("height %d: %+v", height, f.Totals)
		}
		if want := int64(height-1) * 50 * params.UnitsPerCoin; f.Totals.UTXOUnits != want {
			t.Errorf("height %d: the UTXO set is %d, should be %d", height, f.Totals.UTXOUnits, want)
		}
	}
	var sums madeProof
	if w.must(&sums, "getgoodsproof", ""); w.facts(&sums).Receipt != nil {
		t.Error("a proof of the sums is about a receipt")
	}
	w.checkVerify(&tip)
	for _, bad := range []struct {
		code            int
		message, params string
	}{
		{CodeInvalidParameter, "negative", "[-1]"},
		{CodeInvalidAddress, "never was", "[77]"},
		{CodeInvalidAddress, "claim 5 is not", "[0,null,[5]]"},
		{CodeMisc, "proved with its receipt", "[null,null,[5]]"},
		{CodeInvalidAddress, "Block not found", `[0,"` + strings.Repeat("ab", 32) + `"]`},
		{CodeMisc, "Block 0 commits", `[0,"` + w.net.GenesisHash().String() + `"]`},
		{CodeInvalidParameter, "too many for one proof", `[0,null,[` + strings.Repeat("1,", 64) + `1]]`},
	} {
		w.fails(bad.code, bad.message, "getgoodsproof", bad.params)
	}
	w.mine(145)
	w.fails(CodeMisc, "deep", "getgoodsproof", fmt.Sprintf("[0,%q]", tip.BlockHash))
}

// checkVerify plays verifygoodsproof with a proof of the tip.
func (w *goodsWorld) checkVerify(made *madeProof) {
	w.t.Helper()
	var got struct {
		Active        bool `json:"inactivechain"`
		Confirmations int32
		Sums          struct{ Label string }
		Receipt       struct {
			Number, Quantity int64
			Label            string
		}
		Attested struct{ Custodian, Lot, Label string }
	}
	w.mine(2)
	w.must(&got, "verifygoodsproof", fmt.Sprintf("[%q]", made.Proof))
	if !got.Active || got.Confirmations != 3 || got.Receipt.Quantity != 2002 || got.Receipt.Label != proved ||
		got.Attested.Lot != "LOT-2" || !strings.HasPrefix(got.Attested.Label, "attested by North silo and a quorum of auditors at height") {
		w.t.Errorf("verified as %+v", got)
	}
	w.must(nil, "invalidateblock", fmt.Sprintf("[%q]", made.BlockHash))
	w.must(&got, "verifygoodsproof", fmt.Sprintf("[%q]", made.Proof))
	if got.Active || got.Confirmations != -1 || got.Receipt.Label == proved || got.Sums.Label == proved {
		w.t.Errorf("off the chain it is verified as %+v", got)
	}
	w.fails(CodeInvalidAddress, "not in the active chain", "getgoodsproof", fmt.Sprintf("[2,%q]", made.BlockHash))
	w.must(nil, "reconsiderblock", fmt.Sprintf("[%q]", made.BlockHash))
	w.fails(CodeDeserialization, "is not a file of granary proof", "verifygoodsproof", `["00"]`)
	w.fails(CodeDeserialization, "This is a whole audit", "verifygoodsproof", `["477250660202"]`)
	w.fails(CodeDeserialization, "has version 1, this program reads version 2: make it anew", "verifygoodsproof", `["477250660101"]`)
	w.fails(CodeDeserialization, "ends too early", "verifygoodsproof", fmt.Sprintf("[%q]", made.Proof[:2000]))
	raw, err := hex.DecodeString(made.Proof)
	if err != nil {
		w.t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	w.fails(CodeVerify, "does not lead to the root", "verifygoodsproof", fmt.Sprintf("[%q]", hex.EncodeToString(raw)))
	plain := newWorld(w.t, nil)
	for _, method := range []string{"getgoodsproof", "getgoodsaudit", "getgoodsheaders"} {
		plain.fails(CodeMisc, "has no charter", method, "")
	}
	plain.fails(CodeMisc, "has no charter", "verifygoodsproof", `["00"]`)
}

type page struct {
	BlockHash string          `json:"blockhash"`
	Data      string          `json:"data"`
	Next      json.RawMessage `json:"next"`
}

// pages joins the pages of a method; between is called after each.
func (w *goodsWorld) pages(method string, between func()) (file []byte, count int) {
	w.t.Helper()
	params := "[]"
	for {
		var p page
		w.must(&p, method, params)
		raw, err := hex.DecodeString(p.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		file = append(file, raw...)
		if count++; p.Next == nil {
			return file, count
		}
		params = fmt.Sprintf("[%q,%s]", p.BlockHash, p.Next)
		between()
	}
}

// TestGoodsAudit fetches a whole audit in small pages while the chain goes on,
// and the headers to place it.
func TestGoodsAudit(t *testing.T) {
	auditPageBytes, headersPage = 2000, 50
	t.Cleanup(func() { auditPageBytes, headersPage = 1<<20, 8192 })
	w := newGoodsWorld(t)
	w.receive(0, 40)
	w.receive(100, 2)
	w.mine(1)
	_, start := w.tip()
	file, count := w.pages("getgoodsaudit", func() {
		if _, height := w.tip(); height < start+3 {
			w.receive(1000+int(height), 2)
		}
	})
	facts, err := proof.VerifyAudit(bufio.NewReader(bytes.NewReader(file)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if facts.Receipts != 42 || facts.Block.Height != start || count < 5 || facts.Goods[0].Undrawn.Add(facts.Goods[0].Free.Units()).Units() < 42*2000 {
		t.Errorf("%d pages: %+v", count, facts)
	}
	headers, count := w.pages("getgoodsheaders", func() { w.mine(1) })
	found := false
	read, err := proof.OpenHeaders(bufio.NewReader(bytes.NewReader(headers)))
	if err != nil || read.Charter.ID() != w.charter.ID() {
		t.Fatal(err)
	}
	err = read.Each(func(height int32, h *wire.BlockHeader) error {
		found = found || height == start && h.BlockHash() == facts.Block.Hash
		return nil
	})
	if err != nil || !found || count < 3 || read.Count < start {
		t.Errorf("%d headers in %d pages, found %v: %v", read.Count, count, found, err)
	}
	w.fails(CodeInvalidParameter, "not what a page before gave", "getgoodsaudit", `[null,"7700"]`)
	w.fails(CodeInvalidParameter, "not a height of the file", "getgoodsheaders", "[null,100000]")
	w.fails(CodeInvalidParameter, "not a height of the file", "getgoodsheaders", "[null,-1]")
}

// TestProofsArePrepared: once somebody asked, the way back over new blocks is
// made before the next question, for some blocks.
func TestProofsArePrepared(t *testing.T) {
	w := newGoodsWorld(t)
	w.receive(0, 3)
	w.mine(1)
	door := w.door
	prepared := func() bool {
		tip := door.services.Load().Chain.Tip()
		for range 200 {
			if door.proofs.known(tip, tip) != nil {
				return true
			}
			time.Sleep(5 * time.Millisecond)
		}
		return false
	}
	if tip := door.services.Load().Chain.Tip(); door.proofs.known(tip, tip) != nil {
		t.Error("prepared before anybody asked")
	}
	var made madeProof
	w.must(&made, "getgoodsproof", "[2]")
	for range preparedBlocks {
		w.mine(1)
		if !prepared() {
			t.Fatal("nothing is prepared after a block")
		}
	}
	w.must(&made, "getgoodsproof", "[2]")
	if f := w.facts(&made); f.Receipt.Quantity() != 2002 {
		t.Errorf("receipt %+v", f.Receipt.Receipt)
	}
	for range preparedBlocks {
		w.mine(1)
	}
	w.mine(1)
	time.Sleep(20 * time.Millisecond)
	if tip := door.services.Load().Chain.Tip(); door.proofs.known(tip, tip) != nil {
		t.Error("still prepared, though nobody asks any more")
	}
}

// TestProofsWhileBlocksCome asks for many proofs at once, at several depths,
// while the chain goes on and back.
func TestProofsWhileBlocksCome(t *testing.T) {
	w := newGoodsWorld(t)
	w.receive(0, 30)
	w.mine(8)
	engine := w.door.services.Load().Chain
	var asking sync.WaitGroup
	for asker := range 6 {
		asking.Go(func() {
			for i := range 25 {
				at := engine.AtHeight(engine.Tip().Height - int32(asker))
				var made madeProof
				raw, failure := w.call("getgoodsproof", fmt.Sprintf("[%d,%q]", i, at.Hash))
				if failure != nil {
					if !strings.Contains(failure.Message, "not in the active chain") {
						t.Error(failure.Message)
					}
					continue
				}
				if err := json.Unmarshal(raw, &made); err != nil {
					t.Error(err)
					return
				}
				if f := w.facts(&made); f.Receipt.Quantity() != 2000+int64(i) || f.Block.Hash != at.Hash {
					t.Errorf("receipt %+v", f.Receipt.Receipt)
				}
			}
		})
	}
	for i := range 12 {
		w.mine(1)
		if i%4 == 3 {
			tip, _ := w.tip()
			w.must(nil, "invalidateblock", fmt.Sprintf("[%q]", tip))
		}
	}
	asking.Wait()
}

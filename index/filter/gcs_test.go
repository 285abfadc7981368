package filter

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2/gcs"
	"github.com/btcsuite/btcd/btcutil/v2/gcs/builder"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"granary/state"
	"granary/test/vectors"
)

// TestVectors holds filters and headers to BIP158's public test vectors.
func TestVectors(t *testing.T) {
	raw := vectors.Shared(t, "blockfilters.json")
	var rows [][]any
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		t.Run(fmt.Sprint(row[0], " ", row[7]), func(t *testing.T) {
			b, err := state.DecodeBlock(unhex(t, row[2]))
			if err != nil {
				t.Fatal(err)
			}
			var coins []*state.Coin
			for _, script := range row[3].([]any) {
				coins = append(coins, &state.Coin{Script: unhex(t, script)})
			}
			got := Basic(b, [][]*state.Coin{coins})
			if want := unhex(t, row[5]); !bytes.Equal(got, want) {
				t.Fatalf("filter %x, want %x", got, want)
			}
			previous, err := chainhash.NewHashFromStr(row[4].(string))
			if err != nil {
				t.Fatal(err)
			}
			if got := HeaderOf(HashOf(got), *previous).String(); got != row[6] {
				t.Errorf("header %s, want %s", got, row[6])
			}
		})
	}
}

func unhex(t *testing.T, text any) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text.(string))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestAgainstBtcutil holds filters to a second implementation, which also
// finds in them what went in.
func TestAgainstBtcutil(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		script := rapid.OneOf(
			rapid.SliceOfN(rapid.Byte(), 0, 40),
			rapid.SampledFrom([][]byte{nil, {txscript.OP_RETURN}, {txscript.OP_RETURN, 1, 2}, {txscript.OP_TRUE}}),
		)
		msg := &wire.MsgBlock{Header: wire.BlockHeader{Nonce: rapid.Uint32().Draw(t, "nonce")}}
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, SignatureScript: []byte{1, 1}})
		for _, s := range rapid.SliceOfN(script, 1, 300).Draw(t, "outputs") {
			tx.AddTxOut(wire.NewTxOut(1, s))
		}
		msg.Transactions = []*wire.MsgTx{tx}
		var coins []*state.Coin
		spent := rapid.SliceOfN(script, 0, 300).Draw(t, "spent")
		for _, s := range spent {
			coins = append(coins, &state.Coin{Script: s})
		}
		got := Basic(state.NewBlock(msg), [][]*state.Coin{coins})
		want, err := builder.BuildBasicFilter(msg, spent)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := want.NBytes()
		if err != nil {
			t.Fatal(err)
		}
		if want.N() == 0 {
			raw = []byte{0} // as BIP158 writes it
		}
		if !bytes.Equal(got, raw) {
			t.Fatalf("filter %x, btcutil's is %x", got, raw)
		}
		if want.N() == 0 {
			return
		}
		back, err := gcs.FromNBytes(builder.DefaultP, builder.DefaultM, got)
		if err != nil {
			t.Fatal(err)
		}
		hash := msg.BlockHash()
		for _, s := range spent {
			if found, err := back.Match(builder.DeriveKey(&hash), s); len(s) > 0 && (!found || err != nil) {
				t.Fatalf("%x is not found: %v", s, err)
			}
		}
	})
}

// BenchmarkBasic builds the filter of a block with 6,000 scripts.
func BenchmarkBasic(b *testing.B) {
	msg := &wire.MsgBlock{Transactions: []*wire.MsgTx{wire.NewMsgTx(2)}}
	msg.Transactions[0].AddTxIn(&wire.TxIn{SignatureScript: []byte{1, 1}})
	var coins []*state.Coin
	for i := range 3000 {
		msg.Transactions[0].AddTxOut(wire.NewTxOut(1, fmt.Appendf(nil, "an output script %8d", i)))
		coins = append(coins, &state.Coin{Script: fmt.Appendf(nil, "a coin's script  %8d", i)})
	}
	block := state.NewBlock(msg)
	for b.Loop() {
		Basic(block, [][]*state.Coin{coins})
	}
}

package mempool

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/script"
	"granary/state"
)

// signer makes signed transactions from one key, on coins of its own.
type signer struct {
	w      *world
	key    *btcec.PrivateKey
	script []byte
}

func newSigner(w *world) *signer {
	key, public := btcec.PrivKeyFromBytes([]byte{1, 2, 3})
	id := address.Hash160(public.SerializeCompressed())
	return &signer{w, key, append([]byte{txscript.OP_0, 20}, id[:]...)}
}

// coin places a coin.
func (s *signer) coin(n int) wire.OutPoint {
	op := wire.OutPoint{Hash: chainhash.Hash{31: 1}}
	binary.LittleEndian.PutUint64(op.Hash[:], uint64(n))
	s.w.coins[op] = &state.Coin{ValueUnits: coinUnits, Script: s.script, Height: 1}
	return op
}

// spend signs a transaction of one input and two outputs.
func (s *signer) spend(feeUnits int64, op wire.OutPoint) *state.Tx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: wire.MaxTxInSequenceNum})
	msg.AddTxOut(wire.NewTxOut(coinUnits/2, s.script))
	msg.AddTxOut(wire.NewTxOut(coinUnits/2-feeUnits, s.script))
	fetcher := txscript.NewCannedPrevOutputFetcher(s.script, coinUnits)
	witness, err := txscript.WitnessSignature(msg, txscript.NewTxSigHashes(msg, fetcher), 0, coinUnits, s.script, txscript.SigHashAll, s.key, true)
	if err != nil {
		s.w.t.Fatal(err)
	}
	msg.TxIn[0].Witness = witness
	return state.NewTx(msg)
}

// BenchmarkAdmission lets signed transactions in, each with one input; run it
// with -benchtime 50000x for the figures of docs/benchmarks.md.
func BenchmarkAdmission(b *testing.B) {
	checker := script.NewChecker(script.Options{Workers: 2, CacheBytes: 32 << 20})
	defer checker.Close()
	w := newWorld(b, 1, func(o *Options) { o.Scripts = checker })
	s := newSigner(w)
	txs := make([]*state.Tx, b.N)
	for i := range txs {
		txs[i] = s.spend(int64(1000+i%5000), s.coin(i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, tx := range txs {
		w.accept(tx)
	}
}

// TestSigned: what is signed comes in, and what lost its witness is nobody's
// fault.
func TestSigned(t *testing.T) {
	checker := script.NewChecker(script.Options{})
	defer checker.Close()
	w := newWorld(t, 1, func(o *Options) { o.Scripts = checker })
	s := newSigner(w)
	tx := s.spend(1000, s.coin(1))
	bare := tx.Msg.Copy()
	bare.TxIn[0].Witness = nil
	_, err := w.pool.Accept(state.NewTx(bare))
	wantKind(t, "stripped", err, true)
	wrong := tx.Msg.Copy()
	wrong.TxIn[0].Witness[0][10] ^= 1
	_, err = w.pool.Accept(state.NewTx(wrong))
	wantKind(t, "wrongly signed", err, false)
	w.accept(tx)
	w.want(tx)
}

// TestConflictStorm lets replacements, packages and chains compete for a full
// pool: sums hold, memory is bounded, and nothing takes long.
func TestConflictStorm(t *testing.T) {
	const coins = 300
	w := newWorld(t, coins, nil)
	w.pool.maxBytes = 200 * usageOf(w.spend(1000, 1, w.ripe[0]))
	began := time.Now()
	tries, replaced := 0, 0
	defer w.pool.Watch(func(c Change) {
		if c.Why == Replaced {
			replaced++
		}
	})()
	for i := range 6_000 {
		coin := w.ripe[(i*7919)%coins]
		fee := int64(200 + (i*104_729)%30_000)
		tries++
		switch i % 4 {
		case 0:
			parent := w.truc(0, 1, coin)
			if _, err := w.pool.AcceptPackage([]*state.Tx{parent, below(parent, fee)}); err != nil {
				t.Fatal(err)
			}
		case 1: // one that would push out many
			w.pool.Accept(w.spend(fee*3, 1, coin, w.ripe[(i*31+1)%coins], w.ripe[(i*17+2)%coins])) //nolint:errcheck // either is fine
		case 2:
			if e := w.pool.Spender(coin); e != nil && e.Tx.Msg.TxOut[0].Value > fee {
				w.pool.Accept(w.spend(fee, 2, out(e.Tx, 0))) //nolint:errcheck // either is fine
			}
		default:
			w.pool.Accept(w.spend(fee, 2, coin)) //nolint:errcheck // either is fine
		}
		if info := w.pool.Info(); info.UsageBytes > info.MaxBytes {
			t.Fatalf("%d bytes used, %d allowed", info.UsageBytes, info.MaxBytes)
		}
		if i%250 == 0 {
			checkPool(t, w.pool)
		}
	}
	checkPool(t, w.pool)
	t.Logf("%d tries, %d replaced, %d stay, %v each", tries, replaced, w.pool.Info().Count, time.Since(began)/time.Duration(tries))
	if replaced == 0 || w.pool.Info().Count < 50 {
		t.Errorf("%d replaced, %d stay", replaced, w.pool.Info().Count)
	}
}

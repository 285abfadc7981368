package stage

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// FeeUnits is what an ordinary transaction of the play leaves to its miner,
// and FeePerInputUnits what it adds for each coin that it takes.
const (
	FeeUnits         = 2_000
	FeePerInputUnits = 100
)

// Chain is what the people see of the chain.
type Chain interface {
	// View runs f on the state after the tip, which does not move meanwhile.
	View(f func(tip *state.Header, v state.View) error) error
	// RangeCoins calls f for every coin until it returns false.
	RangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error
}

// Person is somebody with one key.
type Person struct {
	Name   string
	Script []byte // P2WPKH of the key
}

// Cast are the people of a chain. It is for one goroutine.
type Cast struct {
	charter *params.Charter
	chain   Chain
	keys    map[string]*btcec.PrivateKey // by script
	spent   map[wire.OutPoint]int32      // by transactions that this cast made above a height
}

// patienceBlocks is how long a coin stays spent by a transaction that was made
// and is not mined.
const patienceBlocks = 20

// New makes a cast of nobody.
func New(charter *params.Charter, chain Chain) *Cast {
	return &Cast{charter: charter, chain: chain, keys: map[string]*btcec.PrivateKey{}, spent: map[wire.OutPoint]int32{}}
}

// Hold gives the cast a key and says who then acts with it.
func (c *Cast) Hold(name string, key *btcec.PrivateKey) Person {
	p := Person{Name: name, Script: ScriptOf(key)}
	c.keys[string(p.Script)] = key
	return p
}

// Person is somebody whose key follows from a secret and the name.
func (c *Cast) Person(secret []byte, name string) Person {
	digest := sha256.Sum256(append(append([]byte("granary/stage"), secret...), name...))
	key, _ := btcec.PrivKeyFromBytes(digest[:]) // a digest beyond the group order has a chance of 2^-127
	return c.Hold(name, key)
}

// ScriptOf is P2WPKH of a key.
func ScriptOf(key *btcec.PrivateKey) []byte {
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, address.Hash160(key.PubKey().SerializeCompressed())...)
}

// Coin is an outpoint and what lies there.
type Coin struct {
	Out wire.OutPoint
	*state.Coin
}

// Draft is a transaction in the making; Sign finishes it.
type Draft struct {
	cast  *Cast
	msg   *wire.MsgTx
	spent []*state.Coin
}

// Draft begins a transaction.
func (c *Cast) Draft() *Draft { return &Draft{cast: c, msg: wire.NewMsgTx(2)} }

// Spend adds an input.
func (d *Draft) Spend(coin Coin) *Draft {
	d.msg.AddTxIn(wire.NewTxIn(&coin.Out, nil, nil))
	d.spent = append(d.spent, coin.Coin)
	return d
}

// Pay adds an output.
func (d *Draft) Pay(units int64, script []byte) *Draft {
	d.msg.AddTxOut(wire.NewTxOut(units, bytes.Clone(script)))
	return d
}

// Record adds the record, which must be the last output.
func (d *Draft) Record(r goods.Record) *Draft {
	return d.Pay(0, goods.RecordScript(r))
}

// Fund adds coins of p until the inputs pay the outputs so far, payUnits more
// and the fee, and gives the change back to p, in front of a record that is
// there.
func (d *Draft) Fund(p Person, payUnits int64) error {
	need := payUnits + FeeUnits
	for _, out := range d.msg.TxOut {
		need += out.Value
	}
	for _, coin := range d.spent {
		need -= coin.ValueUnits
	}
	coins, err := d.cast.Coins(p)
	if err != nil {
		return err
	}
	for _, coin := range coins {
		if need <= 0 {
			break
		}
		d.Spend(coin)
		need += FeePerInputUnits - coin.ValueUnits
	}
	if need > 0 {
		return fmt.Errorf("%s has %d units too few", p.Name, need)
	}
	if need < 0 {
		d.change(wire.NewTxOut(-need, bytes.Clone(p.Script)))
	}
	return nil
}

func (d *Draft) change(out *wire.TxOut) {
	if n := len(d.msg.TxOut); n > 0 {
		if _, is, _ := goods.DecodeRecord(d.msg.TxOut[n-1].PkScript); is {
			goods.AddOutput(d.msg, out)
			return
		}
	}
	d.msg.AddTxOut(out)
}

// Sign signs every input whose key is at hand, leaves those of the treasury
// empty, and marks the coins as spent.
func (d *Draft) Sign() (*state.Tx, error) {
	fetcher := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range d.msg.TxIn {
		fetcher.AddPrevOut(in.PreviousOutPoint, wire.NewTxOut(d.spent[i].ValueUnits, d.spent[i].Script))
	}
	digests := txscript.NewTxSigHashes(d.msg, fetcher)
	treasury := goods.TreasuryScript(d.cast.charter.ID())
	for i, coin := range d.spent {
		if bytes.Equal(coin.Script, treasury) {
			continue
		}
		key := d.cast.keys[string(coin.Script)]
		if key == nil {
			return nil, fmt.Errorf("input %d: nobody here has the key of script %x", i, coin.Script)
		}
		witness, err := txscript.WitnessSignature(d.msg, digests, i, coin.ValueUnits, coin.Script, txscript.SigHashAll, key, true)
		if err != nil {
			return nil, fmt.Errorf("sign input %d: %w", i, err)
		}
		d.msg.TxIn[i].Witness = witness
	}
	height, err := d.cast.nextHeight()
	if err != nil {
		return nil, err
	}
	for _, in := range d.msg.TxIn {
		d.cast.spent[in.PreviousOutPoint] = height
	}
	return state.NewTx(d.msg), nil
}

// Forget lets coins be spent again that a refused transaction marked.
func (c *Cast) Forget(tx *state.Tx) {
	for _, in := range tx.Msg.TxIn {
		delete(c.spent, in.PreviousOutPoint)
	}
}

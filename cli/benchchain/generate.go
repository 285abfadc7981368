package benchchain

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

// Bounds of the shape of the chain.
const (
	// OutputsPerFanOut is how many coins one coinbase is split into.
	OutputsPerFanOut = 2000
	// fanOutsPerBlock keeps a block of them below the weight limit.
	fanOutsPerBlock = 10
	// feeUnits is what every two-input transaction pays.
	feeUnits = 1000
	// startSeconds and spacingSeconds give the block times. They start well
	// after 2012, since btcd applies BIP16 by time even on regtest.
	startSeconds   = 1_609_459_200 // 2021-01-01
	spacingSeconds = 600
	// MaxTxsPerBlock keeps a full block below the weight limit.
	MaxTxsPerBlock = 3000
)

// Options is the shape of a chain.
type Options struct {
	FullBlocks  int    // blocks full of two-input transactions
	TxsPerBlock int    // two-input transactions in each of them
	Coins       int    // coins in the pool before the first full block
	Seed        uint64 // keys, order and kinds follow from it
	Workers     int    // goroutines that sign; 0 is one per core
	// Progress, if set, is told after each block.
	Progress func(height, of int)
}

// Result is what was written.
type Result struct {
	Blocks, Transactions, Signatures int
	Bytes                            int64
	Tip                              chainhash.Hash
}

func (o *Options) fill() error {
	if o.FullBlocks < 1 || o.FullBlocks > 100_000 {
		return errors.New("the number of full blocks must be from 1 to 100000")
	}
	if o.TxsPerBlock < 1 || o.TxsPerBlock > MaxTxsPerBlock {
		return fmt.Errorf("the transactions of a block must be from 1 to %d", MaxTxsPerBlock)
	}
	if o.Coins == 0 {
		o.Coins = max(100_000, 2*o.TxsPerBlock)
	}
	if least := 2 * o.TxsPerBlock; o.Coins < least || o.Coins > 280_000 {
		return fmt.Errorf("the coins of the pool must be from %d (two for each transaction of a block) to 280000", least)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return nil
}

// coin is an unspent output of the pool.
type coin struct {
	out   wire.OutPoint
	value int64
	lock  lock
}

// builder holds the chain's tip and pool while it is written.
type builder struct {
	options  Options
	net      *params.Network
	keys     *keyring
	rand     *rand.Rand
	out      *bufio.Writer
	tip      chainhash.Hash
	height   int32
	total    int
	pool     []coin
	coinbase []coin // of the heights 1, 2, ...
	result   Result
}

// Generate writes the chain to w as records of magic, length and block, without
// the genesis block. It stops between blocks when ctx ends.
func Generate(ctx context.Context, w io.Writer, options Options) (*Result, error) {
	if err := options.fill(); err != nil {
		return nil, err
	}
	fanOuts := (options.Coins + OutputsPerFanOut - 1) / OutputsPerFanOut
	fanBlocks := (fanOuts + fanOutsPerBlock - 1) / fanOutsPerBlock
	empty := params.CoinbaseMaturity + fanOuts
	net := params.RegTest()
	b := &builder{
		options: options, net: net, out: bufio.NewWriterSize(w, 1<<20),
		rand: rand.New(rand.NewPCG(options.Seed, 0x6772616e617279)),
		keys: newKeyring(options.Seed, options.Workers),
		tip:  net.GenesisHash(), total: empty + fanBlocks + options.FullBlocks,
	}
	for range empty {
		if err := b.add(ctx, nil, 0); err != nil {
			return nil, err
		}
	}
	for from := 0; from < fanOuts; from += fanOutsPerBlock {
		if err := b.fanOut(ctx, from, min(from+fanOutsPerBlock, fanOuts)); err != nil {
			return nil, err
		}
	}
	for range options.FullBlocks {
		if err := b.fullBlock(ctx); err != nil {
			return nil, err
		}
	}
	b.result.Blocks, b.result.Tip = int(b.height), b.tip
	return &b.result, b.out.Flush()
}

// fanOut adds a block that splits the coinbases of heights from+1 to to.
func (b *builder) fanOut(ctx context.Context, from, to int) error {
	txs := make([]*unsigned, 0, to-from)
	made := 0
	for i := from; i < to; i++ {
		source := b.coinbase[i]
		count := min(OutputsPerFanOut, b.options.Coins-i*OutputsPerFanOut)
		tx := newUnsigned([]coin{source})
		each := source.value / int64(count)
		for range count {
			tx.pay(each, b.keys.pick(b.rand))
		}
		txs = append(txs, tx)
		made += count
	}
	if err := b.sign(txs); err != nil {
		return err
	}
	if err := b.add(ctx, txs, 0); err != nil {
		return err
	}
	for _, tx := range txs {
		b.pool = append(b.pool, tx.coins()...)
	}
	return nil
}

// fullBlock adds a block of two-input transactions over random pool coins.
func (b *builder) fullBlock(ctx context.Context) error {
	txs := make([]*unsigned, 0, b.options.TxsPerBlock)
	for range b.options.TxsPerBlock {
		first, second := b.take(), b.take()
		tx := newUnsigned([]coin{first, second})
		half := (first.value + second.value - feeUnits) / 2
		tx.pay(half, b.keys.pick(b.rand))
		tx.pay(first.value+second.value-feeUnits-half, b.keys.pick(b.rand))
		txs = append(txs, tx)
	}
	if err := b.sign(txs); err != nil {
		return err
	}
	if err := b.add(ctx, txs, int64(len(txs))*feeUnits); err != nil {
		return err
	}
	for _, tx := range txs {
		b.pool = append(b.pool, tx.coins()...)
	}
	return nil
}

// take removes a random coin from the pool.
func (b *builder) take() coin {
	i := b.rand.IntN(len(b.pool))
	last := len(b.pool) - 1
	chosen := b.pool[i]
	b.pool[i] = b.pool[last]
	b.pool = b.pool[:last]
	return chosen
}

// add assembles, mines and writes the next block.
func (b *builder) add(ctx context.Context, txs []*unsigned, feesUnits int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.height++
	miner := lock{kind: kindP2WPKH, key: int(b.height) % keyCount}
	value := b.net.SubsidyUnits(b.height) + feesUnits
	block := &wire.MsgBlock{Transactions: make([]*wire.MsgTx, 0, len(txs)+1)}
	block.Transactions = append(block.Transactions, coinbaseTx(b.height, value, b.keys.script(miner)))
	for _, tx := range txs {
		block.Transactions = append(block.Transactions, tx.msg)
		b.result.Signatures += tx.signatures
	}
	commit(block)
	block.Header = wire.BlockHeader{
		Version: 0x20000000, PrevBlock: b.tip, MerkleRoot: merkleRoot(block.Transactions, (*wire.MsgTx).TxHash),
		Timestamp: time.Unix(startSeconds+int64(b.height)*spacingSeconds, 0),
		Bits:      b.net.PowLimitBits,
	}
	for target := b.net.PowLimit; ; block.Header.Nonce++ {
		b.tip = block.Header.BlockHash()
		if state.HashMeets(&b.tip, &target) {
			break
		}
	}
	b.coinbase = append(b.coinbase, coin{
		out:   wire.OutPoint{Hash: block.Transactions[0].TxHash()},
		value: value, lock: miner,
	})
	b.result.Transactions += len(block.Transactions)
	if b.options.Progress != nil {
		b.options.Progress(int(b.height), b.total)
	}
	return b.write(block)
}

// write appends one record of magic, length and block.
func (b *builder) write(block *wire.MsgBlock) error {
	var head [8]byte
	magic := b.net.Magic()
	copy(head[:4], magic[:])
	size := block.SerializeSize()
	binary.LittleEndian.PutUint32(head[4:], uint32(size))
	if _, err := b.out.Write(head[:]); err != nil {
		return err
	}
	b.result.Bytes += int64(size) + int64(len(head))
	return block.Serialize(b.out)
}

// coinbaseTx pays value to script; the height stands first in its input
// script (BIP34).
func coinbaseTx(height int32, value int64, script []byte) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	input, err := txscript.NewScriptBuilder().AddInt64(int64(height)).AddInt64(0).Script()
	if err != nil {
		panic(err) // two small numbers always fit a script
	}
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  input, Sequence: wire.MaxTxInSequenceNum,
		Witness: wire.TxWitness{make([]byte, 32)},
	})
	tx.AddTxOut(wire.NewTxOut(value, script))
	return tx
}

// commit adds the witness commitment (BIP141) to the coinbase.
func commit(block *wire.MsgBlock) {
	coinbase := block.Transactions[0]
	root := merkleRoot(block.Transactions, func(tx *wire.MsgTx) chainhash.Hash {
		if tx == coinbase {
			return chainhash.Hash{}
		}
		return tx.WitnessHash()
	})
	sum := chainhash.DoubleHashB(append(root[:], coinbase.TxIn[0].Witness[0]...))
	coinbase.AddTxOut(wire.NewTxOut(0, append([]byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed}, sum...)))
}

func merkleRoot(txs []*wire.MsgTx, id func(*wire.MsgTx) chainhash.Hash) chainhash.Hash {
	row := make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		row[i] = id(tx)
	}
	for len(row) > 1 {
		if len(row)%2 == 1 {
			row = append(row, row[len(row)-1])
		}
		for i := 0; i < len(row)/2; i++ {
			row[i] = chainhash.DoubleHashH(append(row[2*i][:], row[2*i+1][:]...))
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

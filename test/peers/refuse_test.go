package peers

import (
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// pair is btcd and our node on one charter chain, at one tip where goods
// transactions may begin.
type pair struct {
	*world
	demo  *demo
	peer  *btcd
	seats []state.Seat // at the tip, which no accepted rotation has moved
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{peer: startBtcd(t, "--regtest"), demo: newDemo(t, params.BaseRegtest)}
	p.world = newWorld(t, p.demo.rules)
	p.peer.mustTake(p.mine(105)...)
	if p.peer.tip() != p.tip() {
		t.Fatalf("btcd stands at %v, we at %v", p.peer.tip(), p.tip())
	}
	p.seats = p.demo.seats(p.world)
	return p
}

// add puts transactions at the end of a block.
func add(msg *wire.MsgBlock, txs ...*state.Tx) *wire.MsgBlock {
	for _, tx := range txs {
		msg.Transactions = append(msg.Transactions, tx.Msg)
	}
	commit(msg)
	return msg
}

// takePool spends the treasury output of a block to the miner.
func (p *pair) takePool(height int32) *state.Tx {
	p.t.Helper()
	coinbase := p.block(p.engine.AtHeight(height).Hash).Msg.Transactions[0]
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: coinbase.TxHash()}, nil, nil))
	msg.AddTxOut(wire.NewTxOut(coinbase.TxOut[0].Value, p.minerScript()))
	return state.NewTx(msg)
}

// coinbase changes the coinbase of an empty block. The goods commitment is the
// output before the last, which is the witness commitment.
func (p *pair) coinbase(change func(*wire.MsgTx)) *wire.MsgBlock {
	p.t.Helper()
	msg := p.draft()
	change(msg.Transactions[0])
	commit(msg)
	return msg
}

// stricter are blocks that Bitcoin allows and we do not: the goods rules, and
// BIP54, which every chain with a charter holds.
var stricter = []struct {
	name string
	want check.Code
	make func(p *pair) *wire.MsgBlock
}{
	{"seat spent without a record", goods.CodeSeatRecord, func(p *pair) *wire.MsgBlock {
		return add(p.draft(), p.demo.spend(&p.seats[0], wire.NewTxOut(0, p.minerScript())))
	}},
	{"seat burned", goods.CodeSeatRecord, func(p *pair) *wire.MsgBlock {
		return add(p.draft(), p.demo.spend(&p.seats[1], wire.NewTxOut(0, []byte{0x6a})))
	}},
	{"record with a body", goods.CodeRecordMalformed, func(p *pair) *wire.MsgBlock {
		record := goods.RecordScript(goods.Rotate{})
		record = append(record, 0)
		record[1]++
		return add(p.draft(), p.demo.spend(&p.seats[2], wire.NewTxOut(0, p.seats[2].Script), wire.NewTxOut(0, record)))
	}},
	{"record before the last output", goods.CodeRecordPosition, func(p *pair) *wire.MsgBlock {
		return add(p.draft(), p.demo.spend(&p.seats[3], rotateRecord(), wire.NewTxOut(0, p.seats[3].Script)))
	}},
	{"seat acts twice", goods.CodeSeatTwice, func(p *pair) *wire.MsgBlock {
		first := p.demo.rotate(&p.seats[4], "twice")
		moved := p.seats[4]
		moved.Out, moved.Script = wire.OutPoint{Hash: first.Txid}, first.Msg.TxOut[0].PkScript
		return add(p.draft(), first, p.demo.rotate(&moved, "twice again"))
	}},
	{"treasury taken by anybody", goods.CodeTreasurySpend, func(p *pair) *wire.MsgBlock {
		return add(p.draft(), p.takePool(1))
	}},
	{"subsidy to the miner", goods.CodeCoinbaseTreasury, func(p *pair) *wire.MsgBlock {
		return p.coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].PkScript = p.minerScript() })
	}},
	{"subsidy not claimed", goods.CodeCoinbaseSum, func(p *pair) *wire.MsgBlock {
		return p.coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value-- })
	}},
	{"no goods commitment", goods.CodeCommitmentMissing, func(p *pair) *wire.MsgBlock {
		return p.coinbase(func(tx *wire.MsgTx) { tx.TxOut = slices.Delete(tx.TxOut, 1, 2) })
	}},
	{"goods commitment of another state", goods.CodeCommitmentWrong, func(p *pair) *wire.MsgBlock {
		return p.coinbase(func(tx *wire.MsgTx) {
			tx.TxOut[1].PkScript = goods.CommitmentScript(p.rules.Charter.ID(), chainhash.Hash{1})
		})
	}},
	{"coinbase without its lock time (BIP54)", "bad-cb-locktime", func(p *pair) *wire.MsgBlock {
		return p.coinbase(func(tx *wire.MsgTx) { tx.LockTime = 0 })
	}},
}

// TestSoftFork is the direction of the fork: btcd follows each such block, we
// refuse it, and two valid blocks on the other side bring btcd back to us.
func TestSoftFork(t *testing.T) {
	p := newPair(t)
	for _, c := range stricter {
		t.Run(c.name, func(t *testing.T) {
			before := p.tip()
			bad := p.seal(c.make(p))
			if _, err := p.engine.AcceptBlock(bad); check.CodeOf(err) != c.want {
				t.Errorf("we say %v, want %s", err, c.want)
			}
			if p.tip() != before {
				t.Fatalf("we stand at %v", p.tip())
			}
			if refusal := p.peer.submit(bad); refusal != "" {
				t.Fatalf("btcd refuses it: %s", refusal)
			}
			if p.peer.tip() != bad.Hash {
				t.Fatalf("btcd stands at %v, not at the block %v", p.peer.tip(), bad.Hash)
			}
			p.peer.mustTake(p.mine(2)...)
			if p.peer.tip() != p.tip() {
				t.Fatalf("btcd did not come back: it stands at %v, we at %v", p.peer.tip(), p.tip())
			}
		})
	}
}

// invalid are blocks that Bitcoin forbids: our code, and a part of btcd's
// words that shows the reason is the same.
var invalid = []struct {
	name  string
	ours  check.Code
	btcds string
	make  func(p *pair) *state.Block
}{
	{"coinbase pays too much", "bad-cb-amount", "more than expected value", func(p *pair) *state.Block {
		return p.seal(p.coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ }))
	}},
	{"coinbase of another height", "bad-cb-height", "block height is", func(p *pair) *state.Block {
		return p.seal(p.coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript[1]++ }))
	}},
	{"signature of somebody else", "mandatory-script-verify-flag-failed", "input witness", func(p *pair) *state.Block {
		tx := p.demo.rotate(&p.seats[0], "forged")
		sig := slices.Clone(tx.Msg.TxIn[0].Witness[0])
		sig[10] ^= 1
		tx.Msg.TxIn[0].Witness[0] = sig
		return p.seal(add(p.draft(), state.NewTx(tx.Msg)))
	}},
	{"seat spent twice", "bad-txns-inputs-missingorspent", "already been spent", func(p *pair) *state.Block {
		return p.seal(add(p.draft(), p.demo.rotate(&p.seats[1], "once"), p.demo.rotate(&p.seats[1], "once more")))
	}},
	{"value out of nothing", "bad-txns-in-belowout", "less than the amount", func(p *pair) *state.Block {
		return p.seal(add(p.draft(), p.demo.spend(&p.seats[2], wire.NewTxOut(1, p.seats[2].Script), rotateRecord())))
	}},
	{"treasury output before its hundred blocks", "bad-txns-premature-spend-of-coinbase", "required maturity", func(p *pair) *state.Block {
		return p.seal(add(p.draft(), p.takePool(50)))
	}},
	{"merkle root of another block", "bad-txnmrklroot", "merkle root is invalid", func(p *pair) *state.Block {
		msg := p.draft()
		msg.Header.MerkleRoot[0] ^= 1
		return p.seal(msg)
	}},
	{"witness commitment of another block", "bad-witness-merkle-match", "witness commitment does not match", func(p *pair) *state.Block {
		msg := p.coinbase(func(*wire.MsgTx) {})
		last := msg.Transactions[0].TxOut[len(msg.Transactions[0].TxOut)-1]
		last.PkScript[len(last.PkScript)-1] ^= 1
		msg.Header.MerkleRoot = msg.Transactions[0].TxHash()
		return p.seal(msg)
	}},
	{"time of the past", "time-too-old", "not after expected", func(p *pair) *state.Block {
		msg := p.draft()
		msg.Header.Timestamp = p.engine.Tip().Ancestor(p.engine.Tip().Height - 5).Raw.Timestamp
		return p.seal(msg)
	}},
	{"other difficulty", "bad-diffbits", "not the expected value", func(p *pair) *state.Block {
		msg := p.draft()
		msg.Header.Bits--
		return p.seal(msg)
	}},
	{"no work", "high-hash", "higher than expected", func(p *pair) *state.Block {
		msg := p.draft()
		target, _ := state.TargetOf(msg.Header.Bits)
		for hash := msg.BlockHash(); state.HashMeets(&hash, &target); hash = msg.BlockHash() {
			msg.Header.Nonce++
		}
		return state.NewBlock(msg)
	}},
}

// TestBothRefuse: what Bitcoin forbids neither takes, for the same reason, and
// neither is shaken by it.
func TestBothRefuse(t *testing.T) {
	p := newPair(t)
	for _, c := range invalid {
		t.Run(c.name, func(t *testing.T) {
			bad := c.make(p)
			if _, err := p.engine.AcceptBlock(bad); check.CodeOf(err) != c.ours {
				t.Errorf("we say %v, want %s", err, c.ours)
			}
			if refusal := p.peer.submit(bad); !strings.Contains(refusal, c.btcds) {
				t.Errorf("btcd says %q, want %q in it", refusal, c.btcds)
			}
			if p.peer.tip() != p.tip() || p.tip() == bad.Hash {
				t.Fatalf("btcd stands at %v, we at %v", p.peer.tip(), p.tip())
			}
		})
	}
	p.peer.mustTake(p.mine(1)...)
	if p.peer.tip() != p.tip() {
		t.Errorf("afterwards btcd stands at %v, we at %v", p.peer.tip(), p.tip())
	}
}

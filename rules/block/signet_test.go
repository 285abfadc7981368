package block

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// solution is script and witness as they stand behind the signet header.
func solution(sigScript []byte, witness ...[]byte) []byte {
	var buf bytes.Buffer
	for _, err := range []error{wire.WriteVarBytes(&buf, 0, sigScript), wire.WriteVarInt(&buf, 0, uint64(len(witness)))} {
		if err != nil {
			panic(err)
		}
	}
	for _, item := range witness {
		if err := wire.WriteVarBytes(&buf, 0, item); err != nil {
			panic(err)
		}
	}
	return buf.Bytes()
}

// seal puts a solution behind the witness commitment.
func seal(msg *wire.MsgBlock, solution []byte) {
	coinbase := msg.Transactions[0]
	out := coinbase.TxOut[WitnessCommitmentIndex(coinbase)]
	out.PkScript = appendPush(out.PkScript[:commitmentBytes:commitmentBytes], append(bytes.Clone(signetHeader), solution...))
	SetMerkleRoot(msg)
}

// Trivial challenges need no solution, but the witness commitment must be
// there (BIP325): OP_TRUE, and the salted form that keeps charters apart.
func TestSignetTrivialChallenges(t *testing.T) {
	salted := append(append([]byte{0x20}, bytes.Repeat([]byte{0xab}, 32)...), 0x75, 0x51)
	for name, challenge := range map[string][]byte{"OP_TRUE": {0x51}, "salted": salted} {
		l := newLedger(t, Rules{Net: params.SigNet(challenge)})
		msg := l.template()
		want(t, name, l.rules.CheckBlock(state.NewBlock(msg)), "", 0)
		seal(msg, solution(nil))
		want(t, name+" with an empty solution", l.rules.CheckBlock(state.NewBlock(msg)), "", 0)
		seal(msg, append(solution(nil), 0))
		want(t, name+" with bytes behind the solution", l.rules.CheckBlock(state.NewBlock(msg)), "bad-signet-blksig", check.Consensus)
		seal(msg, []byte{5, 1})
		want(t, name+" with a cut solution", l.rules.CheckBlock(state.NewBlock(msg)), "bad-signet-blksig", check.Consensus)
		msg.Transactions[0].TxOut = msg.Transactions[0].TxOut[:1]
		msg.Transactions[0].TxIn[0].Witness = nil
		SetMerkleRoot(msg)
		want(t, name+" without commitment", l.rules.CheckBlock(state.NewBlock(msg)), "bad-signet-blksig", check.Consensus)
		want(t, name+" genesis", l.rules.CheckBlock(l.blocks[0]), "", 0)
	}
	never := newLedger(t, Rules{Net: params.SigNet([]byte{txscript.OP_RETURN})})
	want(t, "impossible challenge", never.rules.CheckBlock(state.NewBlock(never.template())), "bad-signet-blksig", check.Consensus)
}

// A challenge of one key: the solution signs version, parent, transactions
// and time; the solution itself, nonce and bits are free.
func TestSignetSignedBlock(t *testing.T) {
	key, pub := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{7}, 32))
	challenge, err := txscript.NewScriptBuilder().AddData(pub.SerializeCompressed()).AddOp(txscript.OP_CHECKSIG).Script()
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(t, Rules{Net: params.SigNet(challenge)})
	msg := l.template()
	want(t, "not signed", l.rules.CheckBlock(state.NewBlock(msg)), "bad-signet-blksig", check.Consensus)
	seal(msg, solution(nil))
	_, toSign, err := SignetTxs(msg, challenge)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := txscript.RawTxInSignature(toSign, 0, challenge, txscript.SigHashAll, key)
	if err != nil {
		t.Fatal(err)
	}
	sigScript := append([]byte{byte(len(signature))}, signature...)
	sealed := func() *wire.MsgBlock {
		copied := *msg
		copied.Transactions = []*wire.MsgTx{msg.Transactions[0].Copy()}
		seal(&copied, solution(sigScript))
		return &copied
	}
	verdict := func(bend func(*wire.MsgBlock)) error {
		m := sealed()
		bend(m)
		SetMerkleRoot(m)
		return l.rules.CheckBlock(state.NewBlock(m))
	}
	want(t, "signed", verdict(func(*wire.MsgBlock) {}), "", 0)
	want(t, "other nonce", verdict(func(m *wire.MsgBlock) { m.Header.Nonce++ }), "", 0)
	want(t, "other version", verdict(func(m *wire.MsgBlock) { m.Header.Version++ }), "bad-signet-blksig", check.Consensus)
	want(t, "other parent", verdict(func(m *wire.MsgBlock) { m.Header.PrevBlock[0]++ }), "bad-signet-blksig", check.Consensus)
	want(t, "other time", verdict(func(m *wire.MsgBlock) {
		m.Header.Timestamp = m.Header.Timestamp.Add(1e9)
	}), "bad-signet-blksig", check.Consensus)
	want(t, "other coinbase", verdict(func(m *wire.MsgBlock) { m.Transactions[0].TxOut[0].Value-- }), "bad-signet-blksig", check.Consensus)
	want(t, "bytes behind the solution's push", verdict(func(m *wire.MsgBlock) {
		out := m.Transactions[0].TxOut[1]
		out.PkScript = append(out.PkScript, txscript.OP_NOP)
	}), "bad-signet-blksig", check.Consensus)
}

// Block 1 of the public signet, with its solution by the public challenge.
func TestSignetPublicBlockOne(t *testing.T) {
	raw, err := hex.DecodeString(publicSignetBlockOne)
	if err != nil {
		t.Fatal(err)
	}
	b, err := state.DecodeBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Hash.String(); got != "00000086d6b2636cb2a392d45edc4ec544a10024d30141c9adf4bfd9de533b53" {
		t.Fatalf("block %s", got)
	}
	rules := Rules{Net: params.SigNet(chaincfg.DefaultSignetChallenge)}
	want(t, "public block", rules.CheckBlock(b), "", 0)
	genesis := state.NewHeader(&rules.Net.Chain.GenesisBlock.Header, nil)
	want(t, "its header", rules.CheckHeader(&b.Msg.Header, genesis, b.Msg.Header.Timestamp.Unix()), "", 0)
	want(t, "its place", rules.CheckBlockContext(b, genesis), "", 0)
	other := Rules{Net: params.SigNet(append([]byte{txscript.OP_NOP}, chaincfg.DefaultSignetChallenge...))}
	want(t, "another challenge", other.CheckBlock(b), "bad-signet-blksig", check.Consensus)
}

// The script of the commitment is rewritten as Bitcoin Core does it: opcodes
// that push nothing stay, pushes get the shortest length, and what does not
// parse is dropped, all only where a solution is found.
func TestCutSolution(t *testing.T) {
	for _, c := range []struct{ name, script, cleared, solution string }{
		{"no header", "6a0401020304", "6a0401020304", ""},
		{"header and nothing", "6a04ecc7daa2", "6a04ecc7daa2", ""},
		{"header and a byte", "6a05ecc7daa2ff", "6a04ecc7daa2", "ff"},
		{"the first counts", "6a05ecc7daa20105ecc7daa202", "6a04ecc7daa205ecc7daa202", "01"},
		{"long push of few bytes", "6a4c05ecc7daa2ff", "6a04ecc7daa2", "ff"},
		{"other push made shorter", "6a4d01000705ecc7daa2ff", "6a010704ecc7daa2", "ff"},
		{"empty long push", "6a4c0005ecc7daa2ff", "6a4c04ecc7daa2", "ff"},
		{"small numbers", "6a515f05ecc7daa2ff", "6a515f04ecc7daa2", "ff"},
		{"broken tail with solution", "6a05ecc7daa2ff05aa", "6a04ecc7daa2", "ff"},
		{"broken tail without", "6a05aa", "6a05aa", ""},
	} {
		script, err := hex.DecodeString(c.script)
		if err != nil {
			t.Fatal(err)
		}
		cleared, solution := cutSolution(script)
		if hex.EncodeToString(cleared) != c.cleared || hex.EncodeToString(solution) != c.solution {
			t.Errorf("%s: %x and %x", c.name, cleared, solution)
		}
	}
}

// FuzzSignetSolution: no solution makes the parser fail or allocate beyond its
// bytes, and what parses is what the bytes say.
func FuzzSignetSolution(f *testing.F) {
	f.Add(solution(nil))
	f.Add(solution([]byte{1, 2}, []byte{3}, nil, make([]byte, 300)))
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		cutSolution(raw)
		sigScript, witness, err := parseSolution(raw)
		if err != nil || raw == nil {
			return
		}
		if again := solution(sigScript, witness...); !bytes.Equal(again, raw) {
			t.Fatalf("%x became %x", raw, again)
		}
	})
}

// publicSignetBlockOne is the serialized block 1 of the public signet.
const publicSignetBlockOne = "00000020f61eee3b63a380a477a063af32b2bbc97c9ff9f01f2c4225e973988108000000" +
	"f575c83235984e7dc4afc1f30944c170462e84437ab6f2d52e16878a79e4678bd1914d5fae77031eccf40700" +
	"01010000000001010000000000000000000000000000000000000000000000000000000000000000ffffffff025151feffffff" +
	"0200f2052a010000001600149243f727dd5343293eb83174324019ec16c2630f" +
	"0000000000000000776a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9" +
	"4c4fecc7daa2490047304402205e423a8754336ca99dbe16509b877ef1bf98d008836c725005b3c787c41ebe46022047246e4467ad7cc7f1ad98662afcaf14c115e0095a227c7b05c5182591c23e7e0100" +
	"0120000000000000000000000000000000000000000000000000000000000000000000000000"

package rpc

import (
	"encoding/hex"
	"strings"
	"testing"

	"granary/state"
)

// TestCoreWords: codes and texts that Bitcoin Core's functional tests compare.
func TestCoreWords(t *testing.T) {
	w := newWorld(t, nil)
	const key = "tpubD6NzVbkrYhZ4XgiXtGrdW5XDAPFCL9h7we1vwNCpn8tGbBcgfVYjXyhWo4E1xkh56hjod1RhGjxbaTLV3X4FyWuejifB9jusQ46QzG87VKp"
	w.fails(CodeInvalidParameter, "Ranged descriptor not accepted. Maybe pass through deriveaddresses first?", "generateblock", `["pkh(`+key+`/0/*)",[]]`)
	w.fails(CodeMethodNotFound, "generate\n\nhas been replaced by the -generate cli option. Refer to -help for more information.\n", "generate", `[1]`)
	genesis := w.text("getblockhash", "[0]")
	w.fails(CodeInvalidParameter, "parameter 3 must be of length 64 (not 6, for 'foobar')", "getrawtransaction", `["`+genesis+`",true,"foobar"]`)
	w.fails(CodeInvalidParameter, "parameter 1 must be of length 64 (not 2, for 'ab')", "getrawtransaction", `["ab"]`)
	w.fails(CodeMisc, "Internal bug detected: CHECK_NONFATAL is what a test asked for here", "echo", `{"arg9":"trigger_internal_bug"}`)

	// A block whose first transaction is none is a proposal that fails, and
	// no submission at all.
	raw, err := hex.DecodeString(w.text("getblock", `["`+genesis+`",0]`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := state.DecodeBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	msg := *b.Msg
	msg.Transactions = append(msg.Transactions[:0:0], msg.Transactions[0].Copy())
	msg.Transactions[0].TxIn[0].PreviousOutPoint.Index = 1
	without := hex.EncodeToString(state.NewBlock(&msg).Raw)
	if got := w.text("getblocktemplate", `[{"mode":"proposal","rules":["segwit"],"data":"`+without+`"}]`); got != "bad-cb-missing" {
		t.Errorf("proposal: %s", got)
	}
	w.fails(CodeDeserialization, noCoinbase, "submitblock", `["`+without+`"]`)
	w.fails(CodeDeserialization, "Block decode failed", "getblocktemplate", `[{"mode":"proposal","rules":["segwit"],"data":"`+strings.Repeat("ff", 90)+`"}]`)
}

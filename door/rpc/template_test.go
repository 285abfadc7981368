package rpc

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

// work is what a miner reads of a template here.
type work struct {
	Previous     string `json:"previousblockhash"`
	LongPollID   string `json:"longpollid"`
	Transactions []struct{ Txid string }
}

// askWork asks for work in the background, newer than id if that is not "".
func (w *world) askWork(id string) <-chan work {
	w.t.Helper()
	request := `{"rules":["segwit"]}`
	if id != "" {
		request = `{"rules":["segwit"],"longpollid":"` + id + `"}`
	}
	out := make(chan work, 1)
	go func() {
		var got work
		raw, failure := w.call("getblocktemplate", "["+request+"]")
		if failure != nil || json.Unmarshal(raw, &got) != nil {
			w.t.Errorf("getblocktemplate %s: %v %s", request, failure, raw)
		}
		out <- got
	}()
	return out
}

// getWork waits for the answer.
func (w *world) getWork(from <-chan work) work {
	w.t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(30 * time.Second):
		w.t.Fatal("no work in time")
		return work{}
	}
}

// mustWait wants one call to be waiting, and to go on doing so.
func (w *world) mustWait(from <-chan work) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); len(w.door.running.list()) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	select {
	case got := <-from:
		w.t.Fatalf("the long poll did not wait but gave %+v", got)
	case <-time.After(100 * time.Millisecond):
	}
}

// spendFirst sends a transaction that spends the coin of the first block.
func (w *world) spendFirst(txid string) {
	w.t.Helper()
	coinbase, err := chainhash.NewHashFromStr(txid)
	if err != nil {
		w.t.Fatal(err)
	}
	script, err := hex.DecodeString("00204ae81572f06e1b88fd5ced7a1a000945432e83e1551e6f721ee9c00b8cc33260")
	if err != nil {
		w.t.Fatal(err)
	}
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: *coinbase}, nil, wire.TxWitness{{0x51}}))
	msg.AddTxOut(wire.NewTxOut(50*params.UnitsPerCoin-10_000, script))
	w.text("sendrawtransaction", `["`+hex.EncodeToString(state.NewTx(msg).Raw)+`"]`)
}

// TestLongPoll: an answer waits for a block, or, from a while on, for the
// mempool; work that is old already is answered at once, and an end of the
// door ends the wait.
func TestLongPoll(t *testing.T) {
	w := newWorld(t, nil)
	w.door.work.firstLook, w.door.work.nextLook = 300*time.Millisecond, 20*time.Millisecond
	var hashes []string
	w.must(&hashes, "generatetoaddress", `[101,"`+opTrueAddress+`"]`)
	first := w.getWork(w.askWork(""))
	if first.Previous != hashes[100] || !strings.HasPrefix(first.LongPollID, first.Previous) {
		t.Fatalf("the first work is %+v", first)
	}

	// A block ends the wait. Meanwhile others are answered.
	waiting := w.askWork(first.LongPollID)
	w.mustWait(waiting)
	w.must(nil, "getblockcount", "")
	w.must(&hashes, "generatetoaddress", `[1,"`+opTrueAddress+`"]`)
	second := w.getWork(waiting)
	if second.Previous != hashes[0] || second.LongPollID == first.LongPollID {
		t.Errorf("after a block the work is %+v", second)
	}

	// Old work, at once.
	if got := w.getWork(w.askWork(first.LongPollID)); got.LongPollID != second.LongPollID {
		t.Errorf("for old work the answer is %+v", got)
	}

	// The mempool ends the wait too, but not before its time; the work holds
	// what came.
	waiting = w.askWork(second.LongPollID)
	w.mustWait(waiting)
	w.clock.Advance(2 * workAge)
	var block struct{ Tx []string }
	var hash string
	w.must(&hash, "getblockhash", "[1]")
	w.must(&block, "getblock", `["`+hash+`"]`)
	w.spendFirst(block.Tx[0])
	third := w.getWork(waiting)
	if third.Previous != second.Previous || third.LongPollID == second.LongPollID || len(third.Transactions) != 1 {
		t.Errorf("after a transaction the work is %+v", third)
	}

	w.fails(CodeInvalidParameter, "longpollid must be hexadecimal string", "getblocktemplate",
		`[{"rules":["segwit"],"longpollid":"`+strings.Repeat("x", 65)+`"}]`)
}

// TestLongPollEnds: who waits for work is told when the door closes.
func TestLongPollEnds(t *testing.T) {
	w := newWorld(t, nil)
	first := w.getWork(w.askWork(""))
	ended := make(chan *Error, 1)
	go func() {
		_, failure := w.call("getblocktemplate", `[{"rules":["segwit"],"longpollid":"`+first.LongPollID+`"}]`)
		ended <- failure
	}()
	for len(w.door.running.list()) == 0 {
		time.Sleep(time.Millisecond)
	}
	w.closeDoor()
	if failure := <-ended; failure == nil || failure.Code != codeNotConnected {
		t.Errorf("the wait ended with %v", failure)
	}
}

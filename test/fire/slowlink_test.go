package fire

import (
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
	"granary/test/fleet"
)

// TestSlowLink puts a node behind one slow line: it follows full blocks, each
// of which takes minutes, over one connection that nobody gives up. In the
// short form the line is faster and the same blocks take seconds.
func TestSlowLink(t *testing.T) {
	bitsPerSecond, blocks := 3_200_000, 2
	if fleet.Long() {
		bitsPerSecond, blocks = 16_000, 3
	}
	net := newSpaces(t, 2)
	source, slow := fleet.New(t, "source", ""), fleet.New(t, "slow", "")
	net.put(source, 0)
	net.put(slow, 1)
	slow.Args = []string{"--connect=" + source.Addr()}
	source.Start()
	source.Mine(100 + blocks)
	slow.Start()
	follow(slow, source)
	net.slow(1, bitsPerSecond)
	sizeBytes := 0
	for i := range blocks {
		sizeBytes = fullBlock(source, int32(1+i))
	}
	must := time.Duration(blocks*sizeBytes*8) * time.Second / time.Duration(bitsPerSecond)
	began := time.Now()
	slow.Wait(2*must+2*time.Minute, "follows full blocks", func() bool { return slow.Tip() == source.Tip() })
	t.Logf("%d blocks of %d bytes over %d bit/s: %v; the line alone needs %v", blocks, sizeBytes, bitsPerSecond,
		time.Since(began).Round(time.Second), must.Round(time.Second))
	if links := len(slow.Peers()); links != 1 {
		t.Errorf("%d links, not the one it had", links)
	}
}

// fullBlock mines a block of about a million bytes, which spends the coinbase
// of a height, and gives its size.
func fullBlock(n *fleet.Node, height int32) (sizeBytes int) {
	n.T.Helper()
	var hash string
	n.Call("getblockhash", &hash, height)
	var block struct {
		Tx []string `json:"tx"`
	}
	n.Call("getblock", &block, hash)
	txid, err := chainhash.NewHashFromStr(block.Tx[0])
	if err != nil {
		n.T.Fatal(err)
	}
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(wire.NewOutPoint(txid, 0), nil, nil))
	const fillBytes = 990_000
	fill := make([]byte, fillBytes)
	fill[0] = 0x6a // OP_RETURN
	for i := 1; i < fillBytes; i++ {
		fill[i] = byte(i*i>>7 ^ i) // does not compress
	}
	msg.AddTxOut(wire.NewTxOut(0, fill))
	var made struct {
		Hash string `json:"hash"`
	}
	n.Call("generateblock", &made, fleet.Anyone, []string{hex.EncodeToString(state.NewTx(msg).Raw)})
	var size struct {
		Size json.Number `json:"size"`
	}
	n.Call("getblock", &size, made.Hash)
	count, err := size.Size.Int64()
	if err != nil {
		n.T.Fatal(err)
	}
	return int(count)
}

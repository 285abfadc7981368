package goods

import (
	"bytes"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

// TreasuryScript is the output script that only the goods rules open: OP_16
// and a push of the charter id. Stock Bitcoin nodes see an unknown witness
// version.
func TreasuryScript(id params.CharterID) []byte {
	return append([]byte{txscript.OP_16, txscript.OP_DATA_32}, id[:]...)
}

func (g *Block) isTreasury(script []byte) bool { return bytes.Equal(script, g.treasury) }

// noteSpent tells followers what a draw took from the pool.
func (g *Block) noteSpent(msg *wire.MsgTx, spent []*state.Coin) {
	for i, coin := range spent {
		g.events = append(g.events, TreasurySpent{Out: msg.TxIn[i].PreviousOutPoint, Units: coin.ValueUnits})
	}
}

// notePaid tells followers what was paid into the pool.
func (g *Block) notePaid(tx *state.Tx, named map[int]state.MeaningKind, coinbase bool) {
	for i, out := range tx.Msg.TxOut {
		if _, other := named[i]; !other && g.isTreasury(out.PkScript) {
			g.events = append(g.events, TreasuryPaid{Out: outpoint(tx, i), Units: out.Value, Coinbase: coinbase})
		}
	}
}

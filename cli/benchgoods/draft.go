package benchgoods

import (
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// coin is an ordinary output that anybody can spend.
type coin struct {
	out   wire.OutPoint
	units int64
}

// purse is what the bench remembers of the chain beside its state: coins to
// redeem with and the outputs of the pool.
type purse struct {
	coins []coin
	// pool are the pool's outputs that draws can spend, the next one last;
	// young are coinbases that wait to mature, oldest first.
	pool  []coin
	young []youngCoin
}

type youngCoin struct {
	coin
	height int32
}

// draft is a block on its way.
type draft struct {
	charter *params.Charter
	view    state.GoodsView // after the block before
	parent  *state.Header
	purse   *purse

	params    params.Parameters
	seats     map[seatPlace]*state.Seat
	prices    map[int64]int64 // by measures
	txs       []*wire.MsgTx
	feesUnits int64
	change    []coin // coins for the blocks after this one
}

type seatPlace struct {
	role  state.Role
	index uint16
}

func newDraft(charter *params.Charter, parent *state.Header, view state.GoodsView, p *purse) (*draft, error) {
	d := &draft{charter: charter, view: view, parent: parent, purse: p, seats: map[seatPlace]*state.Seat{}, prices: map[int64]int64{}}
	if d.height() == 1 {
		return d, nil // nothing is in force yet, and nothing can be done
	}
	seats, err := goods.ReadSeats(view)
	if err != nil {
		return nil, err
	}
	for i := range seats {
		d.seats[seatPlace{seats[i].Role, seats[i].Index}] = &seats[i]
	}
	if d.params, err = goods.ReadParameters(view); err != nil {
		return nil, err
	}
	for len(p.young) > 0 && p.young[0].height+params.CoinbaseMaturity <= d.height() {
		p.pool = slices.Insert(p.pool, 0, p.young[0].coin)
		p.young = p.young[1:]
	}
	return d, nil
}

func (d *draft) height() int32 { return d.parent.Height + 1 }

// price is what a redemption of measures costs in this block.
func (d *draft) price(receipt *state.Receipt, measures int64) (int64, error) {
	if units, known := d.prices[measures]; known {
		return units, nil
	}
	units, err := goods.ReadPrice(d.view, receipt, measures)
	d.prices[measures] = units // one good, no default: the same for all
	return units, err
}

// act lets a seat act with nothing but its record.
func (d *draft) act(role state.Role, index uint16, r goods.Record) error {
	seat := d.seats[seatPlace{role, index}]
	if seat == nil {
		return fmt.Errorf("there is no %s %d", role, index)
	}
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, seat.Script))
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(r)))
	d.txs = append(d.txs, msg)
	return nil
}

// draw carries coins of a receipt out of the pool: of most measures, or of all
// that are undrawn. The payment becomes a coin for later blocks.
func (d *draft) draw(number uint64, most int64) error {
	receipt, err := d.receipt(number)
	if err != nil {
		return err
	}
	measures := min(most, receipt.Undrawn)
	good, err := goods.ReadGood(d.view, receipt.Good)
	if err != nil {
		return err
	}
	release := goods.CreditUnits(receipt, good, measures)
	var ins []wire.OutPoint
	var held int64
	for held < release {
		last := len(d.purse.pool) - 1
		if last < 0 {
			return errors.New("the bench's pool is empty")
		}
		ins, held = append(ins, d.purse.pool[last].out), held+d.purse.pool[last].units
		d.purse.pool = d.purse.pool[:last]
	}
	msg, err := goods.DrawTx(d.charter.ID(), receipt, &d.params, measures, release, ins, held)
	if err != nil {
		return err
	}
	txid := msg.TxHash()
	if held > release {
		d.purse.pool = append(d.purse.pool, coin{wire.OutPoint{Hash: txid, Index: 1}, held - release})
	}
	d.txs = append(d.txs, msg)
	d.feesUnits += goods.DrawFeeUnits(release, d.params.MinerShareBP)
	d.change = append(d.change, coin{wire.OutPoint{Hash: txid, Index: 0}, msg.TxOut[0].Value})
	return nil
}

// redeem pays from one coin for goods of a receipt and gives the change.
func (d *draft) redeem(number uint64, measures int64, from coin) (change coin, err error) {
	receipt, err := d.receipt(number)
	if err != nil {
		return coin{}, err
	}
	price, err := d.price(receipt, measures)
	if err != nil {
		return coin{}, err
	}
	msg := goods.RedeemTx(d.charter.ID(), receipt, measures, price, freeScript(kindHolder, number))
	msg.AddTxIn(wire.NewTxIn(&from.out, nil, nil))
	if from.units < price {
		return coin{}, fmt.Errorf("a coin of %d units does not pay %d", from.units, price)
	}
	change = coin{units: from.units - price}
	goods.AddOutput(msg, wire.NewTxOut(change.units, freeScript(kindDepositor, number)))
	change.out = wire.OutPoint{Hash: msg.TxHash(), Index: 2}
	d.txs = append(d.txs, msg)
	return change, nil
}

func (d *draft) receipt(number uint64) (*state.Receipt, error) {
	receipt, err := goods.ReadReceipt(d.view, number)
	if err == nil && receipt == nil {
		err = fmt.Errorf("the bench's receipt %d is not there", number)
	}
	return receipt, err
}

func (d *draft) claim(number uint64) (*state.Claim, error) {
	claim, err := goods.ReadClaim(d.view, number)
	if err == nil && claim == nil {
		err = fmt.Errorf("the bench's claim %d is not there", number)
	}
	return claim, err
}

// done tells the purse of the block that the draft became.
func (d *draft) done(b *state.Block) {
	d.purse.coins = append(d.purse.coins, d.change...)
	treasury := b.Msg.Transactions[0].TxOut[0]
	out := wire.OutPoint{Hash: b.Txids[0]}
	d.purse.young = append(d.purse.young, youngCoin{coin{out, treasury.Value}, d.height()})
}

package goods

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// receipts counts everything that follows from the open receipts again: lots,
// holdings, what counts until when, the reserve, and that no receipt released
// more than the credit of what it opened with.
func (r *recount) receipts() error {
	expect := map[string][]byte{}
	holdings := map[[2]uint16]*state.Holding{}
	fresh := map[string]int64{}
	next, err := r.view.Goods(state.KeyNextReceipt())
	if err != nil {
		return err
	}
	numbers, err := state.DecodeNumber(next)
	if err != nil {
		return err
	}
	var failed error
	err = RangeReceipts(r.view, func(receipt *state.Receipt) bool {
		lot := string(state.KeyLot(LotCommitment(receipt.Registry, receipt.Serial)))
		switch {
		case receipt.Number >= numbers || receipt.Opened > r.height || receipt.Observed >= receipt.Opened:
			failed = fmt.Errorf("receipt %d is from the future", receipt.Number)
		case receipt.Quantity() != receipt.OpenedWith:
			failed = fmt.Errorf("receipt %d: undrawn, free and owed are not the %d it opened with", receipt.Number, receipt.OpenedWith)
		case expect[lot] != nil:
			failed = fmt.Errorf("receipt %d is for the lot of another", receipt.Number)
		default:
			failed = r.checkReleased(receipt)
		}
		if failed != nil {
			return false
		}
		expect[lot] = state.EncodeNumber(receipt.Number)
		at := [2]uint16{receipt.Custodian, receipt.Good}
		if holdings[at] == nil {
			holdings[at] = &state.Holding{}
		}
		h := holdings[at]
		h.Whole += receipt.Quantity()
		h.Free += receipt.Free
		if receipt.Fresh(r.height) && receipt.Free > 0 {
			h.Counted += receipt.Free
			fresh[string(state.KeyFresh(receipt.ValidUntil, receipt.Custodian, receipt.Good))] += receipt.Free
		}
		return true
	})
	if err := firstError(err, failed); err != nil {
		return err
	}
	for key, measures := range fresh {
		expect[key] = state.EncodeLimit(measures)
	}
	if err := r.expectHoldings(expect, holdings); err != nil {
		return err
	}
	return r.holdsExactly(expect, state.KeyLot(chainhash.Hash{})[0], state.KeyFresh(0, 0, 0)[0],
		state.KeyHolding(0, 0)[0], state.KeyReserve()[0])
}

// checkReleased: the credit of what is free covers what was released, and the
// credit of the whole covers it all the more.
func (r *recount) checkReleased(receipt *state.Receipt) error {
	g := Block{over: state.NewOverlay(goodsOnly{r.view}, 0)}
	good, err := g.good(receipt.Good)
	if err != nil {
		return err
	}
	for _, measures := range []int64{receipt.OpenedWith, receipt.Free + receipt.Owed} {
		if credit := CreditUnits(receipt, good, measures); receipt.ReleasedUnits > credit {
			return fmt.Errorf("receipt %d released %d units, the credit of %d measures is %d", receipt.Number, receipt.ReleasedUnits, measures, credit)
		}
	}
	return nil
}

// goodsOnly lets the goods rules read where there are no coins.
type goodsOnly struct{ state.GoodsView }

func (goodsOnly) Coin(wire.OutPoint) (*state.Coin, error) { return nil, nil }

// expectHoldings adds the holdings, and the reserve that follows from them.
func (r *recount) expectHoldings(expect map[string][]byte, holdings map[[2]uint16]*state.Holding) error {
	var reserve state.Reserve
	g := Block{over: state.NewOverlay(goodsOnly{r.view}, 0)}
	for at, h := range holdings {
		good, err := g.good(at[1])
		if err != nil {
			return err
		}
		limit, err := g.allowance(at[0], at[1])
		if err != nil {
			return err
		}
		if h.Whole > limit {
			return fmt.Errorf("custodian %d holds %d of good %d, its limit is %d", at[0], h.Whole, at[1], limit)
		}
		reserve = revalue(reserve, good, state.Holding{}, *h)
		expect[string(state.KeyHolding(at[0], at[1]))] = h.Encode()
	}
	if value := reserve.Encode(); value != nil {
		expect[string(state.KeyReserve())] = value
	}
	return nil
}

// proposals: every attestation and every used proposal has its mark in the
// order of expiry, none is over, and there are no other marks.
func (r *recount) proposals() error {
	expect := map[string][]byte{}
	var failed error
	from, to := state.AttestationKeys()
	err := r.view.GoodsRange(from, to, func(key, value []byte) bool {
		a, err := state.DecodeAttestation(value)
		hash, auditor := chainhash.Hash(key[1:33]), uint16(key[33])<<8|uint16(key[34])
		switch {
		case err != nil:
			failed = err
		case a.Height > r.height || a.Until < r.height || int(auditor) >= len(r.charter.Auditors):
			failed = fmt.Errorf("attestation %x of %d to %d should not be there", key, a.Height, a.Until)
		}
		expect[string(state.KeyExpiry(later(a.Until, 1), hash, auditor))] = state.ExpiryMark()
		return failed == nil
	})
	if err := firstError(err, failed); err != nil {
		return err
	}
	from, to = state.UsedKeys()
	err = r.view.GoodsRange(from, to, func(key, value []byte) bool {
		last, err := state.DecodeHeight(value)
		if failed = err; err == nil && last < r.height {
			failed = fmt.Errorf("used proposal %x was over after %d", key, last)
		}
		expect[string(state.KeyExpiry(later(last, 1), chainhash.Hash(key[1:]), state.UsedAuditor))] = state.ExpiryMark()
		return failed == nil
	})
	if err := firstError(err, failed); err != nil {
		return err
	}
	return r.holdsExactly(expect, state.KeyExpiry(0, chainhash.Hash{}, 0)[0])
}

// holdsExactly: the state has these keys and values of some kinds, no others.
func (r *recount) holdsExactly(expect map[string][]byte, kinds ...byte) error {
	count := 0
	for _, kind := range kinds {
		count += r.keys[kind]
	}
	if count != len(expect) {
		return fmt.Errorf("%d keys of the kinds %q, should be %d", count, kinds, len(expect))
	}
	keys := make([]string, 0, len(expect))
	for key := range expect {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		got, err := r.view.Goods([]byte(key))
		if err != nil {
			return err
		}
		if !bytes.Equal(got, expect[key]) {
			return fmt.Errorf("key %x is %x, counted as %x", key, got, expect[key])
		}
	}
	return nil
}

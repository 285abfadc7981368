package store

import (
	"bytes"
	"fmt"
	"iter"

	"granary/state"
	"granary/store/coins"
)

// FirstDifference walks two Snapshots in order (tip, coins, goods state with its
// tree nodes) and describes the first thing that is not the same in both, in
// one line for a person; "" where there is no difference.
func FirstDifference(a, b *Snapshot) (string, error) {
	if a.tip.Hash != b.tip.Hash {
		return fmt.Sprintf("tip: %d %s against %d %s", a.tip.Height, a.tip.Hash, b.tip.Height, b.tip.Hash), nil
	}
	if line, err := differentCoin(a, b); line != "" || err != nil {
		return line, err
	}
	return differentGoods(a, b)
}

func differentCoin(a, b *Snapshot) (string, error) {
	walkA, err := a.walkCoins()
	if err != nil {
		return "", err
	}
	walkB, err := b.walkCoins()
	if err != nil {
		return "", firstError(walkA.close(), err)
	}
	line := ""
	for line == "" {
		moreA, moreB := walkA.next(), walkB.next()
		if !moreA && !moreB {
			break
		}
		line = coinLine(walkA, walkB, moreA, moreB)
	}
	// An error ends a walk early, which is no difference.
	if err := firstError(walkA.close(), walkB.close()); err != nil {
		return "", err
	}
	return line, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func coinLine(a, b *coinWalk, moreA, moreB bool) string {
	order := bytes.Compare(a.key[:], b.key[:])
	if !moreA {
		order = 1
	} else if !moreB {
		order = -1
	}
	switch {
	case order < 0:
		return fmt.Sprintf("coin %s: %s against none", shownKey(&a.key), shownCoin(a.coin))
	case order > 0:
		return fmt.Sprintf("coin %s: none against %s", shownKey(&b.key), shownCoin(b.coin))
	case a.coin.ValueUnits != b.coin.ValueUnits, a.coin.Height != b.coin.Height,
		a.coin.Coinbase != b.coin.Coinbase, !bytes.Equal(a.coin.Script, b.coin.Script):
		return fmt.Sprintf("coin %s: %s against %s", shownKey(&a.key), shownCoin(a.coin), shownCoin(b.coin))
	}
	return ""
}

func shownKey(key *coins.Key) string {
	op := key.OutPoint()
	return op.String()
}

func shownCoin(c *state.Coin) string {
	return fmt.Sprintf("%d units, height %d, coinbase %t, script %x", c.ValueUnits, c.Height, c.Coinbase, c.Script)
}

func differentGoods(a, b *Snapshot) (line string, err error) {
	nextA, stopA, errA := a.pullGoods()
	defer stopA()
	nextB, stopB, errB := b.pullGoods()
	defer stopB()
	for {
		keyA, valueA, moreA := nextA()
		keyB, valueB, moreB := nextB()
		if err := firstError(*errA, *errB); err != nil {
			return "", err
		}
		switch {
		case !moreA && !moreB:
			return "", nil
		case !moreB, moreA && bytes.Compare(keyA, keyB) < 0:
			return fmt.Sprintf("goods key %x: %x against none", keyA, valueA), nil
		case !moreA, bytes.Compare(keyA, keyB) > 0:
			return fmt.Sprintf("goods key %x: none against %x", keyB, valueB), nil
		case !bytes.Equal(valueA, valueB):
			return fmt.Sprintf("goods key %x: %x against %x", keyA, valueA, valueB), nil
		}
	}
}

// pullGoods turns GoodsRange around, so that two can be walked in step. The
// error is set by the time next says that there is no more.
func (s *Snapshot) pullGoods() (next func() (key, value []byte, ok bool), stop func(), err *error) {
	err = new(error)
	next, stop = iter.Pull2(func(yield func(key, value []byte) bool) {
		*err = s.GoodsRange(nil, nil, yield)
	})
	return next, stop, err
}

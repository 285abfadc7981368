package goods

import (
	"fmt"

	"granary/state"
)

// expire is the first step of a block: receipts that count no more, then
// attestations and used proposals that are over. Each costs once, however
// much there is.
func (g *Block) expire() error {
	if err := g.expireReceipts(); err != nil {
		return err
	}
	from, to := state.ExpiryKeys(g.height)
	keys, _, err := g.collect(from, to)
	if err != nil {
		return err
	}
	for _, key := range keys {
		_, hash, auditor, err := state.ExpiryOfKey(key)
		if err != nil {
			return err
		}
		what := state.KeyAttestation(hash, auditor)
		if auditor == state.UsedAuditor {
			what = state.KeyUsed(hash)
		}
		if err := g.set(what, nil); err != nil {
			return err
		}
		if err := g.set(key, nil); err != nil {
			return err
		}
	}
	return nil
}

// expireReceipts takes what is too old from this height on out of the
// reserve, by custodian and good.
func (g *Block) expireReceipts() error {
	from, to := state.FreshKeys(g.height)
	keys, values, err := g.collect(from, to)
	if err != nil {
		return err
	}
	for i, key := range keys {
		validUntil, custodian, good, err := state.FreshOfKey(key)
		if err != nil {
			return err
		}
		measures, err := state.DecodeLimit(values[i])
		if err != nil {
			return err
		}
		if err := g.takeStale(custodian, good, measures); err != nil {
			return err
		}
		if err := g.set(key, nil); err != nil {
			return err
		}
		g.events = append(g.events, Expired{ValidUntil: validUntil, Custodian: custodian, Good: good, Free: measures})
	}
	return nil
}

// collect copies a range of the state, so that it may be changed.
func (g *Block) collect(from, to []byte) (keys, values [][]byte, err error) {
	err = g.over.GoodsRange(from, to, func(key, value []byte) bool {
		keys = append(keys, append([]byte(nil), key...))
		values = append(values, append([]byte(nil), value...))
		return true
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read what expires: %w", err)
	}
	return keys, values, nil
}

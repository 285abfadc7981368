package rpc

import (
	"slices"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// coinOverheadBytes is what Core counts for an unspent output beside its
// amount and script: outpoint, height and coinbase flag.
const coinOverheadBytes = 36 + 4 + 1

// blockStats adds up the transactions of a block for getblockstats.
type blockStats struct {
	// unspentCoinbase is false for genesis and the two blocks that repeat a
	// coinbase: their coinbases change nothing in the UTXO set.
	unspentCoinbase bool

	inputs, outputs, created   int64
	setBytes, setBytesActual   int64
	outUnits, weight           int64
	witnessTxs                 int64
	witnessSize, witnessWeight int64
	fees, sizes, rates         series
	rateWeights                []rateWeight
}

// rateWeight is a fee rate with the weight that paid it.
type rateWeight struct{ rate, weight int64 }

// series is a list of figures with its sum.
type series struct {
	all []int64
	sum int64
}

func (s *series) add(n int64) {
	s.all = append(s.all, n)
	s.sum += n
}

// highest, lowest and median are 0 of an empty series; the median of an even
// number of figures is the truncated mean of the two in the middle.
func (s *series) highest() int64 {
	if len(s.all) == 0 {
		return 0
	}
	return max(0, slices.Max(s.all))
}

func (s *series) lowest() int64 {
	if len(s.all) == 0 {
		return 0
	}
	return slices.Min(s.all)
}

func (s *series) median() int64 {
	n := len(s.all)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.all))
	if n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

// outBytes is the serialized size of an output.
func outBytes(scriptBytes int) int64 {
	return int64(8 + wire.VarIntSerializeSize(uint64(scriptBytes)) + scriptBytes)
}

// add counts a transaction; spent are the coins of its inputs.
func (s *blockStats) add(tx *state.Tx, spent []*state.Coin, coinbase bool) {
	var outUnits int64
	for _, out := range tx.Msg.TxOut {
		size := outBytes(len(out.PkScript)) + coinOverheadBytes
		s.outputs++
		s.setBytes += size
		outUnits += out.Value
		if coinbase && !s.unspentCoinbase || state.Unspendable(out.PkScript) {
			continue
		}
		s.created++
		s.setBytesActual += size
	}
	if coinbase {
		return
	}
	s.inputs += int64(len(tx.Msg.TxIn))
	s.outUnits += outUnits
	size, weight := int64(len(tx.Raw)), tx.Weight()
	s.sizes.add(size)
	s.weight += weight
	if tx.Msg.HasWitness() {
		s.witnessTxs++
		s.witnessSize += size
		s.witnessWeight += weight
	}
	var inUnits int64
	for _, coin := range spent {
		inUnits += coin.ValueUnits
		size := outBytes(len(coin.Script)) + coinOverheadBytes
		s.setBytes -= size
		s.setBytesActual -= size
	}
	fee := inUnits - outUnits
	rate := 4 * fee / max(weight, 1)
	s.fees.add(fee)
	s.rates.add(rate)
	s.rateWeights = append(s.rateWeights, rateWeight{rate, weight})
}

// percentiles are the fee rates that a tenth, a quarter, half, three quarters
// and nine tenths of the weight do not exceed.
func (s *blockStats) percentiles() []int64 {
	out := make([]int64, 5)
	if len(s.rateWeights) == 0 {
		return out
	}
	slices.SortFunc(s.rateWeights, func(a, b rateWeight) int {
		if a.rate != b.rate {
			return int(min(max(a.rate-b.rate, -1), 1))
		}
		return int(a.weight - b.weight)
	})
	twentieths := [5]int64{2, 5, 10, 15, 18}
	next, sum := 0, int64(0)
	for _, one := range s.rateWeights {
		sum += one.weight
		for next < len(out) && 20*sum >= twentieths[next]*s.weight {
			out[next] = one.rate
			next++
		}
	}
	return out
}

// txSum remembers how many transactions there are up to a block.
type txSum struct {
	mu  sync.Mutex
	at  *state.Header
	sum int64
}

func (t *txSum) get() (*state.Header, int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at, t.sum
}

func (t *txSum) put(at *state.Header, sum int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at, t.sum = at, sum
}

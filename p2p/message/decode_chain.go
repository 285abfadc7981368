package message

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// The fewest bytes of a transaction, and of one with its place before it.
const (
	minTxBytes        = 10
	minPrefilledBytes = 1 + minTxBytes
)

// maxFilterHeaders bounds cfheaders and cfcheckpt (2,000 by BIP157; a
// checkpoint message has one for a thousand blocks).
const maxFilterHeaders = 20_000

// chainDecoderOf has the messages of blocks, headers and filters.
func chainDecoderOf(command string) func(*reader) Message {
	switch command {
	case "getheaders":
		return func(r *reader) Message { return &GetHeaders{Locator: r.locator()} }
	case "getblocks":
		return func(r *reader) Message { return &GetBlocks{Locator: r.locator()} }
	case "headers":
		return decodeHeaders
	case "block":
		return decodeBlock
	case "tx":
		return decodeTx
	case "cmpctblock":
		return decodeCmpctBlock
	case "getblocktxn":
		return decodeGetBlockTxn
	case "blocktxn":
		return decodeBlockTxn
	case "getcfilters":
		return func(r *reader) Message { return &GetCFilters{Type: r.u8(), Start: r.u32(), Stop: r.hash()} }
	case "cfilter":
		return func(r *reader) Message {
			return &CFilter{Type: r.u8(), Block: r.hash(), Filter: r.bytes(r.size())}
		}
	case "getcfheaders":
		return func(r *reader) Message { return &GetCFHeaders{Type: r.u8(), Start: r.u32(), Stop: r.hash()} }
	case "cfheaders":
		return func(r *reader) Message {
			return &CFHeaders{Type: r.u8(), Stop: r.hash(), Previous: r.hash(), Filters: r.hashes(maxFilterHeaders, Drop)}
		}
	case "getcfcheckpt":
		return func(r *reader) Message { return &GetCFCheckpt{Type: r.u8(), Stop: r.hash()} }
	case "cfcheckpt":
		return func(r *reader) Message {
			return &CFCheckpt{Type: r.u8(), Stop: r.hash(), Headers: r.hashes(maxFilterHeaders, Drop)}
		}
	}
	return nil
}

func (r *reader) locator() Locator {
	return Locator{Version: r.u32(), Hashes: r.hashes(MaxLocatorHashes, Cut), Stop: r.hash()}
}

func decodeHeaders(r *reader) Message {
	list := make([]wire.BlockHeader, r.count(state.HeaderBytes+1, MaxHeaders, Punish))
	for i := range list {
		list[i] = r.header()
		r.size() // a count of transactions, which Core does not look at
		if r.failed() {
			return nil
		}
	}
	return &Headers{Headers: list}
}

func decodeCmpctBlock(r *reader) Message {
	m := &CmpctBlock{Header: r.header(), Nonce: r.u64()}
	m.ShortIDs = make([]uint64, r.count(6, maxCompactSize, Drop))
	for i := range m.ShortIDs {
		m.ShortIDs[i] = r.number(6)
	}
	n := r.count(minPrefilledBytes, maxCompactSize, Drop)
	if len(m.ShortIDs)+n > maxBlockPlace {
		r.fail(Drop, "%d transactions, a place has 16 bits", len(m.ShortIDs)+n)
		return nil
	}
	m.Prefilled = make([]Prefilled, n)
	place := -1
	for i := range m.Prefilled {
		place = r.nextPlace(place, Punish)
		m.Prefilled[i] = Prefilled{Index: uint32(place), Tx: r.tx()}
		if r.failed() {
			return nil
		}
	}
	return m
}

// nextPlace reads a place in a block as its difference to the one before
// (-1 at first). Places have 16 bits.
func (r *reader) nextPlace(before int, beyond Severity) int {
	step := r.size()
	if step > maxBlockPlace {
		r.fail(Drop, "place %d has more than 16 bits", step)
		return before
	}
	place := before + 1 + step
	if place > maxBlockPlace {
		r.fail(beyond, "place %d has more than 16 bits", place)
	}
	return place
}

func decodeGetBlockTxn(r *reader) Message {
	m := &GetBlockTxn{Block: r.hash()}
	m.Indexes = make([]uint32, r.count(1, maxBlockPlace+1, Drop))
	place := -1
	for i := range m.Indexes {
		place = r.nextPlace(place, Drop)
		if r.failed() {
			return nil
		}
		m.Indexes[i] = uint32(place)
	}
	return m
}

func decodeBlockTxn(r *reader) Message {
	m := &BlockTxn{Block: r.hash()}
	m.Txs = make([]*state.Tx, r.count(minTxBytes, maxBlockPlace+1, Drop))
	for i := range m.Txs {
		if m.Txs[i] = r.tx(); r.failed() {
			return nil
		}
	}
	return m
}

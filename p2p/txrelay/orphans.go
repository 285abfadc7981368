package txrelay

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// Bounds on orphans.
const (
	maxOrphanWeight     = 400_000 // a standard transaction's
	maxPeerOrphans      = 100
	maxPeerOrphanBytes  = 1 << 20
	maxTotalOrphanBytes = 16 << 20
	orphanLife          = 20 * time.Minute
)

// Costs of an orphan in memory, beside its bytes: decoded and indexed.
const (
	orphanOverheadBytes  = 700
	orphanInputBytes     = 256
	orphanOutputBytes    = 64
	orphanWitnessBytes   = 24
	orphanAnnouncerBytes = 16
)

func orphanCost(tx *state.Tx) int {
	items := 0
	for _, in := range tx.Msg.TxIn {
		items += len(in.Witness)
	}
	return orphanOverheadBytes + len(tx.Raw) + len(tx.Msg.TxIn)*orphanInputBytes +
		len(tx.Msg.TxOut)*orphanOutputBytes + items*orphanWitnessBytes
}

// orphanTx is a transaction some of whose parents are not known.
type orphanTx struct {
	tx       *state.Tx
	from     []uint64 // the peers that announced it, who bear its cost
	cost     int
	until    time.Time
	sequence uint64
}

// orphanage keeps orphans by what they spend. A peer answers for what it
// announced: beyond its own bounds its oldest goes, beyond the common bound the
// oldest of the peer with the most. So nobody can drive out what another one
// has sent before he has spent his own share.
type orphanage struct {
	byWtxid  map[chainhash.Hash]*orphanTx
	spenders map[wire.OutPoint][]*orphanTx // by sequence
	shares   map[uint64]*share
	bytes    int // each orphan once
	sequence uint64
}

// share is what a peer's orphans are.
type share struct {
	list  []*orphanTx // by the time at which the peer announced them
	bytes int
}

func newOrphanage() *orphanage {
	return &orphanage{
		byWtxid: map[chainhash.Hash]*orphanTx{}, spenders: map[wire.OutPoint][]*orphanTx{}, shares: map[uint64]*share{},
	}
}

// add keeps tx at the expense of peer and reports whether it is there now.
func (o *orphanage) add(tx *state.Tx, peer uint64, now time.Time) bool {
	if o.byWtxid[tx.Wtxid] != nil {
		return o.announced(tx.Wtxid, peer)
	}
	cost := orphanCost(tx)
	if tx.Weight() > maxOrphanWeight || cost > maxPeerOrphanBytes {
		return false
	}
	o.sequence++
	orphan := &orphanTx{tx: tx, cost: cost, until: now.Add(orphanLife), sequence: o.sequence}
	o.byWtxid[tx.Wtxid] = orphan
	o.bytes += cost
	for _, in := range tx.Msg.TxIn {
		o.spenders[in.PreviousOutPoint] = append(o.spenders[in.PreviousOutPoint], orphan)
	}
	o.charge(orphan, peer)
	return o.byWtxid[tx.Wtxid] != nil
}

// announced lets another peer answer for an orphan too; false if it is none.
func (o *orphanage) announced(wtxid chainhash.Hash, peer uint64) bool {
	orphan := o.byWtxid[wtxid]
	if orphan == nil {
		return false
	}
	if !slices.Contains(orphan.from, peer) {
		o.charge(orphan, peer)
	}
	return o.byWtxid[wtxid] != nil
}

// charge puts an orphan to a peer's account and holds the bounds.
func (o *orphanage) charge(orphan *orphanTx, peer uint64) {
	s := o.shares[peer]
	if s == nil {
		s = &share{}
		o.shares[peer] = s
	}
	orphan.from = append(orphan.from, peer)
	s.list = append(s.list, orphan)
	s.bytes += orphan.cost + orphanAnnouncerBytes
	for len(s.list) > maxPeerOrphans || s.bytes > maxPeerOrphanBytes {
		o.discharge(s.list[0], peer)
	}
	for o.bytes > maxTotalOrphanBytes {
		peer := o.fullest()
		o.discharge(o.shares[peer].list[0], peer)
	}
}

// fullest is the peer with the most bytes, of equals the one that came first.
func (o *orphanage) fullest() uint64 {
	var worst uint64
	bytes := -1
	for peer, s := range o.shares {
		if s.bytes > bytes || s.bytes == bytes && peer < worst {
			worst, bytes = peer, s.bytes
		}
	}
	return worst
}

// discharge takes an orphan from a peer's account; nobody's orphan goes.
func (o *orphanage) discharge(orphan *orphanTx, peer uint64) {
	s := o.shares[peer]
	s.list = slices.Delete(s.list, slices.Index(s.list, orphan), slices.Index(s.list, orphan)+1)
	s.bytes -= orphan.cost + orphanAnnouncerBytes
	if len(s.list) == 0 {
		delete(o.shares, peer)
	}
	orphan.from = slices.DeleteFunc(orphan.from, func(id uint64) bool { return id == peer })
	if len(orphan.from) == 0 {
		o.drop(orphan)
	}
}

// drop takes an orphan that nobody answers for out of the indexes.
func (o *orphanage) drop(orphan *orphanTx) {
	delete(o.byWtxid, orphan.tx.Wtxid)
	o.bytes -= orphan.cost
	for _, in := range orphan.tx.Msg.TxIn {
		op := in.PreviousOutPoint
		rest := slices.DeleteFunc(o.spenders[op], func(other *orphanTx) bool { return other == orphan })
		if len(rest) == 0 {
			delete(o.spenders, op)
		} else {
			o.spenders[op] = rest
		}
	}
}

// remove takes an orphan out; one that is not there is no harm.
func (o *orphanage) remove(wtxid chainhash.Hash) {
	if orphan := o.byWtxid[wtxid]; orphan != nil {
		for _, peer := range slices.Clone(orphan.from) {
			o.discharge(orphan, peer)
		}
	}
}

// disconnected takes a peer's name from all its orphans.
func (o *orphanage) disconnected(peer uint64) {
	for o.shares[peer] != nil {
		list := o.shares[peer].list
		o.discharge(list[len(list)-1], peer)
	}
}

// expire drops what waited too long.
func (o *orphanage) expire(now time.Time) {
	var late []chainhash.Hash
	for wtxid, orphan := range o.byWtxid {
		if !now.Before(orphan.until) {
			late = append(late, wtxid)
		}
	}
	for _, wtxid := range late { // in any order: the same are left
		o.remove(wtxid)
	}
}

// get finds an orphan, nil if it is none.
func (o *orphanage) get(wtxid chainhash.Hash) *orphanTx { return o.byWtxid[wtxid] }

// children lists the orphans that spend an output of txid, the oldest first.
func (o *orphanage) children(txid chainhash.Hash, outputs int) []*orphanTx {
	var list []*orphanTx
	for i := range outputs {
		list = append(list, o.spenders[wire.OutPoint{Hash: txid, Index: uint32(i)}]...)
	}
	slices.SortFunc(list, func(a, b *orphanTx) int { return cmp.Compare(a.sequence, b.sequence) })
	return slices.Compact(list)
}

// removeFor drops the orphans that a block holds or makes impossible.
func (o *orphanage) removeFor(b *state.Block) {
	if len(o.byWtxid) == 0 {
		return
	}
	for _, tx := range b.Msg.Transactions[1:] {
		for _, in := range tx.TxIn {
			for _, orphan := range slices.Clone(o.spenders[in.PreviousOutPoint]) {
				o.remove(orphan.tx.Wtxid)
			}
		}
	}
}

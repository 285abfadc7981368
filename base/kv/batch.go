package kv

import "github.com/cockroachdb/pebble/v2"

// MaxBatchBytes bounds one batch; Pebble's own limit is 4 GiB.
const MaxBatchBytes = 3 << 30

// Batch collects changes that become durable together. It is not safe for
// concurrent use. After Commit or Discard it must not be used.
type Batch struct {
	db     *DB
	pebble *pebble.Batch
}

// NewBatch starts an empty batch with room for sizeHint bytes. It waits until
// the memory of an earlier large batch is free, so that there is one at most.
// One goroutine at a time makes and commits batches.
func (db *DB) NewBatch(sizeHint int) *Batch {
	if db.flushed != nil {
		<-db.flushed
		db.flushed = nil
	}
	return &Batch{db, db.pebble.NewBatchWithSize(max(sizeHint, 1<<10))}
}

// Put sets key to value; both are copied.
func (b *Batch) Put(key, value []byte) { must(b.pebble.Set(key, value, nil)) }

// Delete removes key.
func (b *Batch) Delete(key []byte) { must(b.pebble.Delete(key, nil)) }

// DeleteRange removes from <= key < to.
func (b *Batch) DeleteRange(from, to []byte) { must(b.pebble.DeleteRange(from, to, nil)) }

// Bytes is the length of the batch.
func (b *Batch) Bytes() int { return b.pebble.Len() }

// Commit makes the batch durable: it returns when the batch is synced to the
// disk. A disk that fails ends the process (Options.Fatal).
func (b *Batch) Commit() error {
	large := b.pebble.Len() > b.db.largeBytes
	if err := b.db.pebble.Apply(b.pebble, pebble.Sync); err != nil {
		return explain(b.db.dir, err)
	}
	if err := b.pebble.Close(); err != nil {
		return explain(b.db.dir, err)
	}
	if large {
		flushed, err := b.db.pebble.AsyncFlush()
		if err != nil {
			return explain(b.db.dir, err)
		}
		b.db.flushed = flushed
	}
	return nil
}

// Discard drops the batch.
func (b *Batch) Discard() { must(b.pebble.Close()) }

// must holds for calls that only fail when a batch is misused.
func must(err error) {
	if err != nil {
		panic("granary: broken promise: " + err.Error())
	}
}

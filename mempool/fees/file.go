package fees

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/files"
)

// ErrDamaged says that a file is not what was written, ErrStale that it is
// older than MaxAge: estimates of then would mislead.
var (
	ErrDamaged = errors.New("the file of fee estimates is damaged")
	ErrStale   = errors.New("the file of fee estimates is too old")
)

// MaxAge is how old a file may be.
const MaxAge = 60 * time.Hour

const heading = "granary fees 1\n"

// Save writes what was learned to a file, which is whole and durable when it
// takes its name. What waits now is not in it.
func (e *Estimator) Save(fsys vfs.FS, dir, name string, now time.Time) error {
	return files.Replace(fsys, dir, name, files.Seal(heading, e.encode(now)))
}

// Load takes over what an earlier run learned; without a file nothing happens.
// stale takes a file of any age. After an error the Estimator is as it was.
func (e *Estimator) Load(fsys vfs.FS, dir, name string, now time.Time, stale bool) error {
	data, err := files.Read(fsys, dir, name, len(heading)+bodyBytes+sha256.Size)
	if errors.Is(err, files.ErrDamaged) {
		return ErrDamaged
	}
	if err != nil || data == nil {
		return err
	}
	body, err := files.Unseal(heading, data)
	if err != nil || len(body) != bodyBytes {
		return ErrDamaged
	}
	return e.decode(body, now, stale)
}

// bodyBytes is the size of what is between heading and checksum.
var bodyBytes = len(New().encode(time.Time{}))

func (e *Estimator) encode(now time.Time) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	first, tip := e.first, e.tip
	if e.before != 0 && e.beforeTip-e.before > tip-first {
		first, tip = e.before, e.beforeTip // the longer run
	}
	var data []byte
	for _, n := range []int64{now.Unix(), int64(e.tip), int64(first), int64(tip)} {
		data = binary.LittleEndian.AppendUint64(data, uint64(n))
	}
	unmined := e.withoutWaiting()
	for h, s := range e.stats {
		for _, rows := range [][][]float64{s.confirmed, unmined[h], {s.count}, {s.rateSum}} {
			for _, row := range rows {
				for _, n := range row {
					data = binary.LittleEndian.AppendUint64(data, math.Float64bits(n))
				}
			}
		}
	}
	return data
}

// withoutWaiting is failed on each horizon if all that waits left now.
func (e *Estimator) withoutWaiting() (failed [horizons][][]float64) {
	for h, s := range e.stats {
		for _, row := range s.failed {
			failed[h] = append(failed[h], append([]float64(nil), row...))
		}
		for _, w := range e.txs {
			for i := 0; i < (e.tip-w.height)/s.scale && i < len(failed[h]); i++ {
				failed[h][i][w.place]++
			}
		}
	}
	return failed
}

// decode takes over bodyBytes bytes of encode.
func (e *Estimator) decode(body []byte, now time.Time, stale bool) error {
	next := func() uint64 {
		n := binary.LittleEndian.Uint64(body)
		body = body[8:]
		return n
	}
	written := time.Unix(int64(next()), 0)
	if !stale && now.Sub(written) > MaxAge {
		return ErrStale
	}
	read := New()
	read.tip, read.before, read.beforeTip = int(next()), int(next()), int(next())
	for _, s := range read.stats {
		for _, rows := range [][][]float64{s.confirmed, s.failed, {s.count}, {s.rateSum}} {
			for _, row := range rows {
				for r := range row {
					row[r] = math.Float64frombits(next())
				}
			}
		}
	}
	if read.tip < 0 || read.before < 0 || read.beforeTip < read.before {
		return ErrDamaged
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats, e.tip, e.first, e.before, e.beforeTip = read.stats, read.tip, 0, read.before, read.beforeTip
	e.txs = map[chainhash.Hash]waiting{}
	return nil
}

package p2p

import (
	"sync"
	"time"

	"granary/base/clock"
)

// uploadCycle is what the upload target counts over.
const uploadCycle = 24 * time.Hour

// blockReserveBytes is kept for the block of a day that every peer may ask for:
// the largest block every ten minutes until the cycle ends.
const blockReserveBytes = 4_000_000

// Uploads keeps what is sent within a target for a day: when little is left,
// old blocks are not served any more, when nothing is left, nothing that can be
// refused. All methods are safe for concurrent use.
type Uploads struct {
	mu          sync.Mutex
	clock       clock.Clock
	targetBytes int64 // 0: no bound
	begun       time.Time
	sentBytes   int64
}

// NewUploads makes a budget; a target of zero is no bound.
func NewUploads(c clock.Clock, targetBytes int64) *Uploads {
	return &Uploads{clock: c, targetBytes: targetBytes, begun: c.Now()}
}

// Sent counts bytes.
func (u *Uploads) Sent(bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn()
	u.sentBytes += bytes
}

// turn begins a new cycle when it is due.
func (u *Uploads) turn() {
	if now := u.clock.Now(); now.Sub(u.begun) >= uploadCycle || now.Before(u.begun) {
		u.begun, u.sentBytes = now, 0
	}
}

// Reached reports whether the target is used up: for what can be refused at any
// time, or (historical) for blocks older than a week, for which it is earlier:
// what is left then is for following the tip.
func (u *Uploads) Reached(historical bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn()
	if u.targetBytes == 0 {
		return false
	}
	if !historical {
		return u.sentBytes >= u.targetBytes
	}
	reserve := int64(u.left()/(10*time.Minute)) * blockReserveBytes
	return reserve >= u.targetBytes || u.sentBytes >= u.targetBytes-reserve
}

func (u *Uploads) left() time.Duration { return uploadCycle - u.clock.Now().Sub(u.begun) }

// UploadInfo is what getnettotals tells of the target.
type UploadInfo struct {
	TargetBytes, LeftBytes            int64
	CycleSeconds, LeftSeconds         int64
	TargetReached, HistoricalAnswered bool
}

// Info tells how the target stands.
func (u *Uploads) Info() UploadInfo {
	reached, historical := u.Reached(false), u.Reached(true)
	u.mu.Lock()
	defer u.mu.Unlock()
	info := UploadInfo{
		TargetBytes: u.targetBytes, CycleSeconds: int64(uploadCycle / time.Second),
		TargetReached: reached, HistoricalAnswered: !historical,
	}
	if u.targetBytes > 0 {
		info.LeftBytes = max(0, u.targetBytes-u.sentBytes)
		info.LeftSeconds = int64(u.left() / time.Second)
	}
	return info
}

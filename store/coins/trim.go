package coins

import "granary/base/check"

// Trim brings the memory down to about half of maxBytes where it exceeds
// maxBytes, by forgetting clean entries: first those that were there at the
// last Trim, then any. Nothing may be dirty.
func (c *Cache) Trim(maxBytes int64) {
	if c.Bytes() <= maxBytes {
		return
	}
	check.Must(len(c.dirty) == 0, "coin cache trimmed with %d changes", len(c.dirty))
	old := c.arena.chunks
	oldArena := arena{chunks: old}
	c.arena = arena{}
	c.index.slots = make([]uint64, 1<<10)
	c.index.count = 0
	c.dirty = nil
	// The newest chunks come first: they hold the youngest coins, which are
	// spent soonest.
	for i := len(old) - 1; i >= 0; i-- {
		oldArena.each(i, func(_ ref, e []byte) {
			if e[2]&flagRecent == 0 || c.Bytes() > maxBytes/2 {
				return
			}
			r := c.arena.alloc(len(e) / unitBytes)
			copied := c.arena.entry(r)
			copy(copied, e)
			copied[2] &^= flagRecent
			c.index.insert(c.index.hash((*Key)(e[8:44])), r)
		})
		old[i] = nil
	}
}

// DropClean forgets the clean entries so that their places can be used again;
// the memory stays the cache's.
func (c *Cache) DropClean() {
	for i := range c.arena.chunks {
		c.arena.each(i, func(r ref, e []byte) {
			if e[2]&flagDirty == 0 {
				key := (*Key)(e[8:44])
				slot, _ := c.index.find(&c.arena, key, c.index.hash(key))
				c.drop(slot, r)
			}
		})
	}
}

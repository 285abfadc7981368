// Package kv keeps typed tables on Pebble: the ground under the coin set, the
// goods state, the header tree and the indexes. It knows keys and bytes, and
// nothing of what they mean.
//
// A database is opened for one Identity (format version, network, charter)
// and refuses any other with one line. Changes go through a Batch, which
// becomes durable whole or not at all; reads go through DB or a Snapshot,
// both of which are a Reader. A Table gives keys and values their types.
//
// Nothing here retries: when the disk fails under a write, the process ends
// with one line (see Options.Fatal), because after a failed fsync nobody can
// say what is on the disk, and whatever was acknowledged before is safe.
package kv

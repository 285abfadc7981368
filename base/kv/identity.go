package kv

import (
	"fmt"
	"strconv"
	"strings"
)

// Identity says whose data a database holds. It is written when the database
// is made and must match whenever it is opened.
type Identity struct {
	// Kind names the part that owns the database ("state", "txindex").
	Kind string
	// Version is the format of the records; a greater one on the disk is
	// refused, as is a smaller one, for there is no older format yet.
	Version uint32
	// Network, Genesis, Magic and Charter are the chain, in words and hex.
	// Charter is empty on a chain without one.
	Network, Genesis, Magic, Charter string
}

// identityKey sorts before every table: tables start at 0x01.
var identityKey = []byte{0x00, 'i'}

func (id Identity) encode() []byte {
	return fmt.Appendf(nil, "version %d\nkind %s\nnetwork %s\ngenesis %s\nmagic %s\ncharter %s\n",
		id.Version, id.Kind, id.Network, id.Genesis, id.Magic, id.Charter)
}

// decodeIdentity reads the record by its field names. A newer version may have
// added fields, so only the version line must be understood.
func decodeIdentity(record []byte) (id Identity, ok bool) {
	for line := range strings.Lines(string(record)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch name {
		case "version":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return id, false
			}
			id.Version, ok = uint32(n), true
		case "kind":
			id.Kind = value
		case "network":
			id.Network = value
		case "genesis":
			id.Genesis = value
		case "magic":
			id.Magic = value
		case "charter":
			id.Charter = value
		}
	}
	return id, ok
}

// checkIdentity writes id into an empty database and compares it in any other.
func (db *DB) checkIdentity(id Identity) error {
	record, err := db.Get(identityKey)
	if err != nil {
		return err
	}
	if record == nil {
		return db.stamp(id)
	}
	found, ok := decodeIdentity(record)
	if !ok {
		return Damaged(db.dir, "its identity record is unreadable")
	}
	return id.compare(db.dir, found)
}

func (db *DB) stamp(id Identity) error {
	it, err := db.Iter(nil, nil)
	if err != nil {
		return err
	}
	empty := !it.Next()
	if err := it.Close(); err != nil {
		return err
	}
	if !empty {
		return Damaged(db.dir, "it has no identity record")
	}
	batch := db.NewBatch(0)
	batch.Put(identityKey, id.encode())
	return batch.Commit()
}

func (id Identity) compare(dir string, found Identity) error {
	switch {
	case found.Version > id.Version:
		return newer(dir)
	case found.Version < id.Version:
		return Tell(ErrForeign, "the data directory %s is of format %d, this granary needs %d: start with another --datadir and import the blocks",
			dir, found.Version, id.Version)
	case found.Kind != id.Kind:
		return Tell(ErrForeign, "%s holds %q data where %q was expected: choose another --datadir", dir, found.Kind, id.Kind)
	case found.Network != id.Network:
		return Tell(ErrForeign, "the data directory %s belongs to network %s, not %s: choose another --datadir or --network %s",
			dir, found.Network, id.Network, found.Network)
	case found.Charter != id.Charter:
		return Tell(ErrForeign, "the data directory %s belongs to %s, not to %s: choose another --datadir or the right --charter",
			dir, charterName(found.Charter), charterName(id.Charter))
	case found.Genesis != id.Genesis, found.Magic != id.Magic:
		return Tell(ErrForeign, "the data directory %s belongs to another %s network (genesis %s, magic %s): choose another --datadir",
			dir, found.Network, found.Genesis, found.Magic)
	}
	return nil
}

func charterName(id string) string {
	if id == "" {
		return "a chain without a charter"
	}
	return "charter " + id
}

package demo

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"

	"granary/params"
	"granary/state"
)

// Names of the demo's files in the network's folder.
const (
	SeedFile    = "demo-seed"
	CharterFile = "demo-charter.toml"
)

const seedHead = "# The random seed of this demo's keys (granary up). It controls every seat of the\n" +
	"# demo's charter; the chain is regtest and its coins mean nothing.\n"

// Keys derives the keys of a demo from its seed.
type Keys struct{ seed [32]byte }

// OpenKeys reads the seed in dir, or makes one. Its file is 0600; a file that
// others can read is refused.
func OpenKeys(dir string) (*Keys, error) {
	path := filepath.Join(dir, SeedFile)
	keys, err := readKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	keys = &Keys{}
	rand.Read(keys.seed[:]) //nolint:errcheck // never fails since Go 1.24
	return keys, writeNew(path, seedHead+hex.EncodeToString(keys.seed[:])+"\n", 0o600)
}

func readKeys(path string) (*Keys, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 600 it, or delete the demo and start over", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the demo's seed: %w", err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		seed, err := hex.DecodeString(line)
		if err != nil || len(seed) != 32 {
			break
		}
		return &Keys{seed: [32]byte(seed)}, nil
	}
	return nil, fmt.Errorf("%s is damaged: it must hold 64 hex digits; restore it, or start over in another --datadir", path)
}

// writeNew writes a file that must not exist, whole or not at all.
func writeNew(path, text string, mode fs.FileMode) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path) // ours, made a moment ago and incomplete
			err = fmt.Errorf("cannot write %s: %w", path, err)
		}
	}()
	if _, err = file.WriteString(text); err != nil {
		return errors.Join(err, file.Close())
	}
	if err = file.Sync(); err != nil {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}

// keyTag separates the demo's keys from other uses of a hash.
const keyTag = "granary/demo-key"

// SeatKey is the private key of a seat's n-th script, from 0 in block 1.
func (k *Keys) SeatKey(role state.Role, index uint16, generation uint32) *btcec.PrivateKey {
	return k.derive([]byte{byte(role), byte(index >> 8), byte(index)}, generation)
}

// MinerScript is where the fees of mined blocks go.
func (k *Keys) MinerScript() []byte { return scriptOf(k.derive([]byte("miner"), 0)) }

func (k *Keys) derive(path []byte, generation uint32) *btcec.PrivateKey {
	material := append([]byte(keyTag), k.seed[:]...)
	material = append(append(material, byte(len(path))), path...)
	material = binary.BigEndian.AppendUint32(material, generation)
	digest := sha256.Sum256(material)
	// A digest that is zero or beyond the group order has a chance of 2^-127.
	key, _ := btcec.PrivKeyFromBytes(digest[:])
	return key
}

// scriptOf is P2WPKH of a key.
func scriptOf(key *btcec.PrivateKey) []byte {
	return append([]byte{0x00, 20}, address.Hash160(key.PubKey().SerializeCompressed())...)
}

// seatScript is the n-th script of a seat.
func (k *Keys) seatScript(role state.Role, index uint16, generation uint32) []byte {
	return scriptOf(k.SeatKey(role, index, generation))
}

// Charter gives the demo's charter, whose seats these keys hold.
func (k *Keys) Charter() (*params.Charter, error) {
	scripts := params.DemoScripts{Council: k.seatScript(state.RoleCouncil, 0, 0)}
	for i := range scripts.Custodians {
		scripts.Custodians[i] = k.seatScript(state.RoleCustodian, uint16(i), 0)
	}
	for i := range scripts.Auditors {
		scripts.Auditors[i] = k.seatScript(state.RoleAuditor, uint16(i), 0)
	}
	return params.DemoCharter(scripts)
}

// OpenCharter gives the charter in dir's file, writing the file where it is
// missing, so that `granary node --charter` can run the same chain.
func OpenCharter(dir string, keys *Keys) (*params.Charter, string, error) {
	path := filepath.Join(dir, CharterFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		made, err := keys.Charter()
		if err != nil {
			return nil, path, err
		}
		text = made.TOML()
		if err := writeNew(path, string(text), 0o644); err != nil {
			return nil, path, err
		}
	} else if err != nil {
		return nil, path, fmt.Errorf("cannot read the demo's charter: %w", err)
	}
	charter, err := params.ParseCharter(text)
	if err != nil {
		return nil, path, fmt.Errorf("%s: %w", path, err)
	}
	return charter, path, nil
}

package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"granary/config"
)

// directory is the locked data directory of one network.
type directory struct {
	lock *os.File
	pid  string // the file with the process id, "" for none
}

// lockName is beside the store's own lock: this one is held before the store is
// opened, and covers log, cookie and process id too.
const lockName = ".process.lock"

// coreLocked is Bitcoin Core's word for a directory in use, which scripts
// compare.
const coreLocked = "Cannot obtain a lock on directory %s. Bitcoin Core is probably already running."

// openDirectory makes the network's folder where it is missing and locks it
// against a second process.
func openDirectory(c *config.Config) (*directory, error) {
	if err := makeNetDir(c); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(c.NetDir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		closeErr := lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) && c.LikeCore {
			//lint:ignore ST1005 Bitcoin Core's words, which scripts compare
			return nil, fmt.Errorf(coreLocked, c.NetDir)
		}
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another granary process uses %s: stop it first (granary rpc stop), or choose another --datadir", c.NetDir)
		}
		return nil, errors.Join(fmt.Errorf("cannot lock the data directory %s: %w", c.NetDir, err), closeErr)
	}
	return &directory{lock: lock}, nil
}

// makeNetDir makes the network's folder; in Core mode a new one has the empty
// folder for wallets that scripts expect.
func makeNetDir(c *config.Config) error {
	dir := c.NetDir
	if _, err := os.Stat(dir); c.LikeCore && errors.Is(err, os.ErrNotExist) {
		dir = filepath.Join(dir, "wallets")
	}
	return os.MkdirAll(dir, 0o700)
}

// writePID leaves the process id for scripts and service managers.
func (d *directory) writePID(path string) error {
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil { //nolint:gosec // no secret
		return fmt.Errorf("cannot write the process id: %w", err)
	}
	d.pid = path
	return nil
}

// close removes the process id and unlocks.
func (d *directory) close() error {
	var err error
	if d.pid != "" {
		err = os.Remove(d.pid)
	}
	return errors.Join(err, d.lock.Close())
}

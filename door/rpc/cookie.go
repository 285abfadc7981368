package rpc

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CookieUser is the user name in a cookie file, as Bitcoin Core's.
const CookieUser = "__cookie__"

// writeCookie makes a new random cookie and puts it at path, mode 0600, in
// one atomic step. It gives the cookie's text, "user:password".
func writeCookie(path string) (string, error) {
	var secret [32]byte
	rand.Read(secret[:]) //nolint:errcheck // never fails since Go 1.24
	cookie := CookieUser + ":" + hex.EncodeToString(secret[:])
	if err := writePrivate(path, cookie); err != nil {
		return "", fmt.Errorf("cannot write the cookie file %s: %w", path, err)
	}
	return cookie, nil
}

func writePrivate(path, text string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// CreateTemp makes the file 0600 and never follows a link laid there.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name()) //nolint:errcheck // best effort behind a worse error
		}
	}()
	if _, err = f.WriteString(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// removeCookie deletes the cookie file if it is still ours.
func removeCookie(path, cookie string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && string(text) != cookie) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

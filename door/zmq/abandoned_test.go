package zmq

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestSocketOfAKilledNode: the socket that a killed node left behind is taken
// over; one at which somebody listens, and a file that is none, are not.
func TestSocketOfAKilledNode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zmq")
	listen := func() error {
		p, err := Listen(Options{Notifiers: []Notifier{{Topic: "hashblock", Address: "ipc://" + path}}})
		if err == nil {
			err = p.Close()
		}
		return err
	}
	left, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := listen(); err == nil {
		t.Error("the socket of somebody who listens was taken over")
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	if err := listen(); err != nil {
		t.Errorf("after a kill: %v", err)
	}
	if err := os.WriteFile(path, []byte("a person's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := listen(); err == nil {
		t.Error("a file was taken over")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "a person's" {
		t.Errorf("%q, %v", got, err)
	}
}

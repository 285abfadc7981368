package scripts

import (
	"bytes"
	"os"
	"os/exec"

	"github.com/cockroachdb/pebble/v2"
	"github.com/rogpeppe/go-internal/testscript"
)

// format DIR VERSION makes the state in a network's folder one of another
// format, as a granary of that version would have stamped it.
func format(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: format DIR VERSION")
	}
	db, err := pebble.Open(ts.MkAbs(args[0])+"/state", &pebble.Options{Logger: quiet{}})
	ts.Check(err)
	identity := []byte{0, 'i'}
	record, closer, err := db.Get(identity)
	ts.Check(err)
	version, rest, found := bytes.Cut(record, []byte{'\n'})
	if !found || !bytes.HasPrefix(version, []byte("version ")) {
		ts.Fatalf("the identity record is %q", record)
	}
	stamped := append([]byte("version "+args[1]+"\n"), rest...)
	ts.Check(closer.Close())
	ts.Check(db.Set(identity, stamped, pebble.Sync))
	ts.Check(db.Close())
}

// quiet drops what a database says about itself.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

// disk SIZE (as in 20m) mounts a disk of that size in memory at the folder
// disk, or gives the one that is there another size.
func disk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: disk SIZE")
	}
	dir := ts.MkAbs("disk")
	options := "size=" + args[0]
	if _, err := os.Stat(dir); err == nil {
		options += ",remount"
	} else {
		ts.Check(os.Mkdir(dir, 0o700))
		ts.Defer(func() { ts.Check(exec.Command("umount", dir).Run()) })
	}
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "granary-test", dir).CombinedOutput()
	if err != nil {
		ts.Fatalf("%v: %s", err, out)
	}
}

// canMount reports whether this process may mount a disk at dir.
func canMount(dir string) bool {
	if exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "granary-test", dir).Run() != nil {
		return false
	}
	return exec.Command("umount", dir).Run() == nil
}

package node

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/goleak"

	"granary/config"
)

// testConfig is a regtest configuration in a fresh folder on free ports.
func testConfig(t *testing.T, args ...string) *config.Config {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.AddFlags(flags)
	args = append([]string{
		"--regtest", "--datadir", t.TempDir(), "--bind", "127.0.0.1:0", "--rpcport", freePort(t), "--webport", freePort(t), "--dbcache", "16",
	}, args...)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestEverythingStopsAgain(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreTopFunction("os/signal.loop"))
	c := testConfig(t, "--txindex")
	var console bytes.Buffer
	err := Run(context.Background(), c, Options{Version: "test", Console: &console, Work: func(_ context.Context, n *Node) error {
		for _, name := range []string{".cookie", "granary.pid", "debug.log"} {
			if _, err := os.Stat(filepath.Join(c.NetDir, name)); err != nil {
				t.Error(err)
			}
		}
		if _, err := OpenCore(context.Background(), c, CoreOptions{}); err == nil || !strings.Contains(err.Error(), "another granary process uses") {
			t.Errorf("a second opening gives %v", err)
		}
		n.Stop()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".cookie", "granary.pid"} {
		if _, err := os.Stat(filepath.Join(c.NetDir, name)); err == nil {
			t.Errorf("%s is left over", name)
		}
	}
	if !strings.Contains(console.String(), "msg=ready") || !strings.Contains(console.String(), "msg=stopped") {
		t.Errorf("the log says:\n%s", console.String())
	}
}

// TestFailingWorkIsTheReason: what the subcommand's work fails with is what
// Run gives, after everything was stopped.
func TestFailingWorkIsTheReason(t *testing.T) {
	c := testConfig(t)
	err := Run(context.Background(), c, Options{Console: &bytes.Buffer{}, Work: func(context.Context, *Node) error {
		return os.ErrDeadlineExceeded
	}})
	if err == nil || err.Error() != os.ErrDeadlineExceeded.Error() {
		t.Errorf("Run gives %v", err)
	}
	core, err := OpenCore(context.Background(), c, CoreOptions{})
	if err != nil {
		t.Fatalf("the directory stays locked: %v", err)
	}
	if err := core.Close(); err != nil {
		t.Error(err)
	}
}

func TestSystemdIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	err = Run(context.Background(), testConfig(t), Options{Console: &bytes.Buffer{}, Work: func(_ context.Context, n *Node) error {
		n.Stop()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	buffer := make([]byte, 512)
	for len(heard) == 0 || heard[len(heard)-1] != "STOPPING=1" {
		if err := socket.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatalf("heard %q, then %v", heard, err)
		}
		heard = append(heard, string(buffer[:n]))
	}
	if all := strings.Join(heard, "|"); !strings.Contains(all, "READY=1") || strings.Index(all, "READY=1") > strings.Index(all, "STOPPING=1") {
		t.Errorf("systemd heard %q", heard)
	}
}

func TestRepeatedLinesAreLeftOut(t *testing.T) {
	var out bytes.Buffer
	log := rateLimited(slog.New(slog.NewTextHandler(&out, nil)))
	for range 1000 {
		log.With("from", "somewhere").Warn("wrong password")
		log.Warn("bad request")
	}
	if lines := strings.Count(out.String(), "\n"); lines != 2*limitLines {
		t.Errorf("%d lines came through, want %d", lines, 2*limitLines)
	}
	limits := log.Handler().(*limited).shared
	if dropped, pass := limits.count("wrong password", time.Now().Add(limitWindow+time.Second)); !pass || dropped != 2*(1000-limitLines) {
		t.Errorf("in the next minute: passes %v, %d told as left out", pass, dropped)
	}
}

func TestLogFileIsOpenedAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "debug.log")
	file, err := openLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if _, err := file.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := file.reopen(); err != nil {
		t.Fatal(err)
	}
	write("two\n")
	if err := file.close(); err != nil {
		t.Fatal(err)
	}
	write("after the end\n")
	old, _ := os.ReadFile(path + ".1")
	fresh, _ := os.ReadFile(path)
	if string(old) != "one\n" || string(fresh) != "two\n" {
		t.Errorf("the old file has %q, the new one %q", old, fresh)
	}
}

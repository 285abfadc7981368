package scripts

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"granary/cli"
	"granary/test/vectors"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"granary": func() { os.Exit(cli.Main()) }})
}

// TestScripts plays every transcript. Beside testscript's own commands they
// have: flip FILE OFFSET, truncate FILE BYTES, fill FILE BYTES, get PATH (of
// the page), post STATUS FILE (to the JSON-RPC door), same FILE FILE, format
// DIR VERSION, and where the condition [disk] holds disk SIZE.
func TestScripts(t *testing.T) {
	play(t, "testdata", nil)
}

// TestMainnet plays the transcripts over real blocks, which come with the
// btcd module.
func TestMainnet(t *testing.T) {
	blocks := vectors.Module(t, "github.com/btcsuite/btcd", "blockchain", "testdata", "blk_0_to_14131.dat")
	play(t, filepath.Join("testdata", "mainnet"), map[string]string{"BLOCKS": blocks})
}

func play(t *testing.T, dir string, vars map[string]string) {
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			rpc, web := freePort(t), freePort(t)
			env.Setenv("GRANARY_RPCPORT", rpc)
			env.Setenv("GRANARY_WEBPORT", web)
			env.Setenv("GRANARY_DATADIR", filepath.Join(env.WorkDir, "data"))
			env.Setenv("PAGE", "http://127.0.0.1:"+web)
			env.Setenv("HOME", env.WorkDir)
			for name, value := range vars {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"flip": flip, "truncate": truncate, "fill": fill, "get": get, "post": post, "same": same,
			"format": format, "disk": disk,
		},
		Condition: func(name string) (bool, error) {
			if name != "disk" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return canMount(t.TempDir()), nil
		},
	})
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// flip FILE OFFSET turns one bit over; a negative offset counts from the end.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	path := ts.MkAbs(args[0])
	bytes, err := os.ReadFile(path)
	ts.Check(err)
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	if offset < 0 {
		offset += len(bytes)
	}
	bytes[offset] ^= 0x10
	ts.Check(os.WriteFile(path, bytes, 0o600))
}

// truncate FILE BYTES cuts a file short by so many bytes.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE BYTES")
	}
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()-n))
}

// fill FILE BYTES writes a file of so many opening brackets.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fill FILE BYTES")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte{'['}, n), 0o600))
}

// get PATH fetches a page as a browser without scripts would; its text is the
// standard output. With ! the answer must not be 200.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: get PATH")
	}
	client := &http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(ts.Getenv("PAGE") + args[0])
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	if (response.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("GET %s: %s", args[0], response.Status)
	}
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
}

// post STATUS FILE sends a file to the JSON-RPC door of regtest, with the
// cookie of the data directory, and expects that HTTP status; the answer is
// the standard output. With ! it sends no cookie.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: post STATUS FILE")
	}
	body, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+ts.Getenv("GRANARY_RPCPORT"), bytes.NewReader(body))
	ts.Check(err)
	if !neg {
		cookie, err := os.ReadFile(filepath.Join(ts.Getenv("GRANARY_DATADIR"), "regtest", ".cookie"))
		ts.Check(err)
		user, password, _ := strings.Cut(string(cookie), ":")
		request.SetBasicAuth(user, password)
	}
	client := &http.Client{Timeout: 30 * time.Second}
	response, err := client.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	if got := strconv.Itoa(response.StatusCode); got != args[0] {
		ts.Fatalf("post %s: %s", args[1], response.Status)
	}
	_, err = io.Copy(ts.Stdout(), response.Body)
	ts.Check(err)
}

// same A B compares two files byte by byte.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same A B")
	}
	one, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	two, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if bytes.Equal(one, two) == neg {
		ts.Fatalf("same %s: %v; %x %x", strings.Join(args, " "), !neg, sha256.Sum256(one), sha256.Sum256(two))
	}
}

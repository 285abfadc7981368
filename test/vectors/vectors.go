package vectors

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Shared gives the bytes of the vector file called name in ../shared/vectors
// beside the repository. Where the file is absent, as in a clone that stands
// alone, the test is skipped with a line that says so.
func Shared(t testing.TB, name string) []byte {
	t.Helper()
	path := filepath.Join(repositoryRoot(t), "..", "shared", "vectors", name)
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("vector file %s is not in ../shared/vectors beside the repository: this test checks nothing here", name)
	}
	if err != nil {
		t.Fatalf("read vector file: %v", err)
	}
	return data
}

// Module gives the path of a file or folder inside the source of a Go module
// that this module requires, for example
//
//	Module(t, "github.com/btcsuite/btcd/txscript/v2", "data", "script_tests.json")
//
// Where the module's source is not in the module cache, the test is skipped
// with a line that says so; where the source lacks the path, the test fails.
func Module(t testing.TB, module string, path ...string) string {
	t.Helper()
	dir, err := moduleDir(module)
	if err != nil || dir == "" {
		t.Skipf("the source of module %s is not in the module cache (%v): this test checks nothing here", module, err)
	}
	full := filepath.Join(append([]string{dir}, path...)...)
	if _, err := os.Stat(full); err != nil {
		t.Fatalf("module data: %v", err)
	}
	return full
}

// repositoryRoot is the folder of go.mod, found from this source file so that
// it does not depend on the folder a test runs in.
func repositoryRoot(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if ok && filepath.IsAbs(file) {
		if root, err := filepath.Abs(filepath.Join(filepath.Dir(file), "..", "..")); err == nil {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				return root
			}
		}
	}
	// Built with -trimpath: ask where the module of the working folder is.
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env GOMOD: %v", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

var moduleDirs struct {
	sync.Mutex
	known map[string]string
}

// moduleDir asks the go command where a module's source is and remembers it.
func moduleDir(module string) (string, error) {
	moduleDirs.Lock()
	defer moduleDirs.Unlock()
	if dir, ok := moduleDirs.known[module]; ok {
		return dir, nil
	}
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", &moduleError{text: strings.TrimSpace(stderr.String()), err: err}
	}
	dir := strings.TrimSpace(string(out))
	if moduleDirs.known == nil {
		moduleDirs.known = make(map[string]string)
	}
	moduleDirs.known[module] = dir
	return dir, nil
}

type moduleError struct {
	text string
	err  error
}

func (e *moduleError) Error() string {
	if e.text == "" {
		return e.err.Error()
	}
	return e.text
}

func (e *moduleError) Unwrap() error { return e.err }

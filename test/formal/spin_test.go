package formal

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// model is the file that includes the others.
const model = "granary.pml"

// limit holds one command, so that a world that grew too large fails instead
// of never ending.
const limit = 5 * time.Minute

// whole reports whether "make formal" asks for everything.
func whole() bool { return os.Getenv("GRANARY_REQUIRE_FORMAL") == "1" }

// tools are the programs that turn a model into a verdict.
type tools struct{ spin, cc string }

// findTools gives both programs, or skips the test.
func findTools(t *testing.T) tools {
	t.Helper()
	spin, err := exec.LookPath("spin")
	if err == nil {
		for _, name := range []string{os.Getenv("CC"), "gcc", "cc", "clang"} {
			if cc, err := exec.LookPath(name); err == nil {
				return tools{spin, cc}
			}
		}
	}
	const missing = "spin or a C compiler is not here, so no model of the rules is checked: run make formal"
	if whole() {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return tools{}
}

// finding is what a search of all states found.
type finding struct {
	states, transitions string
	violated            string // name of a property, empty if all hold
	trace               string // the records that led there, one a line
	unreached           []string
}

var (
	statesLine      = regexp.MustCompile(`(?m)^\s*([0-9.e+]+) states, stored`)
	transitionsLine = regexp.MustCompile(`(?m)^\s*([0-9.e+]+) transitions`)
	verdictLine     = regexp.MustCompile(`(?m)errors: ([0-9]+)$`)
	violatedLine    = regexp.MustCompile(`(?m)violated (\w+)$`)
	unreachedLine   = regexp.MustCompile(`(?m)^\t(\S+:\d+, state \d+, .*)$`)
)

// How much the C compiler does: a small world is searched before the compiler
// is done.
const (
	compileFast = "-O0"
	searchFast  = "-O1"
)

// explore visits every state of a world. A formula (not empty) is checked
// under weak fairness of all processes.
func (to tools) explore(t *testing.T, defines []string, formula, level string) finding {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob("*.pml")
	if err != nil || len(files) == 0 {
		t.Fatalf("the model's files: %v, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	options := []string{"-P" + to.cc + " -E -x c"}
	for _, d := range defines {
		options = append(options, "-D'"+d+"'") // spin hands them to a shell
	}
	build := []string{level, "-w", "-DCOLLAPSE", "-DMEMLIM=3000", "-o", "pan", "pan.c"}
	search := []string{"-m1000000", "-w22"}
	if formula == "" {
		build = append([]string{"-DSAFETY"}, build...)
	} else {
		build = append([]string{"-DNFAIR=3"}, build...)
		search = append(search, "-a", "-f", "-N", formula)
	}
	must(t, dir, to.spin, append(append([]string{"-a"}, options...), model)...)
	must(t, dir, to.cc, build...)
	out := must(t, dir, filepath.Join(dir, "pan"), search...)
	f := read(t, out)
	if verdictLine.FindStringSubmatch(out)[1] == "0" {
		return f
	}
	replay := append([]string{"-k", model + ".trail", "-t"}, options...)
	f.trace, _ = command(t, dir, to.spin, append(replay, model)...) // ends with an error: the assertion
	f.violated = formula
	if m := violatedLine.FindStringSubmatch(f.trace); m != nil {
		f.violated = m[1]
	}
	if f.violated == "" {
		t.Fatalf("an error without a property:\n%s\n%s", out, f.trace)
	}
	return f
}

// read takes the figures out of what the search printed.
func read(t *testing.T, out string) finding {
	t.Helper()
	states, transitions := statesLine.FindStringSubmatch(out), transitionsLine.FindStringSubmatch(out)
	if states == nil || transitions == nil || !verdictLine.MatchString(out) || strings.Contains(out, "max search depth too small") ||
		strings.Contains(out, "Search not completed") && strings.Contains(out, "errors: 0") {
		t.Fatalf("the search did not end:\n%s", out)
	}
	f := finding{states: states[1], transitions: transitions[1]}
	for _, m := range unreachedLine.FindAllStringSubmatch(out, -1) {
		if !strings.Contains(m[1], `"-end-"`) {
			f.unreached = append(f.unreached, m[1])
		}
	}
	return f
}

func must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := command(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

// command runs a program in dir and gives both its outputs.
func command(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

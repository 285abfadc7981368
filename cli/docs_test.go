package cli

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedCommands parses every command line of the documentation as
// the program would: subcommand, flags and number of arguments; and looks
// every make target up. test/scripts runs the main ones for real.
func TestDocumentedCommands(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range append(files, "../README.md") {
		for _, line := range fencedLines(t, file) {
			words := strings.Fields(line)
			switch {
			case len(words) > 1 && words[0] == "granary":
				seen++
				checkCommandLine(t, file, words[1:])
			case len(words) > 1 && words[0] == "make":
				seen++
				target := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[1]) + `:`)
				if !target.Match(makefile) {
					t.Errorf("%s: %q: no such target", file, line)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands found: the search is broken", seen)
	}
}

// fencedLines gives the lines of a document's code blocks, without a prompt.
func fencedLines(t *testing.T, file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			inside = !inside
		} else if inside {
			lines = append(lines, strings.TrimPrefix(line, "$ "))
		}
	}
	return lines
}

func checkCommandLine(t *testing.T, file string, words []string) {
	for i, word := range words {
		if word == ">" || word == "|" || word == "&" {
			words = words[:i]
			break
		}
	}
	root := newRoot(&streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(singleDashes(words))
	if err != nil || cmd == root {
		t.Errorf("%s: granary %s: no such command (%v)", file, strings.Join(words, " "), err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: granary %s: %v", file, strings.Join(words, " "), err)
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%s: granary %s: %v", file, strings.Join(words, " "), err)
	}
}

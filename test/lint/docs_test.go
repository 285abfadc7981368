package lint

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the folder of go.mod, seen from this package.
const root = "../.."

// tracked lists the project's own files: what git tracks and what it would;
// without git, every file below the root.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-co", "--exclude-standard")
	cmd.Dir = root
	if out, err := cmd.Output(); err == nil {
		return strings.Fields(string(out))
	}
	var files []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (rel == ".git" || rel == "bin"):
			return filepath.SkipDir
		case !entry.IsDir():
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestDocumentationLinks(t *testing.T) {
	for _, file := range tracked(t) {
		if filepath.Ext(file) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue // deleted in the working tree
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(file), target)); err != nil {
				t.Errorf("%s: link to %s leads nowhere", file, m[1])
			}
		}
	}
}

// TestSpeaksOfItselfAlone finds absolute paths of somebody's machine and
// hosts of registries: the tree must mean the same everywhere.
func TestSpeaksOfItselfAlone(t *testing.T) {
	foreign := []string{
		"/wor" + "k/", "/ro" + "ot/", "/home" + "/", "proxy.golang" + ".org", "registry.npmjs" + ".org",
		"deb.debian" + ".org",
	}
	for _, file := range tracked(t) {
		switch filepath.Ext(file) {
		case ".go", ".md", ".html", ".txt", ".txtar", ".toml", ".conf", ".sh", ".css", ".service", "":
		default:
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		for _, word := range foreign {
			if at := bytes.Index(text, []byte(word)); at >= 0 {
				line := 1 + bytes.Count(text[:at], []byte("\n"))
				t.Errorf("%s:%d: speaks of %q", file, line, word)
			}
		}
	}
}

// TestNoUnfinishedWork refuses the marks of work put off.
func TestNoUnfinishedWork(t *testing.T) {
	marks := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	for _, file := range tracked(t) {
		if filepath.Ext(file) != ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		if at := marks.FindIndex(text); at != nil {
			t.Errorf("%s:%d: unfinished work", file, 1+bytes.Count(text[:at[0]], []byte("\n")))
		}
	}
}

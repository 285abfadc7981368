package web_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/params"
)

// chromium finds the browser; without one the test is skipped, or fails where
// GRANARY_REQUIRE_BROWSER is set.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("GRANARY_REQUIRE_BROWSER") != "" {
		t.Fatal("no Chromium here: install it (Debian: chromium)")
	}
	t.Skip("no Chromium here: the page is not tried in a browser (Debian: apt-get install chromium)")
	return ""
}

// browse runs headless Chromium once and gives its output.
func browse(t *testing.T, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	common := []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
		"--disable-background-networking", "--hide-scrollbars", "--force-color-profile=srgb",
		"--user-data-dir=" + t.TempDir(),
	}
	command := exec.CommandContext(ctx, chromium(t), append(common, arguments...)...)
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, stderr.String())
	}
	return string(output)
}

// dump gives the document as it is after its scripts have run.
func dump(t *testing.T, url string) string {
	t.Helper()
	return browse(t, "--virtual-time-budget=3000", "--dump-dom", url)
}

// complaints gives what the browser's console says: errors of scripts and
// things that the content security policy stopped.
func complaints(t *testing.T, url string) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, chromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=6000", "--dump-dom", url)
	var stderr strings.Builder
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(stderr.String(), "\n") {
		if strings.Contains(line, "CONSOLE") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestBrowserDrawsTheHomePage(t *testing.T) {
	chromium(t)
	w := theLife(t)
	dom := dump(t, w.page.URL)
	for _, path := range []string{"/", "/custodian/0"} {
		for _, complaint := range complaints(t, w.page.URL+path) {
			t.Errorf("%s: the browser complains: %s", path, complaint)
		}
	}
	for what, want := range map[string]string{
		"the height":             fmt.Sprint("Height ", w.house.Height()),
		"charts drawn by uPlot":  `class="chart drawn"`,
		"a canvas":               "<canvas",
		"ages counted by script": `data-ago=`,
		"coverage":               "Coverage over time",
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %s (%q)", what, want)
		}
	}
}

func TestBrowserShowsEverythingWithoutScripts(t *testing.T) {
	chromium(t)
	w := theLife(t)
	// A browser that runs no script, as far as the page can tell.
	quiet := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		w.server.ServeHTTP(&noScripts{writer}, request)
	}))
	defer quiet.Close()
	dom := dump(t, quiet.URL)
	for _, want := range []string{
		fmt.Sprint("Height ", w.house.Height()), `<path class="curve"`, `<path class="minimum"`, `<path class="release"`, "In the treasury", "North silo",
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("without scripts the page lacks %q", want)
		}
	}
	if strings.Contains(dom, "<canvas") {
		t.Error("scripts ran")
	}
}

// noScripts forbids every script by the content security policy.
type noScripts struct{ http.ResponseWriter }

func (n *noScripts) Write(body []byte) (int, error) {
	n.Header().Set("Content-Security-Policy", "script-src 'none'")
	return n.ResponseWriter.Write(body)
}

// TestBrowserScreenshots writes pictures of every page into
// GRANARY_SCREENSHOTS for a person to look at.
func TestBrowserScreenshots(t *testing.T) {
	dir := os.Getenv("GRANARY_SCREENSHOTS")
	if dir == "" {
		t.Skip("GRANARY_SCREENSHOTS names no folder: no pictures are taken")
	}
	w := theLife(t)
	pages := map[string]string{
		"home": "/", "reserve": "/reserve", "receipts": "/receipts?show=all", "receipt": w.find(t, "/receipts", "/receipt/"),
		"closed": w.find(t, "/receipts?show=closed", "/receipt/"), "claims": "/claims?show=all", "claim": w.find(t, "/claims", "/claim/"),
		"ended": w.find(t, "/claims?show=closed", "/claim/"), "custodians": "/custodians", "custodian": "/custodian/0",
		"auditors": "/auditors", "auditor": "/auditor/0", "changes": "/changes", "inspections": "/inspections",
		"blocks": "/blocks", "block": w.find(t, "/reserve", "/block/"), "tx": w.find(t, "/reserve", "/tx/"), "seats": "/seats",
		"charter": "/charter", "coinbase": "/block/1", "missing": "/search?q=nothing",
	}
	if only := os.Getenv("GRANARY_SCREENSHOTS_ONLY"); only != "" {
		maps.DeleteFunc(pages, func(name, _ string) bool { return !slices.Contains(strings.Split(only, ","), name) })
	}
	if path := pages["home"]; path != "" { // the picture of the README, before its colours are counted
		browse(t, "--virtual-time-budget=3000", "--force-device-scale-factor=0.703125", "--window-size=1280,1440",
			"--screenshot="+filepath.Join(dir, "readme.png"), w.page.URL+path)
	}
	for name, path := range pages {
		pictures(t, dir, name, w.page.URL+path)
	}
	if os.Getenv("GRANARY_SCREENSHOTS_ONLY") != "" {
		return
	}
	// A chain that has just begun, whose names are as long as names can be.
	long := newWorld(t, 3, func(c *params.Charter) {
		name := func(i int) string { return fmt.Sprint(i) + strings.Repeat("Wm", 31) }
		c.Name = name(0)
		c.Goods, c.Custodians, c.Auditors = slices.Clone(c.Goods), slices.Clone(c.Custodians), slices.Clone(c.Auditors)
		for i := range c.Goods {
			c.Goods[i].Name = name(i + 1)
		}
		for i := range c.Custodians {
			c.Custodians[i].Name = name(i + 1)
		}
		for i := range c.Auditors {
			c.Auditors[i].Name = name(i + 1)
		}
	})
	for name, path := range map[string]string{
		"home": "/", "reserve": "/reserve", "receipts": "/receipts", "claims": "/claims", "custodians": "/custodians",
		"custodian": "/custodian/0", "auditors": "/auditors", "auditor": "/auditor/0", "changes": "/changes",
		"inspections": "/inspections", "seats": "/seats", "charter": "/charter", "none": "/receipt/77", "gone": "/nowhere",
	} {
		pictures(t, dir, "new-"+name, long.page.URL+path)
	}
}

// pictures takes a page on a phone and on a desktop, light and dark.
func pictures(t *testing.T, dir, name, url string) {
	t.Helper()
	for form, size := range map[string]string{"phone": "390,2600", "desktop": "1280,2000"} {
		for _, dark := range []bool{false, true} {
			file := filepath.Join(dir, fmt.Sprintf("%s-%s%s.png", name, form, map[bool]string{true: "-dark"}[dark]))
			arguments := []string{"--virtual-time-budget=3000", "--window-size=" + size, "--screenshot=" + file}
			if dark {
				arguments = append(arguments, "--blink-settings=preferredColorScheme=0")
			}
			browse(t, append(arguments, url)...)
		}
	}
}

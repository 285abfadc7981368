package lint

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "granary"

// may is the import table of the house: a folder, what it may import beside
// itself, and why. A longer path wins over a shorter one.
var may = map[string]struct {
	imports []string
	why     string
}{
	"base":         {nil, "the ground: knows nothing of the project"},
	"params":       {[]string{"base"}, "what a chain is before its first block"},
	"state":        {[]string{"base", "params"}, "nouns that travel"},
	"rules":        {[]string{"base", "params", "state"}, "law is pure: it never sees the store"},
	"store":        {[]string{"base", "params", "state"}, "storage holds whatever the law decided"},
	"chain":        {[]string{"base", "params", "state", "rules", "store"}, "the engine binds law and storage"},
	"mempool":      {[]string{"base", "params", "state", "rules", "chain"}, "admission by the law on the tip"},
	"index":        {[]string{"base", "params", "state", "rules", "chain", "mempool"}, "followers of the chain; the goods history reads records"},
	"p2p":          {[]string{"base", "params", "state", "chain", "mempool", "index"}, "peers speak to the engine only, in its nouns"},
	"mine":         {[]string{"base", "params", "state", "rules", "chain", "mempool"}, "templates obey the law"},
	"watch":        {[]string{"base", "params", "state", "chain", "mempool", "index"}, "reads, never decides"},
	"wallet":       {[]string{"base", "params", "state", "rules/goods"}, "a river of its own: a key"},
	"exchange":     {[]string{"base", "params"}, "a river of its own: an order"},
	"door":         {[]string{"base", "params", "state", "rules", "chain", "mempool", "index", "p2p", "mine", "watch", "wallet", "exchange"}, "decode, call, encode; never the store"},
	"config":       {[]string{"base", "params", "state", "rules", "store", "chain", "mempool", "index", "p2p", "mine", "watch", "wallet", "exchange", "door"}, "fills the Options of the packages below"},
	"node":         {[]string{"base", "params", "state", "rules", "store", "chain", "mempool", "index", "p2p", "mine", "watch", "wallet", "exchange", "door", "config"}, "the composition root"},
	"cli":          {[]string{"base", "params", "state", "rules", "store", "chain", "mempool", "index", "p2p", "mine", "watch", "wallet", "exchange", "door", "config", "node"}, "parse, call, print"},
	"cmd":          {[]string{"cli"}, "main, nothing else"},
	"test":         {[]string{"*"}, "tests only"},
	"sim":          {[]string{"*"}, "tests only"},
	"rules/script": {[]string{"base", "params", "state"}, "scripts know no goods"},
	"rules/goods":  {[]string{"base", "params", "state"}, "goods know no scripts"},
	"rules/block":  {[]string{"base", "params", "state", "rules/script", "rules/goods"}, "a block is checked by both"},
}

// within says which way imports run inside a folder; a pair not listed here
// is forbidden, but for a package below the importer (store -> store/coins).
var within = map[string][]string{
	"base/kv": {"base/check"}, "base/files": {"base/kv"}, "base/sig": {"base/check", "base/hash"}, "base/desc": {"base/check", "base/hash"},
	"base/hash": {"base/check"}, "base/clock": {"base/check"}, "base/rpcclient": {"base/check"},
	"state/tree": {"state"},
	"index/tx":   {"index"}, "index/filter": {"index"}, "index/goods": {"index"},
	"rules/block": {"rules/script", "rules/goods"}, "rules/proof": {"rules/goods"},
	"mine/cpu": {"mine/template"}, "mine/pool": {"mine/template"},
	"wallet/psbt": {"wallet/key"}, "wallet/coins": {"wallet/key"},
	"node/demo": {"node/life", "node/stage"}, "node/life": {"node/stage"}, "node/tour": {"node/stage"},
	"p2p/addr": {"p2p/message"}, "p2p/transport": {"p2p/message"}, "p2p/peer": {"p2p/message", "p2p/transport", "p2p/addr"},
	"p2p/sync": {"p2p/message", "p2p/peer"}, "p2p/txrelay": {"p2p/message", "p2p/peer"}, "p2p/filters": {"p2p/message", "p2p/peer"},
	"door/rest": {"door/rpc"}, // JSON-RPC's answers in another form
}

type pkg struct {
	ImportPath string
	Doc        string
	Name       string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Name,Imports,GoFiles", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func rowOf(path string) (string, bool) {
	for row := path; row != "."; {
		if _, ok := may[row]; ok {
			return row, true
		}
		cut := strings.LastIndexByte(row, '/')
		if cut < 0 {
			return "", false
		}
		row = row[:cut]
	}
	return "", false
}

func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func TestImportTable(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		row, ok := rowOf(from)
		if !ok {
			t.Errorf("%s: no row in the import table: add it with its reason", from)
			continue
		}
		if depth := strings.Count(from, "/"); depth > 1 && !below(from, "test") {
			t.Errorf("%s: folders are two deep at most", from)
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module+"/")
			if ours && !allowed(row, from, to) {
				t.Errorf("%s imports %s: not in its row (%s: %s)", from, to, row, may[row].why)
			}
		}
	}
}

func allowed(row, from, to string) bool {
	if slices.Contains(may[row].imports, "*") {
		return true
	}
	top := func(path string) string { first, _, _ := strings.Cut(path, "/"); return first }
	if top(from) == top(to) {
		return below(to, from) || slices.Contains(within[from], to)
	}
	return slices.ContainsFunc(may[row].imports, func(folder string) bool { return below(to, folder) })
}

// TestTableRefuses holds the table itself to account: each pair is a road
// that must stay closed.
func TestTableRefuses(t *testing.T) {
	for _, pair := range [][2]string{
		{"rules/block", "store"},
		{"store", "rules/block"},
		{"rules/script", "rules/goods"},
		{"door/rpc", "store"},
		{"door/web", "store/coins"},
		{"state", "chain"},
		{"base/hash", "params"},
		{"wallet", "rules/block"},
		{"cmd/granary", "node"},
		{"door/rpc", "door/web"},
	} {
		row, ok := rowOf(pair[0])
		if !ok {
			t.Fatalf("no row for %s", pair[0])
		}
		if allowed(row, pair[0], pair[1]) {
			t.Errorf("%s may import %s", pair[0], pair[1])
		}
	}
}

func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: package comment must start with %q and tell its stretch of the way", p.ImportPath, want)
		}
	}
}

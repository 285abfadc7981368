package rpc

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/datadriven"

	"granary/params"
)

// triedElsewhere are methods whose answer is not the same every time, with the
// test that tries them.
var triedElsewhere = map[string]string{
	"uptime": "TestControl", "getrpcinfo": "TestControl", "stop": "TestControl", "help": "TestControl",
	"getgoodsproof": "TestGoodsProof", "verifygoodsproof": "TestGoodsProof", "getgoodsaudit": "TestGoodsAudit", "getgoodsheaders": "TestGoodsAudit",
	"signrawtransactionwithkey": "TestSigning",
	"getpeerinfo":               "TestPeersByRPC", "ping": "TestPeersByRPC",
	"waitfornewblock": "TestWaiting", "waitforblock": "TestWaiting", "waitforblockheight": "TestWaiting",
}

// TestTranscripts plays the files of testdata against a node: each input line
// is a command line as one would give it to "granary rpc", each output the
// node's answer. $name stands for an answer saved by "rpc save=name". Run with
// -rewrite and read the difference.
func TestTranscripts(t *testing.T) {
	tried := map[string]bool{}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts:", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var charter *params.Charter
			var masked map[string]string
			switch name := filepath.Base(file); {
			case strings.HasPrefix(name, "goods_play"):
				charter, masked = playCharter(t), map[string]string{}
			case strings.HasPrefix(name, "goods"):
				charter = testCharter(t)
			}
			s := &transcript{world: newWorld(t, charter), vars: map[string]string{}, tried: tried, masked: masked}
			if strings.HasPrefix(filepath.Base(file), "network") {
				s.online(t, "")
			}
			if charter != nil {
				s.people = newPeople(s.world, charter)
			}
			datadriven.RunTest(t, file, s.run)
		})
	}
	for _, m := range Methods() {
		if !tried[m.Name] && triedElsewhere[m.Name] == "" {
			t.Errorf("no transcript tries %s", m.Name)
		}
	}
}

type transcript struct {
	*world
	people *people // on a chain with a charter
	vars   map[string]string
	tried  map[string]bool
	// masked, if set, are the names of hashes and ids, in the order in which
	// they were first seen, so that a transcript does not change with every
	// byte of the state.
	masked map[string]string
}

var (
	longHex  = regexp.MustCompile(`\b(?:[0-9a-f]{64}|[0-9a-f]{16})\b`)
	timeLine = regexp.MustCompile(`"time": \d+`)
)

func (s *transcript) mask(answer string) string {
	answer = timeLine.ReplaceAllString(answer, `"time": TIME`)
	return longHex.ReplaceAllStringFunc(answer, func(hash string) string {
		if s.masked[hash] == "" {
			s.masked[hash] = fmt.Sprintf("%s-%d", map[int]string{16: "ID", 64: "HASH"}[len(hash)], len(s.masked)+1)
		}
		return s.masked[hash]
	})
}

func (s *transcript) run(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		line = strings.TrimSpace(line)
		line = os.Expand(line, func(name string) string { return s.vars[name] })
		var answer string
		switch d.Cmd {
		case "rpc":
			answer = s.rpc(t, line)
		case "play":
			s.people.play(line)
			answer = "ok"
		case "sign":
			op := 0x51
			d.MaybeScanArgs(t, "op", &op)
			answer = signTrue(t, line, byte(op))
		default:
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		var name, field string
		if d.MaybeScanArgs(t, "field", &field) {
			answer = pick(t, answer, field)
		}
		if d.MaybeScanArgs(t, "save", &name) {
			s.vars[name] = strings.Trim(answer, `"`)
		}
		if d.HasArg("quiet") && !strings.HasPrefix(answer, "error") {
			answer = "ok"
		}
		if s.masked != nil {
			answer = s.mask(answer)
		}
		fmt.Fprintln(&out, shorten(answer))
	}
	return out.String()
}

// rpc runs one command line and prints what "granary rpc" would.
func (s *transcript) rpc(t *testing.T, line string) string {
	words := splitWords(line)
	method := words[0]
	s.tried[method] = true
	convert := ConvertArgs
	if len(words) > 1 && words[1] == "-named" {
		convert, words = ConvertNamedArgs, words[1:]
	}
	args, err := convert(method, words[1:])
	if err != nil {
		return "not sent: " + err.Error()
	}
	raw, failure := s.call(method, string(args.AppendJSON(nil)))
	if failure != nil {
		message, _, _ := strings.Cut(failure.Message, "\n\n")
		return fmt.Sprintf("error %d: %s", failure.Code, message)
	}
	return indent(raw)
}

// shorten keeps long hex readable.
func shorten(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if len(line) > 400 {
			lines[i] = line[:80] + "..." + line[len(line)-20:]
		}
	}
	return strings.Join(lines, "\n")
}

// splitWords splits at spaces outside of single quotes, which are dropped.
func splitWords(line string) (words []string) {
	var word strings.Builder
	quoted, open := false, false
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted, open = !quoted, true
		case r == ' ' && !quoted:
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	return words
}

// pick takes one value out of an answer: names and numbers between dots.
func pick(t *testing.T, answer, path string) string {
	v, err := ParseJSON([]byte(answer))
	if err != nil {
		t.Fatalf("%s is no JSON to take %s from", answer, path)
	}
	for _, step := range strings.Split(path, ".") {
		if i, err := strconv.Atoi(step); err == nil && i < v.Len() {
			v = v.items[i]
		} else if v, _ = v.Get(step); v.IsNull() {
			t.Fatalf("no %s in %s", path, answer)
		}
	}
	return string(v.AppendJSON(nil))
}

// signTrue gives every input of a transaction the witness that spends the
// P2WSH output of one small number.
func signTrue(t *testing.T, text string, op byte) string {
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var msg wire.MsgTx
	if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, in := range msg.TxIn {
		in.Witness = wire.TxWitness{{op}}
	}
	out, err := serializeTx(&msg)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(out)
}

func TestControl(t *testing.T) {
	w := newWorld(t, nil)
	var seconds int64
	if w.must(&seconds, "uptime", ""); seconds < 0 || seconds > 60 {
		t.Errorf("uptime %d", seconds)
	}
	var info struct {
		Active []struct {
			Method   string
			Duration int64
		} `json:"active_commands"`
	}
	if w.must(&info, "getrpcinfo", ""); len(info.Active) != 1 || info.Active[0].Method != "getrpcinfo" {
		t.Errorf("getrpcinfo %+v", info)
	}
	if text := w.text("help", ""); !strings.Contains(text, "== Blockchain ==\n") || !strings.Contains(text, "\ngetblockhash height\n") {
		t.Errorf("help:\n%s", text)
	}
	for _, m := range Methods() {
		if text := w.text("help", `["`+m.Name+`"]`); text != m.Help() {
			t.Errorf("help %s:\n%s", m.Name, text)
		}
	}
	if text := w.text("help", `["nonsense"]`); text != "help: unknown command: nonsense" {
		t.Errorf("help nonsense: %s", text)
	}
	if text := w.text("stop", `{"wait":1}`); text != "Granary stopping" {
		t.Errorf("stop: %s", text)
	}
	<-w.stopped
}

func TestWaiting(t *testing.T) {
	w := newWorld(t, nil)
	const address = `"bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"`
	type tip struct {
		Hash   string
		Height int32
	}
	wait := func(method, params string) <-chan tip {
		out := make(chan tip, 1)
		go func() {
			raw, failure := w.call(method, params)
			var got tip
			if failure != nil || json.Unmarshal(raw, &got) != nil {
				t.Errorf("%s: %v %s", method, failure, raw)
			}
			out <- got
		}()
		return out
	}
	next, third := wait("waitfornewblock", "[60000]"), wait("waitforblockheight", "[3,60000]")
	for len(w.door.running.list()) < 2 {
		t.Context()
	}
	var hashes []string
	w.must(&hashes, "generatetoaddress", "[1,"+address+"]")
	if got := <-next; got.Height != 1 || got.Hash != hashes[0] {
		t.Errorf("waitfornewblock gave %+v", got)
	}
	w.must(&hashes, "generatetoaddress", "[2,"+address+"]")
	if got := <-third; got.Height != 3 || got.Hash != hashes[1] {
		t.Errorf("waitforblockheight gave %+v", got)
	}
	if got := <-wait("waitforblock", `["`+hashes[1]+`"]`); got.Height != 3 {
		t.Errorf("waitforblock gave %+v", got)
	}
	if got := <-wait("waitforblock", `["`+hashes[0]+`",1]`); got.Height != 3 {
		t.Errorf("waitforblock after its time gave %+v", got)
	}
	w.fails(CodeMisc, "Negative timeout", "waitfornewblock", "[-1]")
}

// testCharter is the demo's with seats that anyone can spend.
func testCharter(t testing.TB) *params.Charter {
	script := func(op byte) []byte {
		sum := sha256.Sum256([]byte{op})
		return append([]byte{0x00, 32}, sum[:]...)
	}
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{script(0x51), script(0x52)},
		Auditors:   [3][]byte{script(0x53), script(0x54), script(0x55)},
		Council:    script(0x56),
	})
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/spf13/pflag"

	"granary/config"
	"granary/node"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// anyone is the address whose outputs 0x51 spends.
const anyone = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"

// proofWorld is a node in this process on a chain whose seats anyone can
// spend, and the command line.
type proofWorld struct {
	t       *testing.T
	charter *params.Charter
	node    *node.Node
	flags   []string
	dir     string
}

// inProofWorld runs a node and calls f with it.
func inProofWorld(t *testing.T, f func(w *proofWorld)) {
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
	dir := t.TempDir()
	path := filepath.Join(dir, "charter.toml")
	if err := os.WriteFile(path, charter.TOML(), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--datadir", dir, "--charter", path, "--rpcport", freePort(t), "--web=0", "--dbcache", "16"}
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.AddFlags(set)
	if err := set.Parse(flags); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = node.Run(t.Context(), c, node.Options{Version: "test", Console: &bytes.Buffer{}, Work: func(_ context.Context, n *node.Node) error {
		defer n.Stop()
		f(&proofWorld{t: t, charter: charter, node: n, flags: flags, dir: dir})
		return nil
	}})
	if err != nil {
		t.Error(err)
	}
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

// command runs a command line.
func command(args ...string) (code int, out, err string) {
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), args, streams{in: strings.NewReader(""), out: &stdout, err: &stderr})
	return code, stdout.String(), stderr.String()
}

// online runs a command against the node.
func (w *proofWorld) online(args ...string) string {
	w.t.Helper()
	at := 1
	if args[0] == "proof" {
		at = 2
	}
	all := append(append(append([]string{}, args[:at]...), w.flags...), args[at:]...)
	code, out, err := command(all...)
	if code != 0 {
		w.t.Errorf("granary %s: exit code %d, %s", strings.Join(args, " "), code, err)
	}
	return out
}

func (w *proofWorld) mine(n int) { w.online("rpc", "generatetoaddress", fmt.Sprint(n), anyone) }

// file writes what a command prints.
func (w *proofWorld) file(name string, args ...string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(w.online(args...)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *proofWorld) act(role state.Role, index uint16, op byte, record goods.Record) {
	w.t.Helper()
	var raw bytes.Buffer
	err := w.node.Chain.View(func(_ *state.Header, v state.View) error {
		seats, err := goods.ReadSeats(v)
		for i := range seats {
			if s := &seats[i]; s.Role == role && s.Index == index {
				tx := wire.NewMsgTx(2)
				tx.AddTxIn(&wire.TxIn{PreviousOutPoint: s.Out, Witness: wire.TxWitness{{op}}, Sequence: wire.MaxTxInSequenceNum})
				tx.AddTxOut(wire.NewTxOut(0, s.Script))
				tx.AddTxOut(wire.NewTxOut(0, goods.RecordScript(record)))
				return tx.Serialize(&raw)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.online("rpc", "generateblock", anyone, fmt.Sprintf("[%q]", hex.EncodeToString(raw.Bytes())))
}

// receive opens two receipts.
func (w *proofWorld) receive() {
	tip := w.node.Chain.Tip()
	record := goods.Receive{Custodian: 0, Expiry: tip.Height + 50, Observed: goods.Observed{Height: tip.Height, Hash: tip.Hash}}
	for i := range 2 {
		record.Openings = append(record.Openings, goods.Opening{
			Serial: fmt.Sprintf("LOT-%d", i), Quantity: 1000 + int64(i), Location: "Hall 7", Script: append([]byte{0, 20}, make([]byte, 20)...),
		})
	}
	attest := goods.Attest{Proposals: []chainhash.Hash{goods.ProposalHash(w.charter.ID(), record)}}
	w.act(state.RoleAuditor, 0, 0x53, attest)
	w.act(state.RoleAuditor, 1, 0x54, attest)
	w.act(state.RoleCustodian, 0, 0x51, record)
}

// TestProofCommands makes every kind of file with a node and checks them
// without one.
func TestProofCommands(t *testing.T) {
	var receipt, audit, reserve, headers, older, short, charter string
	inProofWorld(t, func(w *proofWorld) {
		w.mine(101)
		w.receive()
		w.mine(2)
		charter = filepath.Join(w.dir, "charter.toml")
		short = w.file("short", "proof", "headers")
		w.mine(4)
		receipt = w.file("receipt", "proof", "make", "1")
		older = w.file("older", "proof", "make", "1", "--depth", "5")
		audit = w.file("audit", "proof", "make", "--all", "--depth", "2")
		reserve = w.file("reserve", "proof", "make", "--reserve")
		headers = w.file("headers", "proof", "headers")
		for want, args := range map[string][]string{
			"receipt 9 is not in the goods": {"proof", "make", "9"},
			"no block has 140":              {"proof", "make", "1", "--depth", "140"},
			"claim 3 is not in the goods":   {"proof", "make", "1", "--claim", "3"},
		} {
			code, out, err := command(append(args, w.flags...)...)
			if code != exitFailed || out != "" || !strings.Contains(err, want) || strings.Count(err, "\n") != 1 {
				t.Errorf("%v: exit code %d, %q %q", args, code, out, err)
			}
		}
	})
	for _, test := range []struct {
		code int
		want string
		args []string
	}{
		{0, "NOT ANCHORED: compare charter, hash and height", []string{receipt}},
		{0, "claimed to be in the chain", []string{receipt}},
		{0, "NOT GIVEN: use --headers FILE or --charter FILE", []string{receipt}},
		{0, "LOT-1 in registry 0 of the charter", []string{receipt}},
		{0, "not checked  seal and limit of work", []string{receipt}},
		{0, "Reserve proof of Granary demo (GRN)", []string{receipt, "--charter", charter}},
		{0, "LOT-1 in Demo lot registry", []string{receipt, "--charter", charter}},
		{0, "NOT ANCHORED: compare charter, hash and height", []string{receipt, "--charter", charter}},
		{0, "in the chain of 110 headers", []string{receipt, "--charter", charter, "--headers", headers}},
		{0, "redeeming (C)", []string{receipt, "--headers", headers}},
		{0, "Whole audit of Granary demo", []string{audit, "--charter", charter}},
		{exitFailed, "belongs to the chain of charter", []string{receipt, "--charter", otherCharter(t)}},
		{exitFailed, "belongs to the chain of charter", []string{audit, "--charter", otherCharter(t)}},
		{exitFailed, "the headers are of the chain of charter", []string{receipt, "--charter", otherCharter(t), "--headers", headers}},
		{exitFailed, "cannot read the charter", []string{receipt, "--charter", receipt + "x"}},
		{exitFailed, "the file has version 1, this program reads version 2: make it anew", []string{versionOne(t, receipt)}},
		{exitFailed, "the file has version 1, this program reads version 2: make it anew", []string{receipt, "--headers", versionOne(t, headers)}},
		{exitUsage, "--charter names a file", []string{receipt, "--charter", "-"}},
		{0, "1 confirmation, in the chain of 110 headers", []string{receipt, "--headers", headers}},
		{0, "Receipt 1: proved by the chain", []string{receipt, "--headers", headers}},
		{0, "1001 kg: ", []string{receipt, "--headers", headers}},
		{0, "Lot: attested by North silo and a quorum of auditors at height 101", []string{receipt, "--headers", headers}},
		{0, "5 confirmations", []string{older, "--headers", headers, "--depth", "5"}},
		{0, "2 receipts, 0 claims (0 not tendered)", []string{audit, "--headers", headers}},
		{0, "Milling wheat: proved by the chain", []string{audit, "--headers", headers, "--depth", "2"}},
		{0, "NOT ANCHORED", []string{audit}},
		{0, "After block 109: proved by the chain", []string{reserve, "--headers", headers}},
		{exitFailed, "has 5 confirmations, 6 are asked for", []string{older, "--headers", headers, "--depth", "6"}},
		{exitFailed, "is above the headers, which end at 106", []string{receipt, "--headers", short}},
		{exitFailed, "these are headers", []string{headers}},
		{exitFailed, "the file holds a whole audit, not a list of headers", []string{receipt, "--headers", audit}},
		{exitFailed, "cannot read the file", []string{receipt + "x"}},
		{exitFailed, "cannot read the headers", []string{receipt, "--headers", receipt + "x"}},
		{exitFailed, "this is not a file of granary proof", []string{changed(t, receipt, 0)}},
		{exitFailed, "does not", []string{changed(t, receipt, -1)}},
		{exitFailed, "", []string{changed(t, audit, -10)}},
		{exitFailed, "breaks a rule", []string{receipt, "--headers", changed(t, headers, -5)}},
		{exitFailed, "does not follow", []string{receipt, "--headers", changed(t, headers, headersAt(t, charter)+80+20)}},
		{exitUsage, "--depth needs --headers", []string{receipt, "--depth", "2"}},
	} {
		code, out, err := command(append([]string{"proof", "verify"}, test.args...)...)
		said := out
		if code != 0 {
			said = err
		}
		if code != test.code || !strings.Contains(said, test.want) || code != 0 && (out != "" || strings.Count(err, "\n") != 1) {
			t.Errorf("%v: exit code %d, want %d and %q:\n%s%s", test.args, code, test.code, test.want, out, err)
		}
	}
	checkProofJSON(t, receipt, audit, headers)
	checkBareJSON(t, receipt)
}

// checkBareJSON: without a charter, what only it tells is left out.
func checkBareJSON(t *testing.T, receipt string) {
	t.Helper()
	code, out, errText := command("proof", "verify", receipt, "--json")
	var got struct {
		CharterKnown bool
		Name         *string
		Sums         struct{ Redeeming, Reserve *json.Number }
		Attested     struct {
			Registry *string
			Number   *int `json:"registry_number"`
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.CharterKnown || got.Name != nil ||
		got.Attested.Registry != nil || got.Attested.Number == nil || got.Sums.Redeeming == nil || got.Sums.Reserve == nil {
		t.Errorf("%v: %s%s", err, out, errText)
	}
}

// otherCharter writes a charter of another chain.
func otherCharter(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.toml")
	if err := os.WriteFile(path, params.TemplateCharter(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// versionOne is a file that says it has version 1.
func versionOne(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[4] = 1
	out := filepath.Join(t.TempDir(), "version1")
	if err := os.WriteFile(out, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// headersAt is where the first header stands in a file of headers.
func headersAt(t *testing.T, path string) int {
	t.Helper()
	charter, err := readCharter(&streams{}, path)
	if err != nil {
		t.Fatal(err)
	}
	return 6 + 4 + len(charter.Canonical()) + 4
}

// checkProofJSON: every object with figures names its label.
func checkProofJSON(t *testing.T, receipt, audit, headers string) {
	type labelled struct{ Label string }
	var got struct {
		Confirmations     int
		Label             string
		Sums, Custodian   labelled
		Receipt, Attested labelled
	}
	for _, path := range []string{receipt, audit} {
		_, out, errText := command("proof", "verify", path, "--headers", headers, "--json")
		if path == audit {
			got.Receipt.Label = ""
			var whole struct {
				Label string
				Sums  labelled
				Goods []struct{ Undrawn, Free int64 }
			}
			if err := json.Unmarshal([]byte(out), &whole); err != nil || whole.Label != "proved by the chain" || whole.Sums.Label != whole.Label || whole.Goods[0].Undrawn+whole.Goods[0].Free != 2001 {
				t.Errorf("%v: %s%s", err, out, errText)
			}
			continue
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v: %s%s", err, out, errText)
		}
		for _, l := range []labelled{got.Sums, got.Receipt, got.Custodian} {
			if l.Label != "proved by the chain" || got.Confirmations != 1 {
				t.Errorf("labels %+v", got)
			}
		}
		if !strings.HasPrefix(got.Attested.Label, "attested by") {
			t.Errorf("labels %+v", got)
		}
	}
}

// changed copies a file with one byte changed; a negative place counts from
// the end.
func changed(t *testing.T, path string, at int) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if at < 0 {
		at += len(raw)
	}
	raw[at] ^= 0x40
	out := filepath.Join(t.TempDir(), "changed")
	if err := os.WriteFile(out, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestProofMakeWords: what is asked for must be clear.
func TestProofMakeWords(t *testing.T) {
	for _, args := range [][]string{
		{}, {"1", "2"}, {"1", "--all"}, {"--all", "--reserve"}, {"x"}, {"-1"}, {"1", "--depth", "0"}, {"--all", "--claim", "1"},
	} {
		if code, out, err := command(append([]string{"proof", "make"}, args...)...); code != exitUsage || out != "" || err == "" {
			t.Errorf("proof make %v: exit code %d, %q %q", args, code, out, err)
		}
	}
}

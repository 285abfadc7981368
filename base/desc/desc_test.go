package desc_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"granary/base/desc"
	"granary/test/vectors"

	"github.com/btcsuite/btcd/chaincfg/v2"
)

const (
	wifCompressed   = "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1"
	wifUncompressed = "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss"
	hexCompressed   = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"
	hexUncompressed = "04a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd5b8dec5235a0fa8722476c7709c02559e3aa73aa03918ba2d492eea75abea235"
	xpub            = "xpub69H7F5dQzmVd3vPuLKtcXJziMEQByuDidnX3YdwgtNsecY5HRGtAAQC5mXTt4dsv9RzyjgDjAQs9VGVV6ydYCHnprc9vvaA5YtqWyL6hyds"
	xpubOfXprv      = "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPPLPxSb7gwQN3ih19Zm4Y"
	xprv            = "xprv9uPDJpEQgRQfDcW7BkF7eTya6RPxXeJCqCJGHuCJ4GiRVLzkTXBAJMu2qaMWPrS7AANYqdq6vcBcBUdJCVVFceUvJFjaPdGZ2y9WACViL4L"
)

// The scripts that the descriptor BIPs (381 to 386) state for their examples.
func TestPublishedScripts(t *testing.T) {
	for text, want := range map[string]string{
		"pk(" + wifCompressed + ")":                              "21" + hexCompressed + "ac",
		"pk(" + hexCompressed + ")":                              "21" + hexCompressed + "ac",
		"pkh(" + hexCompressed + ")":                             "76a9149a1c78a507689f6f54b847ad1cef1e614ee23f1e88ac",
		"pk(" + wifUncompressed + ")":                            "41" + hexUncompressed + "ac",
		"pkh(" + hexUncompressed + ")":                           "76a914b5bd079c4d57cc7fc28ecf8213a6b791625b818388ac",
		"sh(pk(" + hexCompressed + "))":                          "a9141857af51a5e516552b3086430fd8ce55f7c1a52487",
		"sh(pkh(" + hexCompressed + "))":                         "a9141a31ad23bf49c247dd531a623c2ef57da3c400c587",
		"pkh([bd16bee5/0]" + xpub + "/0)":                        "76a914ebdc90806a9c4356c1c88e42216611e1cb4c1c1788ac",
		"pkh([bd16bee5/2147483647h]" + xpub + "/0)":              "76a914ebdc90806a9c4356c1c88e42216611e1cb4c1c1788ac",
		"pkh(" + xpub + "/*)":                                    "76a914ebdc90806a9c4356c1c88e42216611e1cb4c1c1788ac",
		"wpkh(" + hexCompressed + ")":                            "00149a1c78a507689f6f54b847ad1cef1e614ee23f1e",
		"wsh(pkh(" + hexCompressed + "))":                        "0020338e023079b91c58571b20e602d7805fb808c22473cbc391a41b1bd3a192e75b",
		"wsh(pk(" + hexCompressed + "))":                         "00202e271faa2325c199d25d22e1ead982e45b64eeb4f31e73dbdf41bd4b5fec23fa",
		"sh(wpkh(" + hexCompressed + "))":                        "a91484ab21b1b2fd065d4504ff693d832434b6108d7b87",
		"sh(wsh(pkh(" + hexCompressed + ")))":                    "a914b61b92e2ca21bac1e72a3ab859a742982bea960a87",
		"multi(1," + wifCompressed + "," + wifUncompressed + ")": "5121" + hexCompressed + "41" + hexUncompressed + "52ae",
		"tr(" + hexCompressed[2:] + ")":                          "512077aab6e066f8a7419c5ab714c12c67d25007ed55a43cadcacb4d7a970a093f11",
		"tr(" + wifCompressed + ")":                              "512077aab6e066f8a7419c5ab714c12c67d25007ed55a43cadcacb4d7a970a093f11",
		"raw(deadbeef)#89f8spxm":                                 "deadbeef",
		"addr(1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo)":               "76a914a31c06bd463e3923bc1aadbde48b16976c08071788ac",
	} {
		d, err := desc.Parse(text, &chaincfg.MainNetParams)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		script, err := d.Script(0)
		if err != nil || hex.EncodeToString(script) != want {
			t.Errorf("%s: script %x (%v), want %s", text, script, err, want)
		}
		if again, err := desc.Parse(d.String(), &chaincfg.MainNetParams); err != nil || again.String() != d.String() {
			t.Errorf("%s: does not read back from %s: %v", text, d, err)
		}
	}
}

// BIP67's first vector: keys sorted before they are hashed.
func TestSortedMulti(t *testing.T) {
	const a = "02ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f8"
	const b = "02fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f"
	want := "39bgKC7RFbpoCRbtD5KEdkYKtNyhpsNa3Z"
	for _, text := range []string{
		"sh(sortedmulti(2," + a + "," + b + "))", "sh(sortedmulti(2," + b + "," + a + "))", "sh(multi(2," + b + "," + a + "))",
	} {
		d, err := desc.Parse(text, &chaincfg.MainNetParams)
		if err != nil {
			t.Fatal(err)
		}
		script, err := d.Script(7)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := desc.ScriptAddress(script, &chaincfg.MainNetParams); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// An extended private key stands for its public part.
func TestPrivateExtendedKey(t *testing.T) {
	var scripts [2]string
	for i, key := range []string{xprv, xpubOfXprv} {
		d, err := desc.Parse("wpkh("+key+"/0/5)", &chaincfg.MainNetParams)
		if err != nil {
			t.Fatal(err)
		}
		script, _ := d.Script(0)
		scripts[i] = string(script)
	}
	if scripts[0] != scripts[1] {
		t.Fatalf("%x from the private key, %x from the public one", scripts[0], scripts[1])
	}
}

func TestRangeGivesDifferentScripts(t *testing.T) {
	d, err := desc.Parse("wsh(sortedmulti(1,"+hexCompressed+","+xpub+"/3/*))", &chaincfg.MainNetParams)
	if err != nil {
		t.Fatal(err)
	}
	zero, _ := d.Script(0)
	one, _ := d.Script(1)
	if !d.IsRange() || string(zero) == string(one) {
		t.Fatal("a range gave one script twice")
	}
	if _, err := d.Script(1 << 31); err == nil {
		t.Fatal("a hardened index was accepted")
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"raw(deadbeef)#":                   "not 8 characters",
		"raw(deadbeef)#89f8spxmx":          "not 8 characters",
		"raw(deadbeef)#89f8spx":            "not 8 characters",
		"raw(dedbeef)#89f8spxm":            "does not match",
		"raw(deadbeef)#99f8spxm":           "does not match",
		"raw(deadbeef)##9f8spxm":           "does not match",
		"raw(Ü)#00000000":                  "which no descriptor may",
		"raw(zz)":                          "not hex",
		"":                                 "expected NAME(...)",
		"wpkh":                             "expected NAME(...)",
		"combo(" + hexCompressed + ")":     "several scripts",
		"rawtr(" + hexCompressed[2:] + ")": "use tr(KEY)",
		"tr(" + hexCompressed + ",pk(" + hexCompressed + "))":        "script tree",
		"and_v(v:pk(" + hexCompressed + "))":                         "unknown descriptor form",
		"wpkh(" + hexUncompressed + ")":                              "uncompressed",
		"wsh(pk(" + hexUncompressed + "))":                           "uncompressed",
		"wsh(wpkh(" + hexCompressed + "))":                           "cannot stand inside wsh()",
		"wsh(wsh(pk(" + hexCompressed + ")))":                        "cannot stand inside wsh()",
		"sh(sh(pk(" + hexCompressed + ")))":                          "cannot stand inside sh()",
		"sh(tr(" + hexCompressed + "))":                              "cannot stand inside sh()",
		"wsh(addr(1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo))":              "cannot stand inside wsh()",
		"pk(" + hexCompressed[2:] + ")":                              "33 bytes",
		"pk(06" + hexUncompressed[2:] + ")":                          "no point of the curve",
		"pk(02" + strings.Repeat("ff", 32) + ")":                     "no point of the curve",
		"pkh(" + xpub + "/1')":                                       "hardened",
		"pkh(" + xprv + "/1h/2)":                                     "hardened",
		"pkh(" + xpub + "/*/1)":                                      "not a number",
		"pkh(" + xpub + "/2147483648)":                               "not a number",
		"pkh(" + xpub + "/<0;1>/*)":                                  "multipath",
		"pkh([bd16bee/0]" + xpub + ")":                               "8 hex digits",
		"pkh([bd16bee5/0''']" + xpub + ")":                           "not a number",
		"pkh([bd16bee5" + xpub + ")":                                 "not closed",
		"pkh(hello)":                                                 "neither hex, WIF nor an extended key",
		"multi(3," + hexCompressed + "," + hexCompressed + ")":       "must be 1 to 2",
		"multi(0," + hexCompressed + ")":                             "must be 1 to 1",
		"multi(1)":                                                   "0 keys",
		"multi(1" + strings.Repeat(","+hexCompressed, 4) + ")":       "1 to 3 are allowed",
		"wsh(multi(1" + strings.Repeat(","+hexCompressed, 21) + "))": "1 to 20 are allowed",
		"sh(multi(1" + strings.Repeat(","+hexCompressed, 16) + "))":  "at most 520",
		"addr(mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ)":                   "another network",
		"addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5)":           "checksum",
		"raw(" + strings.Repeat("00", 20_000) + ")":                  "at most",
	} {
		_, err := desc.Parse(text, &chaincfg.MainNetParams)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: error %v, want one with %q", text, err, want)
		}
	}
}

// Bitcoin Core's address vectors, valid and invalid, for every network whose
// prefixes the chain parameters know.
func TestAddressVectors(t *testing.T) {
	chains := map[string]*chaincfg.Params{
		"main": &chaincfg.MainNetParams, "test": &chaincfg.TestNet3Params,
		"signet": &chaincfg.SigNetParams, "regtest": &chaincfg.RegressionNetParams,
		"testnet4": &chaincfg.TestNet4Params,
	}
	var valid [][]any
	if err := json.Unmarshal(vectors.Shared(t, "key_io_valid.json"), &valid); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, row := range valid {
		meta := row[2].(map[string]any)
		if meta["isPrivkey"].(bool) {
			continue // a key, not an address: base58check of WIF is btcutil's
		}
		text, chain := row[0].(string), chains[meta["chain"].(string)]
		script, err := desc.AddressScript(text, chain)
		if err != nil || hex.EncodeToString(script) != row[1] {
			t.Errorf("%s: %x (%v), want %s", text, script, err, row[1])
		}
		if back, ok := desc.ScriptAddress(script, chain); !ok || !strings.EqualFold(back, text) {
			t.Errorf("%s: reads back as %s", text, back)
		}
		checked++
	}
	var invalid [][]string
	if err := json.Unmarshal(vectors.Shared(t, "key_io_invalid.json"), &invalid); err != nil {
		t.Fatal(err)
	}
	for _, row := range invalid {
		for name, chain := range chains {
			if script, err := desc.AddressScript(row[0], chain); err == nil {
				t.Errorf("%s on %s: accepted as %x", row[0], name, script)
			}
		}
	}
	t.Logf("%d valid addresses, %d invalid", checked, len(invalid))
}

func FuzzParse(f *testing.F) {
	f.Add("wpkh(" + hexCompressed + ")")
	f.Add("sh(wsh(sortedmulti(1,[bd16bee5/0h]" + xpub + "/0/*," + hexCompressed + ")))")
	f.Add("raw(deadbeef)#89f8spxm")
	f.Add("addr(1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo)")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := desc.Parse(text, &chaincfg.MainNetParams)
		if err != nil {
			return
		}
		again, err := desc.Parse(d.String(), &chaincfg.MainNetParams)
		if err != nil {
			t.Fatalf("%q reads back with %v", d, err)
		}
		a, errA := d.Script(3)
		b, errB := again.Script(3)
		if (errA == nil) != (errB == nil) || string(a) != string(b) {
			t.Fatalf("%q: two scripts", text)
		}
	})
}

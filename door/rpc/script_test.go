package rpc

import (
	"encoding/hex"
	"strings"
	"testing"

	"granary/params"
)

const (
	testSig = "304402207fa7a6d1e0ee81132a269ad84e68d695483745cde8b541e3bf630749894e342a022100c1f7ab20e13e22fb95281a870f3dcf38d782e53023ee313d741ad0cfbc0c5090"
	testKey = "03b0da749730dc9b4b1f4a14d6902877a92541f5368778853d9c4a0cb7802dcfb2"
	longKey = "0411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestScriptAsm(t *testing.T) {
	push := "21" + testKey
	hash := "5dd1d3a048119c27b28293056724d9522f26d945"
	for _, test := range []struct {
		script, want string
		sigHash      bool
	}{
		{"", "", false},
		{"00", "0", false},
		{"4f5160", "-1 1 16", false},
		{"0181", "-1", false},
		{"0180", "0", false},
		{"04ffffff7f", "2147483647", false},
		{"04ffffffff", "-2147483647", false},
		{"05ffffffff00", "ffffffff00", false},
		{"0320a107b175", "500000 OP_CHECKLOCKTIMEVERIFY OP_DROP", false},
		{"b2b3b9babbfeff", "OP_CHECKSEQUENCEVERIFY OP_NOP4 OP_NOP10 OP_CHECKSIGADD OP_UNKNOWN OP_UNKNOWN OP_INVALIDOPCODE", false},
		{"50616a89", "OP_RESERVED OP_NOP OP_RETURN OP_RESERVED1", false},
		{"76a914" + hash + "88ac", "OP_DUP OP_HASH160 " + hash + " OP_EQUALVERIFY OP_CHECKSIG", false},
		{"4c", "[error]", false},
		{"5105aa", "1 [error]", false},
		{"4effffffff00", "[error]", false},
		{"48" + testSig + "01", testSig + "01", false},
		{"47" + testSig[:2*71-2] + "01", testSig[:2*71-2] + "01", true}, // no longer a signature
		{"6a48" + testSig + "01", "OP_RETURN " + testSig + "01", true},
		{"63" + push + "ad670320a107b17568" + push + "ac", "OP_IF " + testKey + " OP_CHECKSIGVERIFY OP_ELSE 500000 OP_CHECKLOCKTIMEVERIFY OP_DROP OP_ENDIF " + testKey + " OP_CHECKSIG", false},
	} {
		if got := scriptAsm(unhex(t, test.script), test.sigHash); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.script, got, test.want)
		}
	}
}

func TestScriptAsmShowsHashTypes(t *testing.T) {
	// The signature of 71 bytes from a real input, with every hash type.
	const sig = "3045022100c1f7ab20e13e22fb95281a870f3dcf38d782e53023ee313d741ad0cfbc0c509002207fa7a6d1e0ee81132a269ad84e68d695483745cde8b541e3bf630749894e342a"
	for suffix, name := range map[string]string{
		"01": "[ALL]", "02": "[NONE]", "03": "[SINGLE]",
		"81": "[ALL|ANYONECANPAY]", "82": "[NONE|ANYONECANPAY]", "83": "[SINGLE|ANYONECANPAY]",
	} {
		if got, want := scriptAsm(unhex(t, "48"+sig+suffix+"21"+testKey), true), sig+name+" "+testKey; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, suffix := range []string{"00", "04", "80", "84", "ff"} {
		if got := scriptAsm(unhex(t, "48"+sig+suffix), true); got != sig+suffix {
			t.Errorf("undefined hash type %s: %s", suffix, got)
		}
	}
}

func TestScriptJSON(t *testing.T) {
	chain := params.MainNet().Chain
	key2 := "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
	hash := "751e76e8199196d454941c45d1b3a323f1433bd6"
	multi := "5121" + testKey + "21" + key2 + "52ae"
	for _, test := range []struct {
		script  string
		class   scriptClass
		address string
		desc    string // without checksum
	}{
		{"76a914" + hash + "88ac", classPubKeyHash, "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "addr(1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH)"},
		{"0014" + hash, classWitnessPKH, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)"},
		{"a914bcfeb728b584253d5f3f70bcb780e9ef218a68f487", classScriptHash, "3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN", "addr(3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN)"},
		{"00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262", classWitnessSH, "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3", "addr(bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3)"},
		{"512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", classTaproot, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "rawtr(79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798)"},
		// not the x of a point
		{"5120ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", classTaproot, "bc1pllllllllllllllllllllllllllllllllllllllllllllllllllls0lwr8y", ""},
		{"51024e73", classAnchor, "bc1pfeessrawgf", "addr(bc1pfeessrawgf)"},
		{"5210751e76e8199196d454941c45d1b3a323", classWitnessUnknown, "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "addr(bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs)"},
		{"0010751e76e8199196d454941c45d1b3a323", classNonStandard, "", "raw(0010751e76e8199196d454941c45d1b3a323)"},
		{"21" + testKey + "ac", classPubKey, "", "pk(" + testKey + ")"},
		{"41" + longKey + "ac", classPubKey, "", "pk(" + longKey + ")"},
		{"4106" + longKey[2:] + "ac", classPubKey, "", "raw(4106" + longKey[2:] + "ac)"},
		{"2105" + testKey[2:] + "ac", classNonStandard, "", "raw(2105" + testKey[2:] + "ac)"},
		{multi, classMultiSig, "", "multi(1," + testKey + "," + key2 + ")"},
		{"51" + strings.Repeat("21"+key2, 17) + "0111ae", classMultiSig, "", "multi(1" + strings.Repeat(","+key2, 17) + ")"},
		{"5321" + testKey + "21" + key2 + "52ae", classNonStandard, "", "raw(5321" + testKey + "21" + key2 + "52ae)"},
		{"6a", classNullData, "", "raw(6a)"},
		{"6a0474657374", classNullData, "", "raw(6a0474657374)"},
		{"6a05aa", classNonStandard, "", "raw(6a05aa)"},
		{"", classNonStandard, "", "raw()"},
		{"ae", classNonStandard, "", "raw(ae)"},
		{"6051ae", classNonStandard, "", "raw(6051ae)"},
	} {
		got := newScriptJSON(unhex(t, test.script), chain, true)
		if got.Type != test.class {
			t.Errorf("%s is %s, want %s", test.script, got.Type, test.class)
		}
		if test.class == classTaproot && test.desc == "" {
			if !strings.HasPrefix(got.Desc, "addr(") {
				t.Errorf("%s has descriptor %s", test.script, got.Desc)
			}
			continue
		}
		if got.Address != test.address {
			t.Errorf("%s has address %q, want %q", test.script, got.Address, test.address)
		}
		body, sum, _ := strings.Cut(got.Desc, "#")
		if body != test.desc || len(sum) != 8 {
			t.Errorf("%s has descriptor %s, want %s", test.script, got.Desc, test.desc)
		}
	}
}

// FuzzScript: no script breaks the printers.
func FuzzScript(f *testing.F) {
	f.Add([]byte{0x4e, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x51, 0xae})
	f.Add([]byte{0x01, 0x11, 0xae})
	chain := params.RegTest().Chain
	f.Fuzz(func(t *testing.T, script []byte) {
		out := newScriptJSON(script, chain, true)
		if _, err := marshal(out); err != nil {
			t.Fatal(err)
		}
		scriptAsm(script, true)
		if solved := solve(script); wrappable(script, solved) {
			segwitOf(script, solved)
		}
	})
}

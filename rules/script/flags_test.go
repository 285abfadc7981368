package script

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"granary/params"
)

func hashOf(t *testing.T, text string) *chainhash.Hash {
	t.Helper()
	h, err := chainhash.NewHashFromStr(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestBlockFlags(t *testing.T) {
	const always = P2SH | Witness | Taproot
	bip16 := hashOf(t, "00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22")
	taproot := hashOf(t, "0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad")
	main := params.MainNet()
	for _, c := range []struct {
		height int32
		hash   *chainhash.Hash
		want   Flags
	}{
		{1, nil, always},
		{170060, bip16, 0},
		{170060, &chainhash.Hash{}, always},
		{363724, nil, always},
		{363725, nil, always | DERSig},
		{388381, nil, always | DERSig | CLTV},
		{419328, nil, always | DERSig | CLTV | CSV},
		{481823, nil, always | DERSig | CLTV | CSV},
		{481824, nil, ConsensusFlags},
		{692261, taproot, ConsensusFlags &^ Taproot},
		{900000, nil, ConsensusFlags},
	} {
		if got := BlockFlags(main, c.height, c.hash); got != c.want {
			t.Errorf("height %d: %v, want %v", c.height, got, c.want)
		}
	}
	for _, net := range []*params.Network{params.TestNet4(), params.SigNet([]byte{0x51}), params.RegTest()} {
		if got := BlockFlags(net, 1, nil); got != ConsensusFlags {
			t.Errorf("%s block 1: %v", net.Name, got)
		}
	}
}

func TestFlagsRoundTrip(t *testing.T) {
	for _, flags := range []Flags{0, P2SH, StandardFlags, ConsensusFlags, SigPushOnly | Taproot} {
		got, err := ParseFlags(flags.String())
		if err != nil || got != flags {
			t.Errorf("%v read as %v, %v", flags, got, err)
		}
	}
	if _, err := ParseFlags("P2SH,NO_SUCH"); err == nil {
		t.Error("an unknown flag parses")
	}
}

// Every flag has a name and one flag of the interpreter, no two the same.
func TestFlagsMapOneToOne(t *testing.T) {
	if len(flagNames) != len(interpreterFlags) || Flags(1)<<(len(flagNames)-1) != DiscourageUpgradablePubKeyType {
		t.Fatalf("%d names, %d interpreter flags", len(flagNames), len(interpreterFlags))
	}
	var seen txscript.ScriptFlags
	for i := range interpreterFlags {
		flag := Flags(1 << i).forInterpreter()
		if flag == 0 || flag&(flag-1) != 0 || seen&flag != 0 {
			t.Errorf("%v maps to %x", Flags(1<<i), flag)
		}
		seen |= flag
	}
	if P2SH.forInterpreter() != txscript.ScriptBip16 || NullDummy.forInterpreter() != txscript.ScriptStrictMultiSig ||
		Taproot.forInterpreter() != txscript.ScriptVerifyTaproot {
		t.Error("the order of the flags and of the interpreter's differ")
	}
}

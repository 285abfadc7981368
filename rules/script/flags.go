package script

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"granary/params"
)

// Flags says which script rules hold. More flags only ever forbid more: what
// passes under a set passes under each subset that keeps the dependencies
// (Witness needs P2SH, CleanStack needs Witness).
type Flags uint32

// The rules, in Bitcoin Core's order.
const (
	P2SH                               Flags = 1 << iota // BIP16
	StrictEncoding                                       // policy: known key forms and hash types
	DERSig                                               // BIP66
	LowS                                                 // policy
	NullDummy                                            // BIP147
	SigPushOnly                                          // policy
	MinimalData                                          // policy
	DiscourageUpgradableNops                             // policy
	CleanStack                                           // policy
	CLTV                                                 // BIP65
	CSV                                                  // BIP112
	Witness                                              // BIP141, BIP143
	DiscourageUpgradableWitnessProgram                   // policy
	MinimalIf                                            // policy
	NullFail                                             // policy
	WitnessPubKeyType                                    // policy
	ConstScriptCode                                      // policy
	Taproot                                              // BIP341, BIP342
	DiscourageUpgradableTaprootVersion                   // policy
	DiscourageOpSuccess                                  // policy
	DiscourageUpgradablePubKeyType                       // policy
)

const (
	// ConsensusFlags are the rules that a block can be refused for.
	ConsensusFlags = P2SH | DERSig | NullDummy | CLTV | CSV | Witness | Taproot

	// StandardFlags are the rules of the mempool: consensus and the policies
	// of a stock Bitcoin node.
	StandardFlags = ConsensusFlags | StrictEncoding | LowS | MinimalData | DiscourageUpgradableNops |
		CleanStack | DiscourageUpgradableWitnessProgram | MinimalIf | NullFail | WitnessPubKeyType |
		ConstScriptCode | DiscourageUpgradableTaprootVersion | DiscourageOpSuccess |
		DiscourageUpgradablePubKeyType
)

// BlockFlags gives the script rules of the block with that height and hash on
// net: P2SH, witness and taproot from the start but for the network's excepted
// blocks, the others from their heights, as in Bitcoin Core. hash nil means a
// block that is not made yet.
func BlockFlags(net *params.Network, height int32, hash *chainhash.Hash) Flags {
	flags := P2SH | Witness | Taproot
	if hash != nil {
		if exception, ok := net.ScriptExceptions[*hash]; ok {
			flags = exceptionFlags(exception)
		}
	}
	if height >= net.BIP66Height {
		flags |= DERSig
	}
	if height >= net.BIP65Height {
		flags |= CLTV
	}
	if height >= net.CSVHeight {
		flags |= CSV
	}
	if height >= net.SegwitHeight {
		flags |= NullDummy
	}
	return flags
}

func exceptionFlags(exception params.ScriptException) Flags {
	var flags Flags
	if exception.P2SH {
		flags |= P2SH
	}
	if exception.Witness {
		flags |= Witness
	}
	if exception.Taproot {
		flags |= Taproot
	}
	return flags
}

// flagNames are Bitcoin Core's words for the flags, bit by bit.
var flagNames = [...]string{
	"P2SH", "STRICTENC", "DERSIG", "LOW_S", "NULLDUMMY", "SIGPUSHONLY", "MINIMALDATA",
	"DISCOURAGE_UPGRADABLE_NOPS", "CLEANSTACK", "CHECKLOCKTIMEVERIFY", "CHECKSEQUENCEVERIFY",
	"WITNESS", "DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM", "MINIMALIF", "NULLFAIL",
	"WITNESS_PUBKEYTYPE", "CONST_SCRIPTCODE", "TAPROOT", "DISCOURAGE_UPGRADABLE_TAPROOT_VERSION",
	"DISCOURAGE_OP_SUCCESS", "DISCOURAGE_UPGRADABLE_PUBKEYTYPE",
}

// String lists the flags by Bitcoin Core's names, separated by commas.
func (f Flags) String() string {
	var names []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ParseFlags reads flags as String writes them; "" and "NONE" are no flags.
func ParseFlags(text string) (Flags, error) {
	var flags Flags
	for name := range strings.SplitSeq(text, ",") {
		if name == "" || name == "NONE" {
			continue
		}
		i := slices.Index(flagNames[:], name)
		if i < 0 {
			return 0, fmt.Errorf("unknown script flag %q", name)
		}
		flags |= 1 << i
	}
	return flags, nil
}

// interpreterFlags are txscript's names for ours, bit by bit.
var interpreterFlags = [...]txscript.ScriptFlags{
	txscript.ScriptBip16,
	txscript.ScriptVerifyStrictEncoding,
	txscript.ScriptVerifyDERSignatures,
	txscript.ScriptVerifyLowS,
	txscript.ScriptStrictMultiSig,
	txscript.ScriptVerifySigPushOnly,
	txscript.ScriptVerifyMinimalData,
	txscript.ScriptDiscourageUpgradableNops,
	txscript.ScriptVerifyCleanStack,
	txscript.ScriptVerifyCheckLockTimeVerify,
	txscript.ScriptVerifyCheckSequenceVerify,
	txscript.ScriptVerifyWitness,
	txscript.ScriptVerifyDiscourageUpgradeableWitnessProgram,
	txscript.ScriptVerifyMinimalIf,
	txscript.ScriptVerifyNullFail,
	txscript.ScriptVerifyWitnessPubKeyType,
	txscript.ScriptVerifyConstScriptCode,
	txscript.ScriptVerifyTaproot,
	txscript.ScriptVerifyDiscourageUpgradeableTaprootVersion,
	txscript.ScriptVerifyDiscourageOpSuccess,
	txscript.ScriptVerifyDiscourageUpgradeablePubkeyType,
}

// forInterpreter translates flags to txscript's.
func (f Flags) forInterpreter() txscript.ScriptFlags {
	var out txscript.ScriptFlags
	for i, flag := range interpreterFlags {
		if f&(1<<i) != 0 {
			out |= flag
		}
	}
	return out
}

package policy

import "granary/base/check"

// Bounds of Bitcoin Core 28's default policy, with their unit in the name.
const (
	// MinTxVersion and MaxTxVersion bound the standard transaction versions.
	MinTxVersion, MaxTxVersion = 1, 3
	// MinTxStrippedBytes refuses transactions that could pass for a node of
	// the merkle tree (CVE-2017-12842).
	MinTxStrippedBytes = 65
	// MaxScriptSigBytes has room for a 15-of-15 P2SH multisig.
	MaxScriptSigBytes = 1650
	// MaxDataCarrierBytes bounds the script of an OP_RETURN output.
	MaxDataCarrierBytes = 83
	// MaxBareMultisigKeys bounds a multisig script that is not hashed.
	MaxBareMultisigKeys = 3
	// MaxP2SHSigOps bounds the signature operations of a redeem script.
	MaxP2SHSigOps = 15
	// MaxP2WSHScriptBytes, MaxP2WSHStackItems and MaxP2WSHStackItemBytes
	// bound the witness of a version 0 script.
	MaxP2WSHScriptBytes    = 3600
	MaxP2WSHStackItems     = 100
	MaxP2WSHStackItemBytes = 80
	// MaxTapscriptStackItemBytes bounds the witness of a tapscript.
	MaxTapscriptStackItemBytes = 80
	// BytesPerSigOp prices a signature operation in virtual bytes.
	BytesPerSigOp = 20
	// MinRelayUnitsPerKVB is the least fee for 1,000 virtual bytes.
	MinRelayUnitsPerKVB = 1000
	// IncrementalUnitsPerKVB is the least step between two fee rates.
	IncrementalUnitsPerKVB = 1000
	// DustUnitsPerKVB prices the spending of an output.
	DustUnitsPerKVB = 3000

	// MaxAncestors and MaxDescendants bound a chain of unconfirmed
	// transactions, the transaction itself counted.
	MaxAncestors, MaxDescendants = 25, 25
	// MaxAncestorVBytes and MaxDescendantVBytes bound its size.
	MaxAncestorVBytes, MaxDescendantVBytes = 101_000, 101_000
	// ExtraDescendantVBytes is the size up to which one more child is taken
	// when its only unconfirmed ancestor is the parent itself.
	ExtraDescendantVBytes = 10_000
	// MaxPackageTxs bounds what is tested together.
	MaxPackageTxs = 25

	// TRUCVersion marks transactions of BIP431.
	TRUCVersion = 3
	// MaxTRUCVBytes and MaxTRUCChildVBytes bound them and their child.
	MaxTRUCVBytes, MaxTRUCChildVBytes = 10_000, 1_000
	// MaxTRUCCluster counts parent and child.
	MaxTRUCCluster = 2

	// MaxReplaced bounds what one transaction, or one package, may push out.
	MaxReplaced = 100
	// MaxDustOutputs bounds the dust of a transaction without a fee.
	MaxDustOutputs = 1
)

// Settings are the bounds that a person may choose. The zero value is none:
// begin with Defaults.
type Settings struct {
	// MinRelayUnitsPerKVB, IncrementalUnitsPerKVB and DustUnitsPerKVB are
	// Core's minrelaytxfee, incrementalrelayfee and dustrelayfee, in units per
	// 1,000 virtual bytes.
	MinRelayUnitsPerKVB, IncrementalUnitsPerKVB, DustUnitsPerKVB int64
	// DataCarrierBytes bounds the script of an OP_RETURN output (datacarriersize);
	// 0 wants none (datacarrier=0).
	DataCarrierBytes int
	// BareMultisig takes outputs that are a multisig script (permitbaremultisig).
	BareMultisig bool
	// BytesPerSigOp prices a signature operation in virtual bytes (bytespersigop).
	BytesPerSigOp int64
	// MaxAncestors, MaxDescendants, MaxAncestorVBytes and MaxDescendantVBytes
	// bound a chain of unconfirmed transactions (limitancestorcount and its like).
	MaxAncestors, MaxDescendants           int
	MaxAncestorVBytes, MaxDescendantVBytes int64
}

// Defaults are Bitcoin Core 28's.
func Defaults() Settings {
	return Settings{
		MinRelayUnitsPerKVB: MinRelayUnitsPerKVB, IncrementalUnitsPerKVB: IncrementalUnitsPerKVB,
		DustUnitsPerKVB: DustUnitsPerKVB, DataCarrierBytes: MaxDataCarrierBytes, BareMultisig: true,
		BytesPerSigOp: BytesPerSigOp, MaxAncestors: MaxAncestors, MaxDescendants: MaxDescendants,
		MaxAncestorVBytes: MaxAncestorVBytes, MaxDescendantVBytes: MaxDescendantVBytes,
	}
}

// refuse makes the RuleError of every verdict in this package.
func refuse(code check.Code, format string, args ...any) error {
	return check.RuleKind(check.Policy, code, format, args...)
}

package script

import "github.com/btcsuite/btcd/txscript/v2"

// Reasons that more than one place gives.
const (
	reasonEvalFalse = "Script evaluated without error but finished with a false/empty top stack element"
	reasonNotDER    = "Non-canonical DER signature"
	reasonOpcode    = "Opcode missing or not understood"
	reasonControl   = "Invalid Taproot control block size"
	reasonSchnorr   = "Invalid Schnorr signature"
	reasonProgram   = "Witness program hash mismatch"
	reasonUnknown   = "unknown error"
)

// reasons are Bitcoin Core's words for a failed script, which wallets and
// people search for, by the interpreter's error codes.
var reasons = map[txscript.ErrorCode]string{
	txscript.ErrEarlyReturn:            "OP_RETURN was encountered",
	txscript.ErrEmptyStack:             reasonEvalFalse,
	txscript.ErrEvalFalse:              reasonEvalFalse,
	txscript.ErrScriptTooBig:           "Script is too big",
	txscript.ErrElementTooBig:          "Push value size limit exceeded",
	txscript.ErrTooManyOperations:      "Operation limit exceeded",
	txscript.ErrStackOverflow:          "Stack size limit exceeded",
	txscript.ErrInvalidPubKeyCount:     "Pubkey count negative or limit exceeded",
	txscript.ErrInvalidSignatureCount:  "Signature count negative or greater than pubkey count",
	txscript.ErrNumberTooBig:           reasonUnknown,
	txscript.ErrVerify:                 "Script failed an OP_VERIFY operation",
	txscript.ErrEqualVerify:            "Script failed an OP_EQUALVERIFY operation",
	txscript.ErrNumEqualVerify:         "Script failed an OP_NUMEQUALVERIFY operation",
	txscript.ErrCheckSigVerify:         "Script failed an OP_CHECKSIGVERIFY operation",
	txscript.ErrCheckMultiSigVerify:    "Script failed an OP_CHECKMULTISIGVERIFY operation",
	txscript.ErrDisabledOpcode:         "Attempted to use a disabled opcode",
	txscript.ErrReservedOpcode:         reasonOpcode,
	txscript.ErrMalformedPush:          reasonOpcode,
	txscript.ErrInvalidStackOperation:  "Operation not valid with the current stack size",
	txscript.ErrUnbalancedConditional:  "Invalid OP_IF construction",
	txscript.ErrMinimalData:            "Data push larger than necessary",
	txscript.ErrInvalidSigHashType:     "Signature hash type missing or not understood",
	txscript.ErrSigTooShort:            reasonNotDER,
	txscript.ErrSigTooLong:             reasonNotDER,
	txscript.ErrSigInvalidSeqID:        reasonNotDER,
	txscript.ErrSigInvalidDataLen:      reasonNotDER,
	txscript.ErrSigMissingSTypeID:      reasonNotDER,
	txscript.ErrSigMissingSLen:         reasonNotDER,
	txscript.ErrSigInvalidSLen:         reasonNotDER,
	txscript.ErrSigInvalidRIntID:       reasonNotDER,
	txscript.ErrSigZeroRLen:            reasonNotDER,
	txscript.ErrSigNegativeR:           reasonNotDER,
	txscript.ErrSigTooMuchRPadding:     reasonNotDER,
	txscript.ErrSigInvalidSIntID:       reasonNotDER,
	txscript.ErrSigZeroSLen:            reasonNotDER,
	txscript.ErrSigNegativeS:           reasonNotDER,
	txscript.ErrSigTooMuchSPadding:     reasonNotDER,
	txscript.ErrSigHighS:               "Non-canonical signature: S value is unnecessarily high",
	txscript.ErrNotPushOnly:            "Only push operators allowed in signatures",
	txscript.ErrSigNullDummy:           "Dummy CHECKMULTISIG argument must be zero",
	txscript.ErrPubKeyType:             "Public key is neither compressed or uncompressed",
	txscript.ErrCleanStack:             "Stack size must be exactly one after execution",
	txscript.ErrNullFail:               "Signature must be zero for failed CHECK(MULTI)SIG operation",
	txscript.ErrWitnessMalleated:       "Witness requires empty scriptSig",
	txscript.ErrWitnessMalleatedP2SH:   "Witness requires only-redeemscript scriptSig",
	txscript.ErrWitnessUnexpected:      "Witness provided for non-witness script",
	txscript.ErrWitnessProgramEmpty:    "Witness program was passed an empty witness",
	txscript.ErrWitnessProgramMismatch: reasonProgram,

	txscript.ErrWitnessProgramWrongLength:           "Witness program has incorrect length",
	txscript.ErrWitnessPubKeyType:                   "Using non-compressed keys in segwit",
	txscript.ErrDiscourageUpgradableNOPs:            "NOPx reserved for soft-fork upgrades",
	txscript.ErrNegativeLockTime:                    "Negative locktime",
	txscript.ErrUnsatisfiedLockTime:                 "Locktime requirement not satisfied",
	txscript.ErrMinimalIf:                           "OP_IF/NOTIF argument must be minimal",
	txscript.ErrDiscourageUpgradableWitnessProgram:  "Witness version reserved for soft-fork upgrades",
	txscript.ErrDiscourageOpSuccess:                 "OP_SUCCESSx reserved for soft-fork upgrades",
	txscript.ErrDiscourageUpgradeableTaprootVersion: "Taproot version reserved for soft-fork upgrades",
	txscript.ErrDiscourageUpgradeablePubKeyType:     "Public key version reserved for soft-fork upgrades",
	txscript.ErrTapscriptCheckMultisig:              "OP_CHECKMULTISIG(VERIFY) is not available in tapscript",
	txscript.ErrTaprootSigInvalid:                   reasonSchnorr,
	txscript.ErrTaprootMerkleProofInvalid:           reasonProgram,
	txscript.ErrTaprootOutputKeyParityMismatch:      reasonProgram,
	txscript.ErrControlBlockTooSmall:                reasonControl,
	txscript.ErrControlBlockTooLarge:                reasonControl,
	txscript.ErrControlBlockInvalidLength:           reasonControl,
	txscript.ErrInvalidTaprootSigLen:                "Invalid Schnorr signature size",
	txscript.ErrTaprootPubkeyIsEmpty:                "Public key is neither compressed or uncompressed",
	txscript.ErrTaprootMaxSigOps:                    "Too much signature validation relative to witness weight",
	txscript.ErrNonConstScriptCode:                  "Signature is found in scriptCode",
	txscript.ErrCodeSeparator:                       "Using OP_CODESEPARATOR in non-witness script",
}

// Package policy says what the mempool wants beyond what is valid: Bitcoin
// Core 28's standardness, dust and fee floor, with Core's reject reasons.
//
// On the way of a transaction it stands between the door and the rules: cheap
// checks that need no chain come first (CheckTx), those that need the spent
// coins second (CheckInputs, CheckSigOps), the price last (CheckFee). It is
// pure: values in, a verdict out. Every refusal is a check.RuleError of kind
// Policy, for nothing here makes a transaction invalid in a block; one that is
// about a witness is of kind Mutated. What a person may choose are Settings.
//
// On a chain with a charter a goods record may be as long as the goods rules
// let it be, and output 0 of a transaction with a record may hold nothing,
// since that is where a seat goes on.
package policy

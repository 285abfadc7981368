package goods

import "granary/base/check"

// The codes of the goods rules, in the order in which a transaction's and
// then a coinbase's conditions are judged; the first that fails decides.
const (
	CodeAmount check.Code = "goods-amount" // an amount or sum outside 0 to 21 million coins

	CodeRecordMany      check.Code = "goods-record-many"      // two records in a transaction
	CodeRecordPosition  check.Code = "goods-record-position"  // record is not the last output
	CodeRecordSize      check.Code = "goods-record-size"      // body over 8,000 bytes
	CodeRecordEarly     check.Code = "goods-record-early"     // before height 101
	CodeRecordUnknown   check.Code = "goods-record-unknown"   // no such record type
	CodeRecordMalformed check.Code = "goods-record-malformed" // no type, or a body that does not parse

	CodeSeatRecord  check.Code = "goods-seat-record"  // a seat spent without a record
	CodeSeatMissing check.Code = "goods-seat-missing" // the record needs a seat and none is spent
	CodeSeatMany    check.Code = "goods-seat-many"    // more than one seat spent
	CodeSeatInput   check.Code = "goods-seat-input"   // the seat is not input 0
	CodeSeatTwice   check.Code = "goods-seat-twice"   // the seat acted in this block already
	CodeSeatWeight  check.Code = "goods-seat-weight"  // over 40,000 weight units
	CodeSeatValue   check.Code = "goods-seat-value"   // the seat goes on with a value
	CodeSeatScript  check.Code = "goods-seat-script"  // the seat goes on under a script it may not have

	CodeActor          check.Code = "goods-actor"           // the seat is not the one that the record is for
	CodeProposalExpiry check.Code = "goods-proposal-expiry" // the proposal is over, or would live too long
	CodeProposalUsed   check.Code = "goods-proposal-used"   // a record used the proposal already
	CodeQuorum         check.Code = "goods-quorum"          // too few auditors attest the proposal
	CodeObserved       check.Code = "goods-observed"        // the goods were seen at no recent block of this chain

	CodeReceiptRegistry check.Code = "goods-receipt-registry" // no such registry
	CodeReceiptScript   check.Code = "goods-receipt-script"   // a script that coins may not go to
	CodeReceiptGood     check.Code = "goods-receipt-good"     // a good that the custodian may not hold
	CodeReceiptMinimum  check.Code = "goods-receipt-minimum"  // less than the good's minimum
	CodeReceiptValue    check.Code = "goods-receipt-value"    // worth nothing, or more than all coins
	CodeStale           check.Code = "goods-receipt-stale"    // seen too long ago to count
	CodeLot             check.Code = "goods-lot"              // the lot has a receipt
	CodeLimit           check.Code = "goods-limit"            // more than the custodian may hold of the good
	CodeBond            check.Code = "goods-bond"             // worth more than the unbonded allowance

	CodeDrawInput      check.Code = "goods-draw-input"      // not the pool, or with a witness
	CodeReceiptUnknown check.Code = "goods-receipt-unknown" // no such receipt below the block
	CodeDrawOutput     check.Code = "goods-draw-output"     // not payment, pool, record
	CodeDrawQuantity   check.Code = "goods-draw-quantity"   // more than undrawn, or more than the credit needs
	CodeDrawRelease    check.Code = "goods-draw-release"    // not exactly the credit of the quantity
	CodeDrawMinimum    check.Code = "goods-draw-minimum"    // less than the minimum draw, or nothing to pay
	CodeDrawFee        check.Code = "goods-draw-fee"        // not exactly the miner's share
	CodeBlockCap       check.Code = "goods-block-cap"       // releases of the block above the cap
	CodeCoverage       check.Code = "goods-coverage"        // circulating x minimum coverage above the reserve

	CodeTreasurySpend check.Code = "goods-treasury-spend" // a treasury input that no record allows

	CodeCoinbaseRecord   check.Code = "goods-coinbase-record"   // a record in a coinbase
	CodeCoinbaseBurn     check.Code = "goods-coinbase-burn"     // an unspendable output with a value
	CodeCoinbaseSum      check.Code = "goods-coinbase-sum"      // outputs are not subsidy + fees
	CodeCoinbaseTreasury check.Code = "goods-coinbase-treasury" // treasury output missing, short or out of place
	CodeCoinbaseSeats    check.Code = "goods-coinbase-seats"    // block 1 does not create the charter's seats

	CodeCommitmentMissing   check.Code = "goods-commitment-missing"
	CodeCommitmentDuplicate check.Code = "goods-commitment-duplicate"
	CodeCommitmentPosition  check.Code = "goods-commitment-position"
	CodeCommitmentWrong     check.Code = "goods-commitment-wrong"
)

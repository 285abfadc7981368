// Package formal proves rules of docs/goods-rules.md on a small world: a model
// in Promela (the .pml files), of which spin visits every reachable state. A
// test of the code tries histories; this tries all of them, of a world so small
// that all can be tried, and of the rules, not of the code.
//
// # What is modelled
//
// Receipts with measures undrawn, free, owed, delivered and lost; claims of
// both kinds; pool, escrow, bonds and what circulates, by the rules' formula
// and by the coins themselves. Records: receive, draw, reclaim, redeem, tender,
// deliver and lapse (each in both forms), settle, assign, audit with and
// without loss, slash (of one bond, of two, of coins), suspend, lift, bond,
// unbond (announce, withdraw, cancel), a change of par (announced, withdrawn,
// in force), coins given to the pool and coins burnt. Between blocks: coinbase,
// expiry, default, the amounts that redemptions of the block are priced by.
//
// One record is one step, and any records follow each other in any order within
// a block, on the running state: every race of two or more records is tried.
// Attestations are assumed: who must be attested acts when he likes or never,
// against everybody's interest too. Par, fee, haircut, miner's share and penalty
// are such that divisions leave a rest.
//
// # What is left out
//
// Bytes, scripts, signatures, seats and the quorum; registries, lots and ids;
// allowances of goods; the cap of a block and the minimum draw; the limit of
// untendered claims; reorganisations. The tests of rules/goods hold those.
// A list of tenders or audits is as many records here. A seat may act more than
// once in a block, and a receipt may expire at any moment: the model allows
// more than the rules. Coverage is 100 %, a good is one, a custodian has two
// bonds at most, there are two claims at a time, windows of one or two blocks,
// receipts of one to four measures. What goes wrong only from larger numbers on
// (overflow, the seventh bond) is not seen here.
//
// # What is proved
//
// After every record:
//
//   - units_conserved: pool + escrow + circulating (+ burnt) are what was ever
//     there; circulating_is_the_coins: ordinary coins + fees of this block +
//     bonds; escrow_is_the_claims: the sum of open claims' escrows.
//   - measures_conserved: opened with = undrawn + free + owed + delivered + lost;
//     owed_is_claimed: owed is what open claims ask for.
//   - release_only_in_draw: no other record lowers the pool;
//     release_within_credit: no receipt ever releases more than its credit;
//     covered_after_draw.
//   - one_escrow_per_redemption, and claim_has_goods.
//   - one_outcome_per_claim: delivered, refunded or written off, once.
//   - refund_is_worth_the_goods, lapse_refund_is_worth_the_goods: who lapses
//     loses the fee at most.
//   - announced_within_bonds; no_withdrawal_with_debt and
//     no_withdrawal_with_overdue_claim.
//   - default_only_after_grace_in_deficit: debt was above the bonds in every
//     moment of a whole grace window; default_is_for_good (a formula).
//   - free_goods_can_be_redeemed: at the start of every block there is a price
//     for every receipt whose free measures are worth a unit, whether its
//     custodian is suspended, in default or stale.
//
// Of a holder who watches and has one move in each block, wherever in the block
// others put it: watchful_holder_not_overruled (no custodian ever calls goods
// delivered that he did not take) and holder_is_free_in_time (by the end of the
// first block after deadline and grace, or of the last of the pickup window, he
// has goods, refund or escrow, without anybody's help). Of one who only acts
// some time: claims_end (a formula): no claim stays open for ever.
//
// # That it can fail
//
// Each broken rule (defines BROKEN_...) must violate the property that is named
// beside it, and states that matter (a default with a claim open, a withdrawal
// that a slash cut) must be reached: a model in which nothing happens proves
// nothing.
//
// The tests need spin and a C compiler; without them they are skipped with a
// line that says so. "make formal" installs them, sets
// GRANARY_REQUIRE_FORMAL=1, which makes a test without them fail, and visits
// the large worlds as well (about two minutes).
package formal

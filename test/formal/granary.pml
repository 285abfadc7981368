/*
 * The life of receipts, claims, bonds and treasury as docs/goods-rules.md fixes
 * it. The package documentation says what is left out and which properties are
 * checked. Every record is one step on the running state, so that a block holds
 * any records in any order; a step of Miner ends the block.
 *
 * A run chooses sizes, who takes part and at most one broken rule by defines.
 * Rates are in tenths, not in basis points. Heights are never kept: a claim
 * knows how many blocks ago it was opened or tendered, a wait how many remain.
 */

#include "state.pml"
#include "properties.pml"
#include "custodians.pml"
#include "receipts.pml"
#include "claims.pml"
#include "blocks.pml"
#include "actors.pml"

init {
	d_step {
		rc[0].opened = MEASURES; rc[0].undrawn = MEASURES;
#if RECEIPTS == 2 && !defined(RECEIVES)
		rc[1].opened = MEASURES; rc[1].undrawn = MEASURES;
#endif
		startBlock();
		books(0)
	}
	atomic {
		run Others();
#if defined(HONEST) || defined(FAIR)
		run Holder();
#endif
		run Miner()
	}
}

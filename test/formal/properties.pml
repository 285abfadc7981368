/* What holds after every record; a failing property says its name. */

#define TEXT(s) #s
#define PROPERTY(name, holds) \
	if \
	:: (holds) \
	:: else -> printf(TEXT(violated name\n)); assert(false) \
	fi

inline checkReceipt(r) {
	PROPERTY(measures_conserved, QUANTITY(r) + rc[r].delivered + rc[r].lost == rc[r].opened);
	PROPERTY(owed_is_claimed, rc[r].owed == OWED(0, r) + OWED(1, r));
	PROPERTY(release_within_credit, rc[r].released <= TRIM((rc[r].opened * HIGHEST) / PARDEN));
}

inline checkClaim(c) {
	PROPERTY(one_escrow_per_redemption, (cl[c].kind == REDEMPTION) == (cl[c].units > 0));
	PROPERTY(claim_has_goods, (cl[c].kind != NONE) == (cl[c].quantity > 0));
}

inline checkCustodian(k) {
	PROPERTY(announced_within_bonds, cu[k].announced <= BONDS(k));
	if
	:: cu[k].debt <= BONDS(k) || cu[k].defaulted -> cu[k].deficit = 0
	:: else
	fi
}

/* books ends every record: what must hold on the running state, and after it. */
inline books(isDraw) {
	PROPERTY(units_conserved, pool + escrow + circulating + BURNT == POOL + SUBSIDIES - subsidies);
	PROPERTY(circulating_is_the_coins, circulating == purse + fees + ALL_BONDS);
	PROPERTY(escrow_is_the_claims, escrow == HELD(0) + HELD(1));
	PROPERTY(release_only_in_draw, isDraw || pool >= poolWas);
	poolWas = pool;
	checkReceipt(0);
#if RECEIPTS == 2
	checkReceipt(1);
#endif
	checkClaim(0); checkClaim(1);
	checkCustodian(0);
#if CUSTODIANS == 2
	checkCustodian(1);
#endif
#ifdef WITNESS
	PROPERTY(witness, !(WITNESS));
#endif
}

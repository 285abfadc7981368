/* Records on claims: reclaim, redeem, tender, deliver, lapse, settle, assign. */

/* outcome: goods handed over, or coins paid back, or written off; once a claim. */
inline outcome(c) {
	PROPERTY(one_outcome_per_claim, !cl[c].ended);
	cl[c].ended = 1;
}

inline forget(c) {
	cl[c].kind = NONE; cl[c].receipt = 0; cl[c].quantity = 0; cl[c].units = 0;
	cl[c].since = 0; cl[c].tendered = 0; cl[c].moved = 0; cl[c].ended = 0;
}

inline gone(c) {
#ifdef BROKEN_JUDGED_ON_BLOCK_START
	skip /* a later record of the block still finds it; forgotten at its end */
#else
	forget(c)
#endif
}

inline openClaim(c, what, r, q, u) {
	cl[c].kind = what; cl[c].receipt = r; cl[c].quantity = q; cl[c].units = u;
	cl[c].moved = 1;
	rc[r].owed = rc[r].owed + q;
}

#define ENOUGH(q, has) (q <= (has) && (q >= MINIMUM || q == (has)))

inline reclaim(c, r, q) {
	cl[c].kind == NONE && !rc[r].young && ENOUGH(q, rc[r].undrawn) ->
	printf("reclaim: %d measures of receipt %d, claim %d\n", q, r, c);
	rc[r].undrawn = rc[r].undrawn - q;
	openClaim(c, RECLAIM, r, q, 0);
	books(0)
}

inline redeem(c, r, q, extra) {
	cl[c].kind == NONE && ENOUGH(q, rc[r].free) && OPEN(r) && (OPEN(r) -> PRICE(r, q) + extra : 255) <= purse ->
	amount = PRICE(r, q) + extra;
	printf("redeem: %d measures of receipt %d for %d units, claim %d\n", q, r, amount, c);
	PROPERTY(refund_is_worth_the_goods, REFUND(amount) >= HIGHUP(q));
	purse = purse - amount; circulating = circulating - amount; escrow = escrow + amount;
	rc[r].free = rc[r].free - q;
	openClaim(c, REDEMPTION, r, q, amount);
	books(0)
}

inline tender(c) {
	FOUND(c) && !cl[c].tendered && cl[c].since <= DUE ->
	printf("tender: claim %d\n", c);
	cl[c].tendered = 1; cl[c].since = 0;
	books(0)
}

inline handOver(c) {
	outcome(c);
	OF(c).owed = OF(c).owed - cl[c].quantity;
	OF(c).delivered = OF(c).delivered + cl[c].quantity;
	escrow = escrow - cl[c].units; pool = pool + cl[c].units;
	gone(c);
	books(0)
}

inline deliverByToken(c) {
	FOUND(c) && !cl[c].moved ->
	printf("deliver by token: claim %d\n", c);
	handOver(c)
}

#ifdef BROKEN_DELIVER_WITHOUT_PICKUP
#define PICKED_UP(c) (cl[c].since > 0)
#else
#define PICKED_UP(c) (cl[c].since > PICKUP)
#endif

inline deliverByCustodian(c) {
	FOUND(c) && cl[c].tendered && PICKED_UP(c) && cl[c].since <= LAST ->
	printf("deliver by custodian: claim %d\n", c);
#ifdef HONEST
	PROPERTY(watchful_holder_not_overruled, c != 0);
#endif
	handOver(c)
}

inline handBack(c) {
	outcome(c);
	amount = REFUND(cl[c].units);
#ifndef PAR_CHANGES
	PROPERTY(lapse_refund_is_worth_the_goods, cl[c].kind == RECLAIM || amount >= HIGHUP(cl[c].quantity));
#endif
	escrow = escrow - cl[c].units; pool = pool + cl[c].units - amount;
	circulating = circulating + amount; purse = purse + amount;
	OF(c).owed = OF(c).owed - cl[c].quantity;
	if
	:: cl[c].kind == REDEMPTION -> OF(c).free = OF(c).free + cl[c].quantity
	:: else -> OF(c).undrawn = OF(c).undrawn + cl[c].quantity
	fi;
	gone(c);
	books(0)
}

#define MAY_LAPSE(c) (FOUND(c) && cl[c].tendered && !cl[c].moved && cl[c].since > 0)

inline lapseByToken(c) {
	MAY_LAPSE(c) ->
	printf("lapse by token: claim %d\n", c);
	handBack(c)
}

inline lapseByAnyone(c) {
	FOUND(c) && cl[c].tendered && cl[c].since > LAST ->
	printf("lapse by anyone: claim %d\n", c);
	handBack(c)
}

#ifdef BROKEN_SETTLE_SPARES_SUSPENDED
#define SETTLED(c) (!cu[KEEPER(cl[c].receipt)].suspended)
#else
#define SETTLED(c) true
#endif
#define MAY_SETTLE(c) (FOUND(c) && !cl[c].tendered && cl[c].since > DUE && SETTLED(c))

inline settle(c) {
	MAY_SETTLE(c) ->
	printf("settle: claim %d\n", c);
	outcome(c);
	escrow = escrow - cl[c].units;
	circulating = circulating + cl[c].units; purse = purse + cl[c].units;
	OF(c).owed = OF(c).owed - cl[c].quantity;
	amount = KEEPER(cl[c].receipt);
	cu[amount].suspended = 1;
	if
	:: cl[c].kind == REDEMPTION ->
		OF(c).lost = OF(c).lost + cl[c].quantity;
		cu[amount].debt = cu[amount].debt + FINE(cl[c].quantity)
	:: else ->
		OF(c).undrawn = OF(c).undrawn + cl[c].quantity;
		/* The same goods can be wanted back again and again: the debt is
		   held, as the rules hold it at their last number. */
		cu[amount].debt = MAX(cu[amount].debt, MIN(cu[amount].debt + PENALTIES(cl[c].quantity), LAST_DEBT))
	fi;
	watch(amount);
#ifndef BROKEN_SETTLE_LEAVES_CLAIM
	gone(c);
#endif
	books(0)
}

inline assign(c, willing) {
	willing && FOUND(c) && !cl[c].moved ->
	printf("assign: claim %d\n", c);
	cl[c].moved = 1;
	books(0)
}

/* Records on receipts: receive, draw, audit. */

inline receive(r) {
	rc[r].opened == 0 && IN_STANDING(KEEPER(r)) && SUFFICE(KEEPER(r), cu[KEEPER(r)].announced, MEASURES) ->
	printf("receive: receipt %d with %d\n", r, MEASURES);
	rc[r].opened = MEASURES; rc[r].undrawn = MEASURES; rc[r].young = 1;
	books(0)
}

/* A receipt that has all been delivered is closed, and its lot may come again. */
inline close(r) {
	rc[r].opened > 0 && rc[r].delivered == rc[r].opened ->
	printf("closed: receipt %d\n", r);
	rc[r].opened = 0; rc[r].delivered = 0; rc[r].released = 0; rc[r].stale = 0;
	books(0)
}

#define RELEASED CREDIT
#ifdef BROKEN_RELEASE_ROUNDED_UP
#undef RELEASED
#define RELEASED HIGHUP
#endif

inline draw(r, q) {
	q <= rc[r].undrawn && !rc[r].young && !rc[r].stale && IN_STANDING(KEEPER(r)) &&
	(q == rc[r].undrawn || CREDIT(q - 1) < CREDIT(q)) &&
	RELEASED(q) <= pool && RELEASED(q) > MINERS(RELEASED(q)) &&
	circulating + RELEASED(q) <= R - COUNT(KEEPER(r)) + COUNTED(KEEPER(r), q) ->
	amount = RELEASED(q); fee = MINERS(amount);
	printf("draw: %d measures of receipt %d release %d units\n", q, r, amount);
	rc[r].undrawn = rc[r].undrawn - q; rc[r].free = rc[r].free + q;
	rc[r].released = rc[r].released + amount;
	pool = pool - amount; circulating = circulating + amount;
	fees = fees + fee; purse = purse + amount - fee;
	PROPERTY(covered_after_draw, circulating <= R);
	books(1)
}

inline audit(r, loss) {
	rc[r].opened > 0 && !rc[r].young && QUANTITY(r) > 0 ->
	amount = MIN(loss, rc[r].undrawn + rc[r].free);
	printf("audit: receipt %d, loss %d, removed %d\n", r, loss, amount);
	rc[r].stale = 0;
	if
	:: loss > rc[r].undrawn + rc[r].free -> cu[KEEPER(r)].suspended = 1
	:: else
	fi;
	fee = MIN(amount, rc[r].undrawn); /* measures, from undrawn first */
	rc[r].undrawn = rc[r].undrawn - fee;
	rc[r].free = rc[r].free - (amount - fee);
	rc[r].lost = rc[r].lost + amount;
	cu[KEEPER(r)].debt = cu[KEEPER(r)].debt + HIGHUP(amount);
	watch(KEEPER(r));
	books(0)
}

/* expire: a receipt may grow too old at any time; only another audit renews it. */
inline expire(r) {
	rc[r].opened > 0 && QUANTITY(r) > 0 && !rc[r].stale ->
	printf("stale: receipt %d\n", r);
	rc[r].stale = 1;
	books(0)
}

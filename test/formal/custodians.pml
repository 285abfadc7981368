/* Records on custodians: slash, suspend, lift, bond, unbond; and the council's change of par. */

/* watch fixes default at whenever debt or bonds have changed. */
inline watch(k) {
	if
	:: cu[k].defaulted
	:: else ->
		if
		:: cu[k].debt > BONDS(k) && cu[k].defaultIn == 0 -> cu[k].defaultIn = GRACE + 1
#ifndef BROKEN_DEFAULT_NOT_CALLED_OFF
		:: cu[k].debt <= BONDS(k) -> cu[k].defaultIn = 0
#endif
		:: else
		fi
	fi
}

/* pay takes amount from a debt; the rest of the record has moved the coins. */
inline pay(k) {
	cu[k].debt = cu[k].debt - amount;
	pool = pool + amount - fee; fees = fees + fee;
	circulating = circulating - (amount - fee);
#ifndef BROKEN_SLASH_LEAVES_ANNOUNCED
	cu[k].announced = MIN(cu[k].announced, BONDS(k));
	if
	:: cu[k].announced == 0 -> cu[k].ready = 0
	:: else
	fi;
#endif
	watch(k);
	books(0)
}

inline slashOne(k) {
	cu[k].debt > 0 && cu[k].older > 0 ->
	amount = MIN(cu[k].debt, cu[k].older); fee = MINERS(amount);
	printf("slash: %d units from the oldest bond of custodian %d\n", amount, k);
	cu[k].older = cu[k].older - amount;
	if
	:: cu[k].older == 0 -> cu[k].older = cu[k].newer; cu[k].newer = 0
	:: else
	fi;
	pay(k)
}

inline slashTwo(k) {
	cu[k].older < cu[k].debt && cu[k].newer > 0 ->
	amount = MIN(cu[k].debt, BONDS(k)); fee = MINERS(amount);
	printf("slash: %d units from both bonds of custodian %d\n", amount, k);
	cu[k].older = BONDS(k) - amount; cu[k].newer = 0;
	pay(k)
}

inline slashCoins(k, u) {
	u <= cu[k].debt && u <= purse ->
	amount = u; fee = 0;
	printf("slash: %d units of coins for custodian %d\n", u, k);
	purse = purse - u;
	pay(k)
}

inline suspend(k) {
	IN_STANDING(k) ->
	printf("suspend: custodian %d\n", k);
	cu[k].suspended = 1;
	books(0)
}

inline lift(k) {
	cu[k].suspended && !cu[k].defaulted && cu[k].debt == 0 && !OVERDUE(k) ->
	printf("lift: custodian %d\n", k);
	cu[k].suspended = 0;
	books(0)
}

inline bond(k, u) {
	u <= purse && cu[k].newer == 0 ->
	printf("bond: %d units of custodian %d\n", u, k);
	purse = purse - u;
	if
	:: cu[k].older == 0 -> cu[k].older = u
	:: else -> cu[k].newer = u
	fi;
	watch(k);
	books(0)
}

inline announce(k, u) {
	IN_STANDING(k) && cu[k].announced == 0 && cu[k].debt == 0 && !OVERDUE(k) && u <= BONDS(k) && SUFFICE(k, u, 0) ->
	printf("unbond: custodian %d announces %d\n", k, u);
	cu[k].announced = u; cu[k].ready = WINDOW + GRACE;
	books(0)
}

inline cancel(k) {
	cu[k].announced > 0 ->
	printf("unbond: custodian %d cancels\n", k);
	cu[k].announced = 0; cu[k].ready = 0;
	books(0)
}

#ifdef BROKEN_WITHDRAW_WITH_DEBT
#define MAY_WITHDRAW(k) true
#else
#define MAY_WITHDRAW(k) (IN_STANDING(k) && cu[k].debt == 0 && !OVERDUE(k))
#endif

inline withdraw(k) {
	cu[k].announced > 0 && cu[k].ready == 0 && MAY_WITHDRAW(k) && SUFFICE(k, cu[k].announced, 0) ->
	printf("unbond: custodian %d withdraws %d\n", k, cu[k].announced);
	PROPERTY(no_withdrawal_with_debt, cu[k].debt == 0);
	PROPERTY(no_withdrawal_with_overdue_claim, !OVERDUE(k));
	amount = cu[k].announced;
	if
	:: cu[k].older >= amount -> cu[k].older = cu[k].older - amount;
		if
		:: cu[k].older == 0 -> cu[k].older = cu[k].newer; cu[k].newer = 0
		:: else
		fi
	:: else -> cu[k].older = BONDS(k) - amount; cu[k].newer = 0
	fi;
	purse = purse + amount;
	cu[k].announced = 0;
	watch(k);
	books(0)
}

/* Ordinary coins that somebody pays to the treasury, or burns. */
#ifdef GIFTS
inline give() {
	purse > 0 ->
	printf("gift: a unit to the pool\n");
	purse--; circulating--; pool++;
	books(0)
}

inline burn() {
	purse > 0 ->
	printf("burn: a unit\n");
	purse--; circulating--; burnt++;
	books(0)
}
#endif

#ifdef PAR_CHANGES
inline amend(changed) {
	pending == 0 && par != changed ->
	printf("amend: par %d announced\n", changed);
	pending = changed;
	books(0)
}

inline takeBack() {
	pending != 0 ->
	printf("amend: withdrawn\n");
	pending = 0; due = 0;
	books(0)
}
#endif

/* Between two blocks: the coinbase of one, then what is due at the start of the next. */

/* What an honest holder never leaves for the next block; claim 0 is his. */
#define CLAIM_TENDERED (cl[0].kind != NONE && cl[0].tendered && cl[0].since >= PICKUP)
#define CLAIM_UNHEARD  (cl[0].kind != NONE && !cl[0].tendered && cl[0].since > DUE)
#define MUST_ACT       (CLAIM_TENDERED || CLAIM_UNHEARD)

inline ageClaim(c) {
#if defined(BROKEN_JUDGED_ON_BLOCK_START)
	if
	:: cl[c].ended -> forget(c)
	:: else
	fi;
#endif
	cl[c].moved = 0;
	if
	:: cl[c].kind != NONE && !cl[c].tendered && cl[c].since <= DUE -> cl[c].since++
	:: cl[c].kind != NONE && cl[c].tendered && cl[c].since <= LAST -> cl[c].since++
	:: else
	fi
}

inline ageCustodian(k) {
	if
	:: cu[k].debt > BONDS(k) && !cu[k].defaulted && cu[k].deficit <= GRACE -> cu[k].deficit++
	:: else
	fi;
	if
	:: cu[k].defaultIn > 1 -> cu[k].defaultIn--
	:: cu[k].defaultIn == 1 ->
		cu[k].defaultIn = 0; cu[k].defaulted = 1;
		printf("default: custodian %d\n", k);
		PROPERTY(default_only_after_grace_in_deficit, cu[k].deficit == GRACE + 1);
		cu[k].deficit = 0
	:: else
	fi;
	if
	:: cu[k].ready > 0 -> cu[k].ready--
	:: else
	fi
}

inline snapshot(k) {
	cu[k].divisor = DIVISOR(k);
	cu[k].claims = CLAIMS(k);
}

inline checkRedeemable(r) {
	PROPERTY(free_goods_can_be_redeemed, HIGH(rc[r].free) == 0 || OPEN(r));
}

inline startBlock() {
	startL = circulating;
	startE = escrow;
	snapshot(0);
#if CUSTODIANS == 2
	snapshot(1);
#endif
	checkRedeemable(0);
#if RECEIPTS == 2
	checkRedeemable(1);
#endif
}

/* nextBlock: the coinbase of this block, then what is due at the start of the next. */
inline nextBlock(given) {
	printf("block: the miner gives %d of %d units of fees to the pool\n", given, fees);
	pool = pool + given; circulating = circulating - given; purse = purse + fees - given;
	fees = 0;
	if
	:: subsidies > 0 -> subsidies--; pool++
	:: else
	fi;
#ifdef HONEST
	PROPERTY(holder_is_free_in_time, !MUST_ACT);
#endif
	ageClaim(0); ageClaim(1);
	ageCustodian(0);
#ifdef PAR_CHANGES
	if
	:: due -> par = pending; pending = 0; due = 0; printf("par: %d in force\n", par)
	:: else
	fi;
#endif
	rc[0].young = 0;
#if CUSTODIANS == 2
	ageCustodian(1);
#endif
#if RECEIPTS == 2
	rc[1].young = 0;
#endif
	startBlock();
	books(0)
}

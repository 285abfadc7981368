/* Who acts: everybody else, an honest holder, the miner. */

#define EACH1(record, c, r) :: d_step { record(c, r, 1) }
#define EACH2(record, c, r) EACH1(record, c, r) :: d_step { record(c, r, 2) }
#define EACH3(record, c, r) EACH2(record, c, r) :: d_step { record(c, r, 3) }
#define EACH4(record, c, r) EACH3(record, c, r) :: d_step { record(c, r, 4) }
#define PASTE(a, b)         a ## b
#define EACH_UP_TO(n)       PASTE(EACH, n)
#define EACH                EACH_UP_TO(MEASURES)

inline drawSome(c, r, q) { draw(r, q) }
inline auditSome(c, r, q) { audit(r, q) }
inline redeemExact(c, r, q) { redeem(c, r, q, 0) }
inline redeemOver(c, r, q) { redeem(c, r, q, 1) }

#ifdef OVERPAY
#define EACH_REDEEM(c, r) EACH(redeemExact, c, r) EACH(redeemOver, c, r)
#else
#define EACH_REDEEM(c, r) EACH(redeemExact, c, r)
#endif

#ifdef RECLAIMS
#define EACH_RECLAIM(c, r) EACH(reclaim, c, r)
#else
#define EACH_RECLAIM(c, r)
#endif

#define OPENING(c, r) EACH_REDEEM(c, r) EACH_RECLAIM(c, r)

#define BY_TOKEN(c) \
	:: d_step { deliverByToken(c) } \
	:: d_step { lapseByToken(c) } \
	:: d_step { assign(c, true) }

#define BY_OTHERS(c) \
	:: d_step { tender(c) } \
	:: d_step { deliverByCustodian(c) } \
	:: d_step { lapseByAnyone(c) } \
	:: d_step { settle(c) }

#define ON_RECEIPT(r) \
	EACH(drawSome, 0, r) \
	EACH(auditSome, 0, r) \
	:: d_step { audit(r, 0) } \
	:: d_step { expire(r) }

#define ON_CUSTODIAN(k) \
	:: d_step { suspend(k) } \
	:: d_step { lift(k) } \
	:: d_step { slashOne(k) } \
	:: d_step { slashTwo(k) } \
	:: d_step { slashCoins(k, 1) } \
	:: d_step { slashCoins(k, 2) } \
	:: d_step { bond(k, 1) } \
	:: d_step { bond(k, 2) }

#define ON_BOND(k) \
	:: d_step { announce(k, 1) } \
	:: d_step { announce(k, 2) } \
	:: d_step { announce(k, 3) } \
	:: d_step { cancel(k) } \
	:: d_step { withdraw(k) }

/* Everybody who is not the honest holder: they act whenever it suits them, or never. */
proctype Others() {
	do
#if !defined(HONEST) && !defined(FAIR)
	OPENING(0, 0)
	BY_TOKEN(0)
#if RECEIPTS == 2
	OPENING(0, 1)
#endif
#endif
	BY_OTHERS(0)
#ifndef ONE_CLAIM
	OPENING(1, 0)
	BY_TOKEN(1)
#if RECEIPTS == 2
	OPENING(1, 1)
#endif
	BY_OTHERS(1)
#endif
	ON_RECEIPT(0)
#if RECEIPTS == 2
	ON_RECEIPT(1)
#endif
#ifndef NO_BONDS
	ON_CUSTODIAN(0)
#if CUSTODIANS == 2
	ON_CUSTODIAN(1)
#endif
#endif
#ifdef UNBONDS
	ON_BOND(0)
#endif
#ifdef RECEIVES
	:: d_step { receive(RECEIPTS - 1) }
	:: d_step { close(RECEIPTS - 1) }
#endif
#ifdef GIFTS
	:: d_step { give() }
	:: d_step { burn() }
#endif
#ifdef PAR_CHANGES
	:: d_step { amend(PARNUM) }
	:: d_step { amend(PARCHANGED) }
	:: d_step { takeBack() }
	:: d_step { pending != 0 && !due -> due = 1 }
#endif
	od
}

#if RECEIPTS == 1
#define HIS_RECEIPTS(his) his(0)
#else
#define HIS_RECEIPTS(his) his(0) his(1)
#endif

#ifdef HONEST
/*
 * One who has one move in every block, wherever in it others put it. He takes
 * goods if they are handed to him; what he can do without that counts.
 */
#define STUCK (!MAY_LAPSE(0) && !MAY_SETTLE(0))
#define HIS(r) \
	:: d_step { redeem(0, r, 1, 0); turn = 1 } \
	:: d_step { redeem(0, r, 2, 0); turn = 1 }

proctype Holder() {
	do
	:: if
		:: d_step { !MUST_ACT || STUCK -> turn = 1 }
		HIS_RECEIPTS(HIS)
		:: d_step { lapseByToken(0); turn = 1 }
		:: d_step { deliverByToken(0); turn = 1 }
		:: d_step { settle(0); turn = 1 }
		:: d_step { assign(0, !MUST_ACT); turn = 1 }
		fi;
		turn == 0
	od
}
#endif

#ifdef FAIR
/* One who acts some time, if what he wants to do stays possible. */
#define HIS(r) \
	:: d_step { redeem(0, r, 1, 0) } \
	:: d_step { redeem(0, r, 2, 0) }

proctype Holder() {
	do
	HIS_RECEIPTS(HIS)
	:: d_step { lapseByToken(0) }
	:: d_step { settle(0) }
	od
}

ltl claims_end { [] (cl[0].kind != NONE -> <> (cl[0].kind == NONE)) }
ltl default_is_for_good { [] (cu[0].defaulted -> [] cu[0].defaulted) }
#endif

proctype Miner() {
	do
#ifdef HONEST
	:: d_step { turn == 1 -> nextBlock(0); turn = 0 }
	:: d_step { turn == 1 && fees > 0 -> nextBlock(fees); turn = 0 }
#else
	:: d_step { true -> nextBlock(0) }
	:: d_step { fees > 0 -> nextBlock(fees) }
#endif
	od
}

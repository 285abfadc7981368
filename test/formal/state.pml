/* Sizes of a run, the state, and the values that follow from it. */

#ifndef CUSTODIANS
#define CUSTODIANS 1
#endif
#ifndef RECEIPTS
#define RECEIPTS 1
#endif
#ifndef MEASURES
#define MEASURES 2
#endif
#ifndef POOL
#define POOL 4
#endif
#ifndef SUBSIDIES
#define SUBSIDIES 1
#endif
#ifndef WINDOW
#define WINDOW 1
#endif
#ifndef PICKUP
#define PICKUP 1
#endif
#ifndef GRACE
#define GRACE 1
#endif
#ifndef MINIMUM
#define MINIMUM 1
#endif
#ifndef PARNUM
#define PARNUM 3
#endif
#ifndef PARCHANGED
#define PARCHANGED 2
#endif
#ifndef PARDEN
#define PARDEN 2
#endif
#ifndef HAIRCUT
#define HAIRCUT 0
#endif
#ifndef FEE
#define FEE 1
#endif
#ifndef SHARE
#define SHARE 1
#endif
#ifndef PENALTY
#define PENALTY 1
#endif
#ifndef RATIO
#define RATIO 5
#endif
#ifndef ALLOWANCE
#define ALLOWANCE 2
#endif

#define NONE       0
#define REDEMPTION 1
#define RECLAIM    2

typedef Receipt {
	byte opened;    /* measures it opened with; 0: not received yet */
	byte undrawn;
	byte free;
	byte owed;
	byte delivered;
	byte lost;
	byte released;  /* units */
	bit stale;      /* older than its valid until */
	bit young       /* opened in this block */
}

typedef Claim {
	byte kind;
	byte receipt;
	byte quantity;
	byte units;     /* of its escrow */
	byte since;     /* blocks since it was opened, or tendered; held at its limit */
	bit tendered;
	bit moved;      /* its token was created or assigned in this block */
	bit ended       /* it has had its outcome; set while open by broken rules only */
}

typedef Custodian {
	bit suspended;
	bit defaulted;
	byte debt;
	byte defaultIn; /* blocks until default; 0: none */
	byte older;     /* bonds; 0: none */
	byte newer;
	byte announced;
	byte ready;     /* blocks until withdrawal */
	byte divisor;   /* D for its redemptions, as at the start of the block */
	byte claims;    /* C for its redemptions, likewise */
	byte deficit    /* ends of blocks since debt came above bonds, for the proof only */
}

Receipt rc[RECEIPTS];
Claim cl[2];
Custodian cu[CUSTODIANS];

byte pool = POOL;
byte escrow;
byte circulating;           /* L by the rules' formula */
byte purse;                 /* ordinary coins, one by one */
byte fees;                  /* of this block, until the coinbase pays them out */
byte subsidies = SUBSIDIES; /* blocks that still bring a unit */
byte startL;                /* L at the start of the block */
byte startE;                /* escrow then */
byte poolWas = POOL;        /* before the record */
#ifdef GIFTS
byte burnt;
#define BURNT burnt
#else
#define BURNT 0
#endif
#ifdef PAR_CHANGES
byte par = PARNUM;
byte pending;               /* par that will be in force; 0: no change is pending */
bit due;                    /* it is from the next block on */
#endif
bit turn;                   /* the honest holder has had his move in this block */

hidden int amount;
hidden int fee;

/* Values */

#define MIN(a, b)  ((a) < (b) -> (a) : (b))
#define MAX(a, b)  ((a) > (b) -> (a) : (b))
/* While a change of par is pending, goods bring the lower and cost the higher. */
#ifdef PAR_CHANGES
#define LOWPAR     (pending != 0 -> MIN(par, pending) : par)
#define HIGHPAR    MAX(par, pending)
#define HIGHEST    MAX(PARNUM, PARCHANGED)
#else
#define LOWPAR     PARNUM
#define HIGHPAR    PARNUM
#define HIGHEST    PARNUM
#endif
#define LOW(q)     (((q) * LOWPAR) / PARDEN)
#define HIGH(q)    (((q) * HIGHPAR) / PARDEN)
#define HIGHUP(q)  (((q) * HIGHPAR + PARDEN - 1) / PARDEN)
#define TRIM(u)    (((u) * (10 - HAIRCUT)) / 10)
#define CREDIT(q)  TRIM(LOW(q))
#define MINERS(u)  (((u) * SHARE + 9) / 10)
#define FINE(q)    ((HIGHUP(q) * (10 + PENALTY) + 9) / 10)
#define LAST_DEBT  6 /* a number that nothing of this size needs */
#define PENALTIES(q) ((HIGHUP(q) * PENALTY + 9) / 10)
#define REFUND(u)  (((u) * 10) / (10 + FEE))

#define KEEPER(r)      ((r) % CUSTODIANS)
#define QUANTITY(r)    (rc[r].undrawn + rc[r].free + rc[r].owed)
#define FRESH(r)       (rc[r].stale -> 0 : rc[r].free)
#define IN_STANDING(k) (!cu[k].suspended && !cu[k].defaulted)
#define BONDS(k)       (cu[k].older + cu[k].newer)

#if RECEIPTS == 1
#define SUM(of, k)    of(0)
#elif CUSTODIANS == 1
#define SUM(of, k)    (of(0) + of(1))
#else
#define SUM(of, k)    of(k)
#endif
#define FREE(r)       rc[r].free
#define ALL(k)        HIGH(SUM(FREE, k))
#define COUNT(k)      LOW(SUM(FRESH, k))
#define COUNTED(k, q) LOW(SUM(FRESH, k) + (q))
#define WHOLE(k, q)   HIGH(SUM(QUANTITY, k) + (q))

#if CUSTODIANS == 1
#define R         (IN_STANDING(0) -> COUNT(0) : 0)
#define D         (cu[0].defaulted -> 0 : ALL(0))
#define ALL_BONDS BONDS(0)
#else
#define R         ((IN_STANDING(0) -> COUNT(0) : 0) + (IN_STANDING(1) -> COUNT(1) : 0))
#define D         ((cu[0].defaulted -> 0 : ALL(0)) + (cu[1].defaulted -> 0 : ALL(1)))
#define ALL_BONDS (BONDS(0) + BONDS(1))
#endif

/* A custodian in default counts in D for its own redemptions only. */
#ifdef BROKEN_DEFAULT_CLOSES_REDEMPTION
#define DIVISOR(k) (D)
#else
#define DIVISOR(k) (cu[k].defaulted -> (D) + ALL(k) : (D))
#endif

/* What redemptions took, of custodians like D. */
#define TOOK(c, k)  ((cl[c].kind == REDEMPTION && KEEPER(cl[c].receipt) == (k)) -> cl[c].quantity : 0)
#define TAKEN(k)    HIGH(TOOK(0, k) + TOOK(1, k))
#if CUSTODIANS == 1
#define C_TOTAL     (cu[0].defaulted -> 0 : TAKEN(0))
#else
#define C_TOTAL     ((cu[0].defaulted -> 0 : TAKEN(0)) + (cu[1].defaulted -> 0 : TAKEN(1)))
#endif
#define CLAIMS(k)   (cu[k].defaulted -> (C_TOTAL) + TAKEN(k) : (C_TOTAL))

/* The price of a redemption, with L, D and what claims hold as at the start of
   the block: the higher of that without claims and that with them. */
#define OPEN(r)     (cu[KEEPER(r)].divisor > 0)
#define PRICED(q, l, d) ((HIGHUP(q) * MAX(l, d) * (10 + FEE) + (d) * 10 - 1) / ((d) * 10))
#define WITHOUT(r, q) PRICED(q, startL, cu[KEEPER(r)].divisor)
#define WITH(r, q)  PRICED(q, startL + startE, cu[KEEPER(r)].divisor + cu[KEEPER(r)].claims)
#define PRICE(r, q) MAX(WITHOUT(r, q), WITH(r, q))

/* Bonds suffice with u units announced and q measures more. */
#define NEEDED(w)        ((MAX((w) - ALLOWANCE, 0) * RATIO + 9) / 10)
#define SUFFICE(k, u, q) (BONDS(k) - (u) - cu[k].debt >= NEEDED(WHOLE(k, q)))

/* Claims */

#define FOUND(c)      (cl[c].kind != NONE && (cl[c].tendered || cl[c].since > 0))
#define DUE           (WINDOW + GRACE)
#define LAST          (PICKUP + GRACE)
#define OF(c)         rc[cl[c].receipt]
#define CLAIMED(c, k) (cl[c].kind != NONE && KEEPER(cl[c].receipt) == (k))
#define LATE(c, k)    (CLAIMED(c, k) && !cl[c].tendered && cl[c].since > WINDOW)
#define OVERDUE(k)    (LATE(0, k) || LATE(1, k))
#define OWED(c, r)    ((cl[c].kind != NONE && !cl[c].ended && cl[c].receipt == (r)) -> cl[c].quantity : 0)
#define HELD(c)       (cl[c].ended -> 0 : cl[c].units)

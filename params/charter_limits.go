package params

// Limits of charters and of the goods rules.
const (
	// MaxCharterBytes bounds a charter file and its canonical bytes.
	MaxCharterBytes = 1 << 20
	// MaxGoods, MaxMembers (of one role) and MaxRegistries bound the lists.
	MaxGoods      = 256
	MaxMembers    = 256
	MaxRegistries = 256
	// MaxNameBytes bounds the names in a charter, in bytes of UTF-8.
	MaxNameBytes = 64
	// MaxSeatScriptBytes bounds the scripts that the goods rules name: payee,
	// token, seat and bond-return scripts. Every address form fits.
	MaxSeatScriptBytes = 42
	// MaxSealers bounds the keys of a sealed signet's challenge.
	MaxSealers = 15
	// GoodsStartHeight is the first height that may hold a goods record.
	GoodsStartHeight = 101
	// MaxRecordBodyBytes bounds the body of a record.
	MaxRecordBodyBytes = 8_000
	// MaxSeatTxWeight bounds a transaction that spends a seat.
	MaxSeatTxWeight = 40_000
	// MaxAttestedProposals and MaxOpenings bound the records attest and receive.
	MaxAttestedProposals = 64
	MaxOpenings          = 64
	// MaxSerialBytes and MaxLocationBytes bound the texts of a receipt.
	MaxSerialBytes   = 40
	MaxLocationBytes = 64
	// MaxObservedDepth is how many blocks below a record the block may lie at
	// which auditors saw the goods; the parent is one below.
	MaxObservedDepth = 144
	// MaxTendered and MaxDelivered bound the claims of one tender and of one
	// attested deliver, MaxAudited the receipts of one audit: a body holds as
	// many.
	MaxTendered  = 200
	MaxDelivered = 100
	MaxAudited   = 248
	// UntenderedPerBlock x delivery window bounds the untendered claims of a
	// custodian, whose seat tenders up to MaxTendered in a block: so many cannot
	// force it into default. A reclaim costs its depositor nothing and finds
	// room for ReclaimsPerBlock x delivery window only.
	UntenderedPerBlock = 100
	ReclaimsPerBlock   = 50
	// MaxBonds bounds the bonds of one custodian, so that as many inputs pay
	// any debt.
	MaxBonds = 8
	// MaxAmendEntries bounds each list of an amendment.
	MaxAmendEntries = 64
)

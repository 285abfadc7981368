package params

// Parameters are the numbers of a charter that an amendment may change within
// the charter's bounds. Units are in the names; bp is basis points, 1/10,000.
type Parameters struct {
	MinCoverageBP          int64
	MinerShareBP           int64 // of every release, as a fee
	BlockReleaseCapUnits   int64
	QuorumAuditors         int64
	DeliveryWindowBlocks   int64
	PickupWindowBlocks     int64
	GraceWindowBlocks      int64
	AttestationLifeBlocks  int64
	AmendmentDelayBlocks   int64
	RedemptionFeeBP        int64
	MinDrawUnits           int64
	UnbondedAllowanceUnits int64
	BondRatioBP            int64
	PenaltyBP              int64
}

// ParameterRule is the name of a parameter in TOML, its unit for a person and
// the bounds of the rule set; a charter may only narrow them.
type ParameterRule struct {
	Name, Unit string
	Low, High  int64
}

// parameterMax bounds every parameter that is not an amount.
const parameterMax = 1_000_000

// ParameterRules lists the parameters in canonical order.
var ParameterRules = [...]ParameterRule{
	{"min_coverage_bp", "basis points", 10_000, parameterMax},
	{"miner_share_bp", "basis points", 0, 1_000},
	{"block_release_cap_units", "units", 1, MaxMoneyUnits},
	{"quorum_auditors", "auditors", 1, MaxMembers},
	{"delivery_window_blocks", "blocks", 1, parameterMax},
	{"pickup_window_blocks", "blocks", 1, parameterMax},
	{"grace_window_blocks", "blocks", 1, parameterMax},
	{"attestation_life_blocks", "blocks", 1, parameterMax},
	{"amendment_delay_blocks", "blocks", 2, parameterMax},
	{"redemption_fee_bp", "basis points", 0, 10_000},
	{"min_draw_units", "units", 1, MaxMoneyUnits},
	{"unbonded_allowance_units", "units", 0, MaxMoneyUnits},
	{"bond_ratio_bp", "basis points", 0, parameterMax},
	{"penalty_bp", "basis points", 0, parameterMax},
}

// ParameterCount is the number of parameters.
const ParameterCount = len(ParameterRules)

// Values points at the parameters in the order of ParameterRules.
func (p *Parameters) Values() [ParameterCount]*int64 {
	return [...]*int64{
		&p.MinCoverageBP, &p.MinerShareBP, &p.BlockReleaseCapUnits, &p.QuorumAuditors,
		&p.DeliveryWindowBlocks, &p.PickupWindowBlocks, &p.GraceWindowBlocks,
		&p.AttestationLifeBlocks, &p.AmendmentDelayBlocks, &p.RedemptionFeeBP,
		&p.MinDrawUnits, &p.UnbondedAllowanceUnits, &p.BondRatioBP, &p.PenaltyBP,
	}
}

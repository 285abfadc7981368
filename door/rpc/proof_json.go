package rpc

import (
	"fmt"

	"granary/params"
	"granary/rules/proof"
	"granary/state"
)

// ProofPlace is what a verifier found out about a proof's block beside the
// proof.
type ProofPlace struct {
	// Anchored: the block lies in the chain that the verifier holds.
	Anchored bool
	// Confirmations are the blocks from it to the end of that chain, itself
	// included; -1 where it is not anchored.
	Confirmations int32
	// Claimed is set where the verifier has no chain to look into: the block
	// may be in it or not.
	Claimed bool
}

// Label is what the figures of a proof may be called.
func (p ProofPlace) Label() string {
	switch {
	case p.Anchored:
		return proved
	case p.Claimed:
		return "proved by its block, which is claimed to be in the chain"
	}
	return "proved by a block that is not in the active chain"
}

type proofJSON struct {
	BlockHash     string   `json:"blockhash"`
	Height        int32    `json:"height"`
	StateHeight   int32    `json:"stateheight"`
	Time          int64    `json:"time"`
	InActiveChain bool     `json:"inactivechain"`
	Confirmations int32    `json:"confirmations"`
	Charter       string   `json:"charter"`
	CharterKnown  bool     `json:"charterknown"`
	Name          string   `json:"name,omitempty"`
	Ticker        string   `json:"ticker,omitempty"`
	Sums          object   `json:"sums"`
	Amendment     object   `json:"amendment,omitempty"`
	Receipt       object   `json:"receipt,omitempty"`
	Attested      object   `json:"attested,omitempty"`
	Custodian     object   `json:"custodian,omitempty"`
	Claims        []object `json:"claims,omitempty"`
}

// ProofJSON gives the facts of a proof as verifygoodsproof answers them, and
// granary proof verify --json too. Without the charter (f.Charter is nil) the
// names that only it holds are left out: chain, ticker, registry, address.
func ProofJSON(f *proof.Facts, place ProofPlace) any {
	label := place.Label()
	out := proofJSON{
		BlockHash: f.Block.Hash.String(), Height: f.Block.Height, StateHeight: f.Block.StateHeight(),
		Time: f.Block.Header.Timestamp.Unix(), InActiveChain: place.Anchored, Confirmations: place.Confirmations,
		Charter: f.CharterID.String(), Sums: sumsJSON(&f.Totals, &f.Reserve, &f.Parameters, label),
	}
	if f.Charter != nil {
		out.CharterKnown, out.Name, out.Ticker = true, f.Charter.Name, f.Charter.Ticker
	}
	if p := f.Amendment; p != nil {
		out.Amendment = object{{"id", hexOf(p.ID[:])}, {"announced", p.Announced}, {"effective", p.Effective}, {"label", label}}
	}
	if f.Receipt == nil {
		return out
	}
	out.Receipt = receiptProofJSON(f, label)
	out.Attested = attestedProofJSON(f)
	out.Custodian = standingProofJSON(f.Receipt, label)
	for _, claim := range f.Claims {
		out.Claims = append(out.Claims, claimProofJSON(claim, label))
	}
	return out
}

func attestedProofJSON(f *proof.Facts) object {
	r := f.Receipt
	registry := member{"registry_number", r.Registry}
	if f.Charter != nil {
		registry = member{"registry", f.Charter.Registries[r.Registry]}
	}
	return object{
		{"custodian", r.Custodian.Name},
		registry,
		{"lot", r.Serial},
		{"document", hexOf(r.Document[:])},
		{"location", r.Location},
		{"observed", r.Observed},
		{"label", AttestedLabel(r)},
	}
}

// scriptProofJSON shows a script, with its address where the network is known.
func scriptProofJSON(f *proof.Facts, script []byte) any {
	if f.Charter != nil {
		if net, err := f.Charter.Network(); err == nil {
			return newScriptJSON(script, net.Chain, true)
		}
	}
	return object{{"hex", hexOf(script)}}
}

// AttestedLabel says who stands for what the chain cannot see.
func AttestedLabel(r *proof.ReceiptFacts) string {
	return fmt.Sprintf("attested by %s and a quorum of auditors at height %d", r.Custodian.Name, r.Observed)
}

func sumsJSON(totals *state.Totals, reserve *state.Reserve, parameters *params.Parameters, label string) object {
	sums := object{
		{"circulating", amount(totals.CirculatingUnits)},
		{"pool", amount(totals.PoolUnits)},
		{"escrow", amount(totals.EscrowUnits)},
		{"utxo_total", amount(totals.UTXOUnits)},
		{"reserve", amount(reserve.Counted.Units())},
		{"redemption_base", amount(reserve.All.Units())},
		{"redeeming", amount(reserve.Claimed.Units())},
	}
	if bp, ok := proof.CoverageBP(totals, reserve); ok {
		sums = append(sums, member{"coverage_bp", bp})
	}
	return append(sums, member{"min_coverage_bp", parameters.MinCoverageBP}, member{"label", label})
}

func receiptProofJSON(f *proof.Facts, label string) object {
	r := f.Receipt
	good := object{
		{"code", r.Good.Code},
		{"name", r.Good.Name},
		{"measure", r.Good.Measure},
		{"par_num", r.Good.ParNum},
		{"par_den", r.Good.ParDen},
	}
	if p := r.Good.Pending; p != nil {
		good = append(good, member{"pending_par_num", p.ParNum}, member{"pending_par_den", p.ParDen})
	}
	return object{
		{"number", r.Number},
		{"id", hexOf(r.ID[:])},
		{"good", good},
		{"quantity", r.Quantity()},
		{"undrawn", r.Undrawn},
		{"free", r.Free},
		{"owed", r.Owed},
		{"opened_with", r.OpenedWith},
		{"delivered", r.Delivered},
		{"lost", r.Lost},
		{"released", amount(r.ReleasedUnits)},
		{"free_value", amount(r.Good.LowUnits(r.Free))},
		{"credit", amount(r.CreditUnits())},
		{"haircut_bp", r.HaircutBP},
		{"opened", r.Opened},
		{"valid_until", r.ValidUntil},
		{"counts", r.Counts(f.Block.StateHeight())},
		{"scriptPubKey", scriptProofJSON(f, r.Script)},
		{"label", label},
	}
}

func standingProofJSON(r *proof.ReceiptFacts, label string) object {
	s := r.Standing
	return object{
		{"index", r.Custodian.Index},
		{"name", r.Custodian.Name},
		{"suspended", s.Suspended},
		{"default", s.Defaulted},
		{"debt", amount(s.DebtUnits)},
		{"bonds", amount(s.BondUnits())},
		{"untendered_claims", s.Untendered},
		{"holds", r.Holding.Whole},
		{"holds_free", r.Holding.Free},
		{"label", label},
	}
}

func claimProofJSON(c *state.Claim, label string) object {
	return object{
		{"number", c.Number},
		{"id", hexOf(c.ID[:])},
		{"kind", c.Kind.String()},
		{"quantity", c.Quantity},
		{"escrow", amount(c.EscrowUnits)},
		{"opened", c.Opened},
		{"deadline", c.Deadline},
		{"tendered", c.Tendered},
		{"token", object{{"txid", c.Token.Hash.String()}, {"vout", c.Token.Index}}},
		{"label", label},
	}
}

// AuditJSON gives the facts of a whole audit, for granary proof verify --json.
// Coins are exact; quantities are in each good's measure.
func AuditJSON(f *proof.AuditFacts, place ProofPlace) any {
	label := place.Label()
	goods, custodians := []object{}, []object{}
	for _, g := range f.Goods {
		goods = append(goods, object{
			{"code", g.Code},
			{"name", g.Name},
			{"measure", g.Measure},
			{"par_num", g.ParNum},
			{"par_den", g.ParDen},
			{"receipts", g.Receipts},
			{"undrawn", g.Undrawn.Units()},
			{"free", g.Free.Units()},
			{"owed", g.Owed.Units()},
			{"delivered", g.Delivered.Units()},
			{"lost", g.Lost.Units()},
			{"counted", g.Counted.Units()},
			{"counted_value", amount(g.CountedUnits.Units())},
			{"oldest_observed", g.Oldest},
			{"newest_observed", g.Newest},
		})
	}
	for i, c := range f.Custodians {
		custodians = append(custodians, object{
			{"index", i},
			{"name", c.Seat.Name},
			{"suspended", c.Suspended},
			{"default", c.Defaulted},
			{"receipts", c.Receipts},
			{"claims", c.Claims},
			{"untendered_claims", c.Untendered},
			{"debt", amount(c.DebtUnits)},
			{"bonds", amount(c.BondUnits())},
			{"counted_value", amount(c.Counted.Units())},
			{"free_value", amount(c.All.Units())},
			{"whole_value", amount(c.Whole.Units())},
		})
	}
	return object{
		{"blockhash", f.Block.Hash.String()},
		{"height", f.Block.Height},
		{"stateheight", f.Block.StateHeight()},
		{"time", f.Block.Header.Timestamp.Unix()},
		{"inactivechain", place.Anchored},
		{"confirmations", place.Confirmations},
		{"charter", f.Charter.ID().String()},
		{"name", f.Charter.Name},
		{"ticker", f.Charter.Ticker},
		{"keys", f.Keys},
		{"bytes", f.Bytes},
		{"label", label},
		{"sums", sumsJSON(&f.Totals, &f.Reserve, &f.Parameters, label)},
		{"receipts", f.Receipts},
		{"claims", f.Claims},
		{"untendered_claims", f.Untendered},
		{"reserved_lots", f.ReservedLots},
		{"goods", goods},
		{"custodians", custodians},
	}
}

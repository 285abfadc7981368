package rpc

import (
	"encoding/hex"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

const (
	familyGoods = "Goods"
	// proved labels figures that every node computes from the blocks.
	proved = "proved by the chain"
)

func goodsMethods() []Method {
	return []Method{
		{
			Name: "getcharter", Family: familyGoods,
			Summary: "Gives the charter of the chain, its constitution.",
			Result:  "An object: id, name, ticker, decimals, rules, network, treasury, parameters (bp are basis points, units the smallest amounts, blocks heights), goods (par in units of coin per measure), custodians, auditors, council, registries, hashes of the legal texts, canonical (hex), label.",
			run:     getCharter,
		},
		{
			Name: "getgoodsinfo", Family: familyGoods,
			Summary: "Gives the sums of the goods state after the last block.",
			Result:  "An object: height, bestblockhash, charter, label, circulating, pool, escrow and utxo_total (coins, exact), root (of the goods state, hex), seats (a number).",
			run:     getGoodsInfo,
		},
		{
			Name: "listseats", Family: familyGoods,
			Summary: "Lists the seats with the outputs that carry them.",
			Result:  "An array of objects: seat, role, index, name, txid, vout, height (the block that made this output), scriptPubKey, label.",
			run:     listSeats,
		},
	}
}

var errNoCharter = errorf(CodeMisc, "this chain has no charter: it follows Bitcoin's rules alone")

type charterJSON struct {
	ID           string       `json:"id"`
	Name         string       `json:"name"`
	Ticker       string       `json:"ticker"`
	Decimals     uint8        `json:"decimals"`
	Rules        uint32       `json:"rules"`
	Network      string       `json:"network"`
	Treasury     scriptJSON   `json:"treasury"`
	Parameters   object       `json:"parameters"`
	Bounds       object       `json:"bounds"`
	Goods        []goodJSON   `json:"goods"`
	Custodians   []memberJSON `json:"custodians"`
	Auditors     []memberJSON `json:"auditors"`
	Council      memberJSON   `json:"council"`
	Registries   []string     `json:"registries"`
	Terms        string       `json:"terms_sha256"`
	Jurisdiction string       `json:"jurisdiction_sha256"`
	Canonical    string       `json:"canonical"`
	Label        string       `json:"label"`
}

type goodJSON struct {
	Code          string `json:"code"`
	Name          string `json:"name"`
	Measure       string `json:"measure"`
	ParNum        int64  `json:"par_num"`
	ParDen        int64  `json:"par_den"`
	HaircutBP     int64  `json:"haircut_bp"`
	MaxAgeBlocks  int64  `json:"max_age_blocks"`
	MinReceipt    int64  `json:"min_receipt"`
	MinRedemption int64  `json:"min_redemption"`
}

type memberJSON struct {
	Name         string     `json:"name"`
	ScriptPubKey scriptJSON `json:"scriptPubKey"`
	Allowances   object     `json:"allowances,omitempty"`
}

func getCharter(c *call) (any, error) {
	charter, chain := c.Rules.Charter, c.server.opts.Net.Chain
	if charter == nil {
		return nil, errNoCharter
	}
	out := charterJSON{
		ID: charter.ID().String(), Name: charter.Name, Ticker: charter.Ticker, Decimals: charter.Decimals,
		Rules: charter.Rules, Network: c.server.opts.Net.RPCChain,
		Treasury: newScriptJSON(goods.TreasuryScript(charter.ID()), chain, true),
		Goods:    []goodJSON{}, Custodians: []memberJSON{}, Auditors: []memberJSON{},
		Council:    memberJSON{Name: charter.Council.Name, ScriptPubKey: newScriptJSON(charter.Council.Script, chain, true)},
		Registries: append([]string{}, charter.Registries...),
		Terms:      hex.EncodeToString(charter.TermsHash[:]), Jurisdiction: hex.EncodeToString(charter.JurisdictionHash[:]),
		Canonical: hexOf(charter.Canonical()), Label: proved,
	}
	out.Parameters, out.Bounds = parameterObjects(charter)
	for _, g := range charter.Goods {
		out.Goods = append(out.Goods, newGoodJSON(&g))
	}
	for i := range charter.Custodians {
		out.Custodians = append(out.Custodians, custodianJSON(charter, &charter.Custodians[i], chain))
	}
	for _, m := range charter.Auditors {
		out.Auditors = append(out.Auditors, memberJSON{Name: m.Name, ScriptPubKey: newScriptJSON(m.Script, chain, true)})
	}
	return out, nil
}

func parameterObjects(charter *params.Charter) (values, bounds object) {
	at, low, high := charter.Parameters, charter.Low, charter.High
	for i, rule := range params.ParameterRules {
		values = append(values, member{rule.Name, *at.Values()[i]})
		bounds = append(bounds, member{rule.Name, []int64{*low.Values()[i], *high.Values()[i]}})
	}
	return values, bounds
}

func custodianJSON(charter *params.Charter, custodian *params.Custodian, chain *chaincfg.Params) memberJSON {
	out := memberJSON{Name: custodian.Name, ScriptPubKey: newScriptJSON(custodian.Script, chain, true)}
	for _, a := range custodian.Allowances {
		if int(a.Good) < len(charter.Goods) {
			out.Allowances = append(out.Allowances, member{charter.Goods[a.Good].Code, a.Limit})
		}
	}
	return out
}

func getGoodsInfo(c *call) (any, error) {
	if c.Rules.Charter == nil {
		return nil, errNoCharter
	}
	var out object
	err := c.Chain.View(func(tip *state.Header, v state.View) error {
		totals, err := goods.ReadTotals(v)
		if err != nil {
			return err
		}
		seats, err := goods.ReadSeats(v)
		if err != nil {
			return err
		}
		root, err := goods.Root(v)
		if err != nil {
			return err
		}
		out = object{
			{"height", tip.Height},
			{"bestblockhash", tip.Hash.String()},
			{"charter", c.Rules.Charter.ID().String()},
			{"label", proved},
			{"circulating", amount(totals.CirculatingUnits)},
			{"pool", amount(totals.PoolUnits)},
			{"escrow", amount(totals.EscrowUnits)},
			{"utxo_total", amount(totals.UTXOUnits)},
			{"root", hexOf(root[:])},
			{"seats", len(seats)},
		}
		return nil
	})
	return out, err
}

type seatJSON struct {
	Seat         string     `json:"seat"`
	Role         string     `json:"role"`
	Index        uint16     `json:"index"`
	Name         string     `json:"name"`
	Txid         string     `json:"txid"`
	Vout         uint32     `json:"vout"`
	Height       int32      `json:"height"`
	ScriptPubKey scriptJSON `json:"scriptPubKey"`
	Label        string     `json:"label"`
}

func listSeats(c *call) (any, error) {
	if c.Rules.Charter == nil {
		return nil, errNoCharter
	}
	out := []seatJSON{}
	err := c.Chain.View(func(_ *state.Header, v state.View) error {
		seats, err := goods.ReadSeats(v)
		for i := range seats {
			s := &seats[i]
			out = append(out, seatJSON{
				s.ID(), s.Role.String(), s.Index, s.Name, s.Out.Hash.String(), s.Out.Index, s.Height,
				newScriptJSON(s.Script, c.server.opts.Net.Chain, true), proved,
			})
		}
		return err
	})
	return out, err
}

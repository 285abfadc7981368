package template

import (
	"granary/base/check"
	"granary/rules/goods"
	"granary/state"
)

// slash adds, for each custodian with a debt and bonds, the transaction that
// pays the one from the other. Its miner gets a share, as of a draw.
func (d *draft) slash() error {
	counts, err := goods.ReadCounts(d.over)
	if err != nil {
		return err
	}
	p, err := goods.ReadParameters(d.over)
	if err != nil {
		return err
	}
	for custodian := range counts.Custodians {
		standing, err := goods.ReadStanding(d.over, custodian)
		if err != nil || standing == nil {
			return err
		}
		msg := goods.SlashTx(d.builder.o.Rules.Charter.ID(), custodian, standing, p.MinerShareBP)
		if msg == nil {
			continue
		}
		// Refused where the bond is of this block, or no room is left.
		if err := d.include(state.NewTx(msg)); err != nil && check.AsRule(err) == nil {
			return err
		}
	}
	return nil
}

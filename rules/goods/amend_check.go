package goods

import (
	"fmt"
	"math/bits"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

func (r Amend) check(a *action) error {
	seat, err := a.actingSeat()
	if err != nil {
		return err
	}
	if err := a.checkActor(seat, state.RoleCouncil, 0); err != nil {
		return err
	}
	if r.Withdraw {
		_, err := a.g.change(state.SlotAmend, r.ID)
		return err
	}
	if err := a.g.checkNoChange(state.SlotAmend, state.SlotReseatCouncil); err != nil {
		return err
	}
	would, err := a.g.inForce()
	if err != nil {
		return err
	}
	return r.checkAnnounce(a, would)
}

// inForce is everything that the conditions of an amendment are about, turned
// step by step into what would be in force.
type inForce struct {
	params params.Parameters
	goods  []params.Good
	counts state.Counts
}

// inForce reads what is in force now.
func (g *Block) inForce() (*inForce, error) {
	now := &inForce{params: g.params, counts: g.counts}
	for index := range g.counts.Goods {
		good, err := g.good(index)
		if err != nil {
			return nil, err
		}
		now.goods = append(now.goods, good.Good)
	}
	return now, nil
}

func (r Amend) checkAnnounce(a *action, would *inForce) error {
	for _, rule := range []func(*Block, *inForce) error{
		r.checkParameters, r.checkGoods, r.checkAllowances, r.checkMembers, r.checkTogether,
	} {
		if err := rule(a.g, would); err != nil {
			return err
		}
	}
	for i := range r.members() {
		if err := a.checkWaitingOutput(1 + i); err != nil {
			return err
		}
	}
	return nil
}

// members is how many seats the amendment makes.
func (r *Amend) members() int { return len(r.Custodians) + len(r.Auditors) }

// checkParameters: within what the charter says an amendment may ever set.
func (r Amend) checkParameters(g *Block, would *inForce) error {
	values, lows, highs := would.params.Values(), g.charter.Low.Values(), g.charter.High.Values()
	for _, p := range r.Parameters {
		low, high := *lows[p.Parameter], *highs[p.Parameter]
		if p.Value < low || p.Value > high {
			return check.Rule(CodeAmendParameter, "%s would be %d, the charter allows %d to %d", params.ParameterRules[p.Parameter].Name, p.Value, low, high)
		}
		*values[p.Parameter] = p.Value
	}
	return nil
}

// checkGoods: known goods stay what they are and their pars move within
// bounds, new ones come next, each as a charter could have it.
func (r Amend) checkGoods(_ *Block, would *inForce) error {
	for i := range r.Goods {
		index, good := int(r.Goods[i].Index), &r.Goods[i].Good
		var problem string
		switch {
		case index < len(would.goods):
			problem = goodChangeProblem(&would.goods[index], good)
		case index == len(would.goods) && index < params.MaxGoods:
			problem = newGoodProblem(would.goods, good)
			would.goods = append(would.goods, params.Good{})
		default:
			problem = fmt.Sprintf("is not one of %d, nor the next of at most %d", len(would.goods), params.MaxGoods)
		}
		if problem != "" {
			return check.Rule(CodeAmendGood, "good %d %s", index, problem)
		}
		would.goods[index] = *good
	}
	would.counts.Goods = uint16(len(would.goods))
	return nil
}

func goodChangeProblem(before, after *params.Good) string {
	if before.Code != after.Code || before.Name != after.Name || before.Measure != after.Measure {
		return "would have another code, name or measure"
	}
	if problem := params.GoodProblem(after); problem != "" {
		return problem
	}
	if !parAtMostDouble(after, before) || !parAtMostDouble(before, after) {
		return fmt.Sprintf("would have the par %d/%d instead of %d/%d, which may at most double or halve", after.ParNum, after.ParDen, before.ParNum, before.ParDen)
	}
	return ""
}

func newGoodProblem(goods []params.Good, good *params.Good) string {
	for i := range goods {
		if goods[i].Code == good.Code {
			return fmt.Sprintf("would have the code of good %d", i)
		}
	}
	return params.GoodProblem(good)
}

// parAtMostDouble reports par <= 2 x other's par: num x other's den <= 2 x
// other's num x den, in 127 bits.
func parAtMostDouble(good, other *params.Good) bool {
	hi, lo := bits.Mul64(uint64(good.ParNum), uint64(other.ParDen))
	hi2, lo2 := bits.Mul64(uint64(other.ParNum), uint64(good.ParDen))
	hi2, lo2 = hi2<<1|lo2>>63, lo2<<1
	return hi < hi2 || hi == hi2 && lo <= lo2
}

// checkAllowances: of custodians that are there, and goods that will be.
func (r Amend) checkAllowances(g *Block, would *inForce) error {
	for _, c := range r.Allowances {
		if c.Custodian >= g.counts.Custodians {
			return check.Rule(CodeAmendAllowance, "there is no custodian %d", c.Custodian)
		}
		if c.Good >= would.counts.Goods {
			return check.Rule(CodeAmendAllowance, "custodian %d cannot hold good %d, there are %d", c.Custodian, c.Good, would.counts.Goods)
		}
	}
	return nil
}

// checkMembers: new members as a charter could have them.
func (r Amend) checkMembers(g *Block, would *inForce) error {
	custodians := make([]string, len(r.Custodians))
	for i := range r.Custodians {
		c := &r.Custodians[i]
		custodians[i] = c.Name
		if problem := allowancesProblem(c.Allowances, would.counts.Goods); problem != "" {
			return check.Rule(CodeAmendMember, "new custodian %d %s", i, problem)
		}
	}
	if err := g.checkNewNames(state.RoleCustodian, g.counts.Custodians, custodians); err != nil {
		return err
	}
	if err := g.checkNewNames(state.RoleAuditor, g.counts.Auditors, r.Auditors); err != nil {
		return err
	}
	would.counts.Custodians += uint16(len(r.Custodians))
	would.counts.Auditors += uint16(len(r.Auditors))
	return nil
}

func allowancesProblem(allowances []params.Allowance, goods uint16) string {
	if len(allowances) == 0 {
		return "may hold nothing"
	}
	for i, a := range allowances {
		switch {
		case a.Good >= goods:
			return fmt.Sprintf("cannot hold good %d, there are %d", a.Good, goods)
		case i > 0 && a.Good <= allowances[i-1].Good:
			return fmt.Sprintf("has good %d out of order or twice", a.Good)
		case a.Limit < 1:
			return fmt.Sprintf("may hold nothing of good %d", a.Good)
		}
	}
	return ""
}

// checkNewNames: names a charter could have, unlike all others of the role.
func (g *Block) checkNewNames(role state.Role, count uint16, names []string) error {
	if len(names) == 0 {
		return nil
	}
	if int(count)+len(names) > params.MaxMembers {
		return check.Rule(CodeAmendMember, "there would be %d %ss, at most %d are allowed", int(count)+len(names), role, params.MaxMembers)
	}
	taken := make(map[string]bool, int(count)+len(names))
	for index := range count {
		seat, err := g.seat(role, index)
		if err != nil {
			return err
		}
		taken[seat.Name] = true
	}
	for _, name := range names {
		if problem := params.NameProblem(name); problem != "" {
			return check.Rule(CodeAmendMember, "the name of a new %s %s", role, problem)
		}
		if taken[name] {
			return check.Rule(CodeAmendMember, "%q is the name of another %s", name, role)
		}
		taken[name] = true
	}
	return nil
}

// checkTogether: what would be in force does not contradict itself.
func (r Amend) checkTogether(_ *Block, would *inForce) error {
	for i := range would.goods {
		if good := &would.goods[i]; !params.CoverageFits(good.HaircutBP, would.params.MinCoverageBP) {
			return check.Rule(CodeAmendBounds, "good %d with a haircut of %d basis points could not be drawn under a minimum coverage of %d", i, good.HaircutBP, would.params.MinCoverageBP)
		}
	}
	if problem := would.params.TogetherProblem(int64(would.counts.Auditors)); problem != "" {
		return check.Rule(CodeAmendBounds, "%s", problem)
	}
	return nil
}

// checkWaitingOutput: output i can be a seat later.
func (a *action) checkWaitingOutput(i int) error {
	out := a.output(i)
	if out == nil {
		return check.Rule(CodeChangeOutput, "there is no output %d to become a seat", i)
	}
	if out.Value != 0 {
		return check.Rule(CodeChangeOutput, "output %d is to become a seat and carries %d units, it must carry 0", i, out.Value)
	}
	if problem := a.g.scriptProblem(out.PkScript); problem != "" {
		return check.Rule(CodeChangeOutput, "output %d is to become a seat under a script that %s", i, problem)
	}
	return nil
}

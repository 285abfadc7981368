package params

import "fmt"

// An amendment keeps the bounds that a charter has. What follows says, for
// the goods rules, what is against them; "" is nothing.

// GoodProblem judges a good by everything but its code's uniqueness and the
// minimum coverage.
func GoodProblem(g *Good) string {
	k := &charterChecker{}
	k.word("code", g.Code, 1, 12)
	k.good("", g)
	return k.first()
}

// NameProblem judges the name of a member.
func NameProblem(name string) string {
	k := &charterChecker{}
	k.name(fmt.Sprintf("%.80q", name), name)
	return k.first()
}

// CoverageFits reports that goods with this haircut, just received, could be
// drawn on in full: (10,000 - haircut) x coverage <= 100,000,000. Both are
// within their bounds.
func CoverageFits(haircutBP, coverageBP int64) bool {
	return (10_000-haircutBP)*coverageBP <= 100_000_000
}

// TogetherProblem judges parameters that are each within their bounds by each
// other and by the number of auditors.
func (p *Parameters) TogetherProblem(auditors int64) string {
	k := &charterChecker{}
	k.together(p, auditors)
	return k.first()
}

func (k *charterChecker) first() string {
	if len(k.problems) == 0 {
		return ""
	}
	return k.problems[0]
}

package params

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// CharterError lists everything that is wrong with a charter, each as one
// line: the field, what is wrong, what to do.
type CharterError struct{ Problems []string }

// Error gives the first problem and how many more there are.
func (e *CharterError) Error() string {
	if more := len(e.Problems) - 1; more > 0 {
		return fmt.Sprintf("%s (and %d more)", e.Problems[0], more)
	}
	return e.Problems[0]
}

// charterChecker collects problems.
type charterChecker struct{ problems []string }

func (k *charterChecker) wrong(field, format string, args ...any) {
	const enough = 100
	if len(k.problems) < enough {
		k.problems = append(k.problems, field+": "+fmt.Sprintf(format, args...))
	}
}

func (k *charterChecker) err() error {
	if len(k.problems) == 0 {
		return nil
	}
	return &CharterError{k.problems}
}

// between checks an integer field against its bounds.
func (k *charterChecker) between(field string, value, low, high int64, unit string) {
	if value < low || value > high {
		k.wrong(fmt.Sprintf("%s %d", field, value), "must be %d to %d %s", low, high, unit)
	}
}

func (c *Charter) check() error {
	k := &charterChecker{}
	if c.Rules != CharterRules {
		k.wrong(fmt.Sprintf("rules %d", c.Rules), "this program knows rule set %d only: use it, or a newer program", CharterRules)
		return k.err()
	}
	k.name("name", c.Name)
	k.word("ticker", c.Ticker, 2, 8)
	k.between("decimals", int64(c.Decimals), 0, 8, "digits")
	c.checkParameters(k)
	c.checkGoods(k)
	c.checkMembers(k)
	k.between("number of registries", int64(len(c.Registries)), 1, MaxRegistries, "registries")
	for i, name := range c.Registries {
		k.name(fmt.Sprintf("registries[%d]", i), name)
		if slices.Index(c.Registries, name) < i {
			k.wrong(fmt.Sprintf("registries[%d]", i), "%q is listed twice: remove one", name)
		}
	}
	if c.TermsHash == [32]byte{} {
		k.wrong("legal: terms_sha256", "is all zero: give the SHA-256 of the legal terms")
	}
	if c.JurisdictionHash == [32]byte{} {
		k.wrong("legal: jurisdiction_sha256", "is all zero: give the SHA-256 of the text on jurisdiction")
	}
	if len(k.problems) == 0 {
		c.Base.check(k)
	}
	return k.err()
}

func (c *Charter) checkParameters(k *charterChecker) {
	values, lows, highs := c.Parameters.Values(), c.Low.Values(), c.High.Values()
	for i, rule := range ParameterRules {
		low, high := *lows[i], *highs[i]
		if low < rule.Low || high > rule.High || low > high {
			k.wrong(fmt.Sprintf("bounds: %s = [%d, %d]", rule.Name, low, high),
				"must be two ascending numbers within %d to %d %s", rule.Low, rule.High, rule.Unit)
			continue
		}
		k.between("parameters: "+rule.Name, *values[i], rule.Low, rule.High, rule.Unit)
		if v := *values[i]; v < low || v > high {
			k.wrong(fmt.Sprintf("parameters: %s %d", rule.Name, v), "is outside its own bounds %d to %d: change one of them", low, high)
		}
	}
	k.together(&c.Parameters, int64(len(c.Auditors)))
}

// together checks parameters against each other.
func (k *charterChecker) together(p *Parameters, auditors int64) {
	if p.QuorumAuditors > auditors {
		k.wrong(fmt.Sprintf("parameters: quorum_auditors %d", p.QuorumAuditors), "must be at most %d, the number of auditors", auditors)
	}
	if p.AmendmentDelayBlocks < 2*p.DeliveryWindowBlocks {
		k.wrong(fmt.Sprintf("parameters: amendment_delay_blocks %d", p.AmendmentDelayBlocks),
			"must be at least %d, twice delivery_window_blocks, so that holders can leave first", 2*p.DeliveryWindowBlocks)
	}
	if p.BlockReleaseCapUnits < p.MinDrawUnits {
		k.wrong(fmt.Sprintf("parameters: block_release_cap_units %d", p.BlockReleaseCapUnits),
			"must be at least min_draw_units %d, or no draw could be mined", p.MinDrawUnits)
	}
}

func (c *Charter) checkGoods(k *charterChecker) {
	k.between("number of goods", int64(len(c.Goods)), 1, MaxGoods, "goods")
	codes := map[string]int{}
	for i := range c.Goods {
		g := &c.Goods[i]
		at := fmt.Sprintf("goods[%d] (%s): ", i, printable(g.Code))
		k.word(at+"code", g.Code, 1, 12)
		if first, twice := codes[g.Code]; twice {
			k.wrong(at+"code", "is that of goods[%d] already: choose another", first)
		}
		codes[g.Code] = i
		if k.good(at, g) {
			k.coverage(at, g, c.Parameters.MinCoverageBP)
		}
	}
}

const maxQuantity = 1<<63 - 1

// good checks all of a good but its code, and reports whether its numbers are
// within their bounds.
func (k *charterChecker) good(at string, g *Good) bool {
	k.name(at+"name", g.Name)
	if len(g.Measure) < 1 || len(g.Measure) > 8 || strings.Trim(g.Measure, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		k.wrong(fmt.Sprintf("%smeasure %q", at, g.Measure), "must be 1 to 8 letters or digits, such as kg")
	}
	before := len(k.problems)
	k.between(at+"par_num", g.ParNum, 1, maxQuantity, "units")
	k.between(at+"par_den", g.ParDen, 1, maxQuantity, "measures")
	k.between(at+"haircut_bp", g.HaircutBP, 0, 10_000, "basis points")
	k.between(at+"max_age_blocks", g.MaxAgeBlocks, 1, parameterMax, "blocks")
	k.between(at+"min_receipt", g.MinReceipt, 1, maxQuantity, g.Measure)
	k.between(at+"min_redemption", g.MinRedemption, 1, maxQuantity, g.Measure)
	if len(k.problems) > before {
		return false
	}
	if value := g.ValueUnits(g.MinReceipt); value < 1 || value > MaxMoneyUnits {
		k.wrong(fmt.Sprintf("%smin_receipt %d", at, g.MinReceipt), "is worth %d units at par: must be 1 to %d", value, int64(MaxMoneyUnits))
	}
	return true
}

// coverage checks that goods of a haircut within its bounds can be drawn on in
// full.
func (k *charterChecker) coverage(at string, g *Good, coverageBP int64) {
	if coverageBP < 1 || CoverageFits(g.HaircutBP, coverageBP) {
		return
	}
	k.wrong(fmt.Sprintf("%shaircut_bp %d", at, g.HaircutBP), "(10000 - haircut) x min_coverage_bp %d must be at most 100000000: raise the haircut to %d or more",
		coverageBP, 10_000-100_000_000/coverageBP)
}

// ValueUnits is floor(quantity * num / den), what a quantity is worth at par;
// it saturates at 2^63-1. quantity must not be negative.
func (g *Good) ValueUnits(quantity int64) int64 {
	hi, lo := bits.Mul64(uint64(quantity), uint64(g.ParNum))
	if hi >= uint64(g.ParDen) {
		return maxQuantity
	}
	value, _ := bits.Div64(hi, lo, uint64(g.ParDen))
	return int64(min(value, maxQuantity))
}

// ValueUpUnits is ceil(quantity * num / den); it saturates at 2^63-1. quantity
// must not be negative.
func (g *Good) ValueUpUnits(quantity int64) int64 {
	hi, lo := bits.Mul64(uint64(quantity), uint64(g.ParNum))
	if hi >= uint64(g.ParDen) {
		return maxQuantity
	}
	value, rest := bits.Div64(hi, lo, uint64(g.ParDen))
	if rest > 0 && value < maxQuantity {
		value++
	}
	return int64(min(value, maxQuantity))
}

func (c *Charter) checkMembers(k *charterChecker) {
	k.between("number of custodians", int64(len(c.Custodians)), 1, MaxMembers, "custodians")
	k.between("number of auditors", int64(len(c.Auditors)), 1, MaxMembers, "auditors")
	scripts := map[string]string{}
	names := map[string]bool{}
	member := func(at, role string, m *Member) {
		k.name(at+": name", m.Name)
		if names[role+m.Name] {
			k.wrong(at+": name", "%q is used twice: every %s needs a name of its own", m.Name, role)
		}
		names[role+m.Name] = true
		k.script(at, m.Script)
		if first, twice := scripts[string(m.Script)]; twice {
			k.wrong(at+": script", "is that of %s already: every seat needs keys of its own", first)
		}
		scripts[string(m.Script)] = at
	}
	for i := range c.Custodians {
		at := fmt.Sprintf("custodians[%d] (%s)", i, printable(c.Custodians[i].Name))
		member(at, "custodian", &c.Custodians[i].Member)
		c.checkAllowances(k, at, c.Custodians[i].Allowances)
	}
	for i := range c.Auditors {
		member(fmt.Sprintf("auditors[%d] (%s)", i, printable(c.Auditors[i].Name)), "auditor", &c.Auditors[i])
	}
	member("council", "council", &c.Council)
}

func (c *Charter) checkAllowances(k *charterChecker, at string, allowances []Allowance) {
	if len(allowances) == 0 {
		k.wrong(at+": goods", "are missing: list what this custodian may hold, and how much")
	}
	for i, a := range allowances {
		if int(a.Good) >= len(c.Goods) {
			k.wrong(at+": goods", "good number %d does not exist", a.Good)
			continue
		}
		if i > 0 && a.Good <= allowances[i-1].Good {
			k.wrong(at+": goods", "%s is listed twice: remove one", printable(c.Goods[a.Good].Code))
		}
		k.between(at+": limit of "+printable(c.Goods[a.Good].Code), a.Limit, 1, maxQuantity, c.Goods[a.Good].Measure)
	}
}

// script checks a script that carries a seat.
func (k *charterChecker) script(at string, script []byte) {
	switch {
	case len(script) < 1 || len(script) > MaxSeatScriptBytes:
		k.wrong(at+": script", "has %d bytes: must be 1 to %d, so wrap it in wsh(...)", len(script), MaxSeatScriptBytes)
	case script[0] == 0x6a:
		k.wrong(at+": script", "starts with OP_RETURN and could never be spent: give an address")
	}
}

// name checks a text that pages will show: valid UTF-8 without control,
// invisible or direction-changing characters, and no blank at its ends.
func (k *charterChecker) name(field, text string) {
	switch {
	case len(text) < 1 || len(text) > MaxNameBytes:
		k.wrong(field, "has %d bytes: must be 1 to %d", len(text), MaxNameBytes)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, hidden):
		k.wrong(field, "%q holds control or invisible characters: remove them", text)
	case text[0] == ' ' || text[len(text)-1] == ' ':
		k.wrong(field, "%q begins or ends with a blank: remove it", text)
	}
}

// hidden is a fixed list, so that no Unicode version decides a verdict.
func hidden(r rune) bool {
	return r < 0x20 || r >= 0x7f && r <= 0xa0 || r == 0xad || r == 0x61c || r >= 0x200b && r <= 0x200f ||
		r >= 0x2028 && r <= 0x202f || r >= 0x2060 && r <= 0x206f || r == 0x3000 || r == 0xfeff || r >= 0xfff9 && r <= 0xffff ||
		r >= 0xe0000 && r <= 0xe0fff
}

// word checks a short code: capital letters and digits, a letter first.
func (k *charterChecker) word(field, text string, low, high int) {
	ok := len(text) >= low && len(text) <= high
	for i := range len(text) {
		letter := text[i] >= 'A' && text[i] <= 'Z'
		ok = ok && (letter || i > 0 && text[i] >= '0' && text[i] <= '9')
	}
	if !ok {
		k.wrong(fmt.Sprintf("%s %.20q", field, text), "must be %d to %d capital letters or digits, a letter first", low, high)
	}
}

// printable makes a name safe inside an error line.
func printable(text string) string {
	if len(text) > MaxNameBytes || !utf8.ValidString(text) || strings.ContainsFunc(text, hidden) {
		return "?"
	}
	return text
}

func (n *CharterNetwork) check(k *charterChecker) {
	switch n.Base {
	case BaseRegtest, BaseSignetOpen:
	case BaseSignetBare, BaseSignetHashed:
		n.Sealed.check(k)
	case BaseCustom:
		n.Custom.check(k)
	default:
		k.wrong("network: base", "number %d is unknown: use regtest, signet or custom", n.Base)
	}
}

func (s *Sealers) check(k *charterChecker) {
	k.between("network: number of sealers", int64(len(s.Keys)), 1, MaxSealers, "keys")
	k.between("network: seal_quorum", int64(s.Required), 1, max(1, int64(len(s.Keys))), "of the sealers")
	for i, key := range s.Keys {
		at := fmt.Sprintf("network: sealers[%d]", i)
		if _, err := btcec.ParsePubKey(key); err != nil || len(key) != 33 {
			k.wrong(at, "is not a compressed public key: give 66 hex digits")
		}
		if slices.IndexFunc(s.Keys, func(other []byte) bool { return bytes.Equal(other, key) }) < i {
			k.wrong(at, "is listed twice: every sealer needs a key of its own")
		}
	}
}

func (n *CustomNetwork) check(k *charterChecker) {
	before := len(k.problems)
	known := []wire.BitcoinNet{
		chaincfg.MainNetParams.Net, chaincfg.TestNet3Params.Net, chaincfg.TestNet4Params.Net,
		chaincfg.RegressionNetParams.Net, chaincfg.SigNetParams.Net, chaincfg.SimNetParams.Net,
	}
	if slices.Contains(known, n.chain("custom").Net) {
		k.wrong(fmt.Sprintf("network: magic %x", n.Magic), "is that of a network of Bitcoin's: choose four bytes of your own")
	}
	if len(n.HRP) < 2 || len(n.HRP) > 15 || strings.Trim(n.HRP, "abcdefghijklmnopqrstuvwxyz") != "" || slices.Contains([]string{"bc", "tb", "bcrt", "sb"}, n.HRP) {
		k.wrong(fmt.Sprintf("network: hrp %.20q", n.HRP), "must be 2 to 15 small letters and not one of Bitcoin's")
	}
	if a, b, c := n.PubKeyHashPrefix, n.ScriptHashPrefix, n.PrivateKeyPrefix; a == b || b == c || a == c {
		k.wrong("network: pubkey_hash_prefix, script_hash_prefix, private_key_prefix", "must be three different numbers")
	}
	k.between("network: spacing_seconds", int64(n.SpacingSeconds), 1, 86_400, "seconds")
	k.between("network: retarget_blocks", int64(n.RetargetBlocks), 2, 100_000, "blocks")
	if period := uint64(n.SpacingSeconds) * uint64(n.RetargetBlocks); !n.NoRetargeting && period < minPeriodSeconds {
		k.wrong(fmt.Sprintf("network: spacing_seconds %d x retarget_blocks %d", n.SpacingSeconds, n.RetargetBlocks),
			"is %d: a difficulty period must take %d seconds at least", period, minPeriodSeconds)
	}
	k.between("network: halving_blocks", int64(n.HalvingBlocks), 1, 210_000, "blocks, or there would be more than 21 million coins")
	k.between("network: genesis_time", int64(n.GenesisTime), 1_231_006_505, 1<<32-1, "Unix seconds")
	if len(n.GenesisMessage) < 2 || len(n.GenesisMessage) > 75 || strings.Trim(n.GenesisMessage, asciiPrintable) != "" {
		k.wrong("network: genesis_message", "must be 2 to 75 plain ASCII characters")
	}
	target, ok := compactTarget(n.PowLimitBits)
	if !ok || !n.NoRetargeting && !n.retargetFits(&target) {
		k.wrong(fmt.Sprintf("network: pow_limit_bits %08x", n.PowLimitBits), "is no target, or too easy for the difficulty rule: use such as 1d00ffff, or 207fffff with no_retargeting")
	}
	if len(k.problems) > before {
		return
	}
	if hash := n.Genesis().BlockHash(); hashNumber(&hash).Cmp(&target) > 0 {
		advice := "search another nonce, or make pow_limit_bits easier"
		if nonce, found := n.FindGenesisNonce(1 << 16); found {
			advice = fmt.Sprintf("use %d", nonce)
		}
		k.wrong(fmt.Sprintf("network: genesis_nonce %d", n.GenesisNonce), "the genesis block does not meet its target: %s", advice)
	}
}

// minPeriodSeconds is the shortest difficulty period: a quarter of it, the
// least that the difficulty rule counts, must not be zero, or blocks of one
// time would lead to a target that no block can ever meet.
const minPeriodSeconds = 4

const asciiPrintable = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

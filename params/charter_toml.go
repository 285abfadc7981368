package params

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"granary/base/desc"

	"github.com/BurntSushi/toml"
	"github.com/btcsuite/btcd/chaincfg/v2"
)

// charterFile is a charter as TOML has it. Pointers tell a missing number
// from zero.
type charterFile struct {
	Rules      *int64             `toml:"rules"`
	Name       string             `toml:"name"`
	Ticker     string             `toml:"ticker"`
	Decimals   *int64             `toml:"decimals"`
	Network    networkFile        `toml:"network"`
	Parameters map[string]int64   `toml:"parameters"`
	Bounds     map[string][]int64 `toml:"bounds"`
	Goods      []goodFile         `toml:"goods"`
	Custodians []custodianFile    `toml:"custodians"`
	Auditors   []memberFile       `toml:"auditors"`
	Council    memberFile         `toml:"council"`
	Registries []memberFile       `toml:"registries"`
	Legal      struct {
		Terms        string `toml:"terms_sha256"`
		Jurisdiction string `toml:"jurisdiction_sha256"`
	} `toml:"legal"`
}

type networkFile struct {
	Base       string   `toml:"base"`
	Mode       string   `toml:"mode"`
	Form       string   `toml:"form"`
	SealQuorum *int64   `toml:"seal_quorum"`
	Sealers    []string `toml:"sealers"`

	Magic            string `toml:"magic"`
	HRP              string `toml:"hrp"`
	PubKeyHashPrefix *int64 `toml:"pubkey_hash_prefix"`
	ScriptHashPrefix *int64 `toml:"script_hash_prefix"`
	PrivateKeyPrefix *int64 `toml:"private_key_prefix"`
	SpacingSeconds   *int64 `toml:"spacing_seconds"`
	RetargetBlocks   *int64 `toml:"retarget_blocks"`
	HalvingBlocks    *int64 `toml:"halving_blocks"`
	PowLimitBits     string `toml:"pow_limit_bits"`
	NoRetargeting    bool   `toml:"no_retargeting"`
	GenesisTime      *int64 `toml:"genesis_time"`
	GenesisNonce     *int64 `toml:"genesis_nonce"`
	GenesisMessage   string `toml:"genesis_message"`
}

type goodFile struct {
	Code          string `toml:"code"`
	Name          string `toml:"name"`
	Measure       string `toml:"measure"`
	ParNum        *int64 `toml:"par_num"`
	ParDen        *int64 `toml:"par_den"`
	HaircutBP     *int64 `toml:"haircut_bp"`
	MaxAgeBlocks  *int64 `toml:"max_age_blocks"`
	MinReceipt    *int64 `toml:"min_receipt"`
	MinRedemption *int64 `toml:"min_redemption"`
}

type memberFile struct {
	Name   string `toml:"name"`
	Script string `toml:"script"`
}

type custodianFile struct {
	Name   string `toml:"name"`
	Script string `toml:"script"`
	Goods  []struct {
		Good  string `toml:"good"`
		Limit *int64 `toml:"limit"`
	} `toml:"goods"`
}

// ParseCharter reads a charter file and checks every bound of it. The error
// is one line; a *CharterError holds every problem found. Callers put the
// file's name in front.
func ParseCharter(text []byte) (*Charter, error) {
	if len(text) > MaxCharterBytes {
		return nil, fmt.Errorf("charter of %d bytes: at most %d are allowed", len(text), MaxCharterBytes)
	}
	var file charterFile
	meta, err := toml.Decode(string(text), &file)
	if err != nil {
		return nil, fmt.Errorf("%s: correct that line", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "toml: "), "\n", " "))
	}
	k := &charterChecker{}
	unknownKeys(k, &meta)
	c := file.charter(k)
	if err := k.err(); err != nil {
		return nil, err
	}
	return NewCharter(c)
}

func unknownKeys(k *charterChecker, meta *toml.MetaData) {
	unknown := meta.Undecoded()
	for _, key := range meta.Keys() { // the decoder would take Name for name
		if strings.ToLower(key.String()) != key.String() {
			unknown = append(unknown, key)
		}
	}
	var seen []string
	for _, key := range unknown {
		if name := key.String(); !slices.Contains(seen, name) {
			seen = append(seen, name)
			k.wrong(name, "is not a key of a charter: correct its spelling or remove it")
		}
	}
}

func (f *charterFile) charter(k *charterChecker) Charter {
	c := Charter{
		Rules: uint32(k.number("rules", f.Rules, 0, 1<<32-1)), Name: f.Name, Ticker: f.Ticker,
		Decimals: uint8(k.number("decimals", f.Decimals, 0, 8)),
	}
	c.Base = f.Network.network(k)
	f.parameters(k, &c)
	for i := range f.Goods {
		c.Goods = append(c.Goods, f.Goods[i].good(k, fmt.Sprintf("goods[%d] (%s): ", i, printable(f.Goods[i].Code))))
	}
	chain := c.Base.chainParams()
	for i := range f.Custodians {
		at := fmt.Sprintf("custodians[%d] (%s)", i, printable(f.Custodians[i].Name))
		c.Custodians = append(c.Custodians, f.Custodians[i].custodian(k, at, chain, c.Goods))
	}
	for i, m := range f.Auditors {
		at := fmt.Sprintf("auditors[%d] (%s)", i, printable(m.Name))
		c.Auditors = append(c.Auditors, Member{m.Name, k.scriptOf(at, m.Script, chain)})
	}
	c.Council = Member{f.Council.Name, k.scriptOf("council", f.Council.Script, chain)}
	for i, m := range f.Registries {
		if m.Script != "" {
			k.wrong(fmt.Sprintf("registries[%d]: script", i), "a registry has no seat: remove it")
		}
		c.Registries = append(c.Registries, m.Name)
	}
	c.TermsHash = k.hash("legal: terms_sha256", f.Legal.Terms)
	c.JurisdictionHash = k.hash("legal: jurisdiction_sha256", f.Legal.Jurisdiction)
	return c
}

// parameters fills values and bounds; a parameter without bounds can never be
// amended.
func (f *charterFile) parameters(k *charterChecker, c *Charter) {
	values, lows, highs := c.Parameters.Values(), c.Low.Values(), c.High.Values()
	known := map[string]bool{}
	for i, rule := range ParameterRules {
		known[rule.Name] = true
		value, found := f.Parameters[rule.Name]
		if !found {
			k.wrong("parameters: "+rule.Name, "is missing: give %d to %d %s", rule.Low, rule.High, rule.Unit)
		}
		*values[i], *lows[i], *highs[i] = value, value, value
		if pair, found := f.Bounds[rule.Name]; found {
			if len(pair) != 2 {
				k.wrong("bounds: "+rule.Name, "must be two numbers: [lowest, highest]")
				continue
			}
			*lows[i], *highs[i] = pair[0], pair[1]
		}
	}
	for _, table := range []struct {
		name string
		keys []string
	}{{"parameters", sortedKeys(f.Parameters)}, {"bounds", sortedKeys(f.Bounds)}} {
		for _, key := range table.keys {
			if !known[key] {
				k.wrong(fmt.Sprintf("%s: %.40q", table.name, key), "is not a parameter: correct its spelling or remove it")
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (g *goodFile) good(k *charterChecker, at string) Good {
	return Good{
		Code: g.Code, Name: g.Name, Measure: g.Measure,
		ParNum:        k.number(at+"par_num", g.ParNum, 1, maxQuantity),
		ParDen:        k.number(at+"par_den", g.ParDen, 1, maxQuantity),
		HaircutBP:     k.number(at+"haircut_bp", g.HaircutBP, 0, 10_000, "basis points"),
		MaxAgeBlocks:  k.number(at+"max_age_blocks", g.MaxAgeBlocks, 1, parameterMax, "blocks"),
		MinReceipt:    k.number(at+"min_receipt", g.MinReceipt, 1, maxQuantity),
		MinRedemption: k.number(at+"min_redemption", g.MinRedemption, 1, maxQuantity),
	}
}

func (f *custodianFile) custodian(k *charterChecker, at string, chain *chaincfg.Params, goods []Good) Custodian {
	c := Custodian{Member: Member{f.Name, k.scriptOf(at, f.Script, chain)}}
	for _, entry := range f.Goods {
		index := slices.IndexFunc(goods, func(g Good) bool { return g.Code == entry.Good })
		if index < 0 || index >= MaxGoods {
			k.wrong(at+": goods", "%.20q is not the code of one of the goods: correct it", entry.Good)
			continue
		}
		limit := k.number(at+": limit of "+entry.Good, entry.Limit, 1, maxQuantity, goods[index].Measure)
		c.Allowances = append(c.Allowances, Allowance{uint16(index), limit})
	}
	slices.SortStableFunc(c.Allowances, func(a, b Allowance) int { return int(a.Good) - int(b.Good) })
	return c
}

// number takes a required integer within bounds and gives 0 where it is wrong.
func (k *charterChecker) number(field string, value *int64, low, high int64, unit ...string) int64 {
	if value == nil {
		k.wrong(field, "%s", strings.TrimSpace(fmt.Sprintf("is missing: give %d to %d %s", low, high, strings.Join(unit, " "))))
		return 0
	}
	if *value < low || *value > high {
		k.wrong(fmt.Sprintf("%s %d", field, *value), "%s", strings.TrimSpace(fmt.Sprintf("must be %d to %d %s", low, high, strings.Join(unit, " "))))
		return 0
	}
	return *value
}

// scriptOf reads an address or a descriptor of one script.
func (k *charterChecker) scriptOf(at, text string, chain *chaincfg.Params) []byte {
	script, err := scriptOf(text, chain)
	if err != nil {
		k.wrong(at+": script", "%v", err)
	}
	return script
}

func scriptOf(text string, chain *chaincfg.Params) ([]byte, error) {
	if text == "" {
		return nil, errors.New("is missing: give an address or a descriptor")
	}
	if !strings.Contains(text, "(") {
		return desc.AddressScript(text, chain)
	}
	d, err := desc.Parse(text, chain)
	if err != nil {
		return nil, err
	}
	if d.IsRange() {
		return nil, errors.New("a range descriptor names many scripts: replace /* by one number")
	}
	return d.Script(0)
}

func (k *charterChecker) hash(field, text string) (sum [32]byte) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(sum) {
		k.wrong(field, "must be 64 hex digits, the SHA-256 of the document")
		return sum
	}
	return [32]byte(raw)
}

func (f *networkFile) network(k *charterChecker) (n CharterNetwork) {
	switch f.Base {
	case "regtest":
		n.Base = BaseRegtest
		f.only(k)
	case "signet":
		f.signet(k, &n)
	case "custom":
		n.Base = BaseCustom
		f.only(k, "custom")
		n.Custom = f.custom(k)
	default:
		k.wrong(fmt.Sprintf("network: base %.20q", f.Base), `must be "regtest", "signet" or "custom"`)
		n.Base = BaseRegtest // so that the rest can be checked
	}
	return n
}

// only refuses keys that belong to another base than the named groups.
func (f *networkFile) only(k *charterChecker, groups ...string) {
	signet := f.Mode != "" || f.Form != "" || f.SealQuorum != nil || f.Sealers != nil
	custom := f.Magic != "" || f.HRP != "" || f.PowLimitBits != "" || f.GenesisMessage != "" || f.NoRetargeting
	for _, p := range f.customNumbers() {
		custom = custom || p != nil
	}
	if signet && !slices.Contains(groups, "signet") {
		k.wrong("network", "mode, form, seal_quorum and sealers belong to base \"signet\": remove them")
	}
	if custom && !slices.Contains(groups, "custom") {
		k.wrong("network", "magic, prefixes, spacing and genesis belong to base \"custom\": remove them")
	}
}

func (f *networkFile) customNumbers() []*int64 {
	return []*int64{
		f.PubKeyHashPrefix, f.ScriptHashPrefix, f.PrivateKeyPrefix, f.SpacingSeconds,
		f.RetargetBlocks, f.HalvingBlocks, f.GenesisTime, f.GenesisNonce,
	}
}

func (f *networkFile) signet(k *charterChecker, n *CharterNetwork) {
	f.only(k, "signet")
	n.Base = BaseSignetOpen
	switch f.Mode {
	case "open":
		if f.SealQuorum != nil || f.Sealers != nil || f.Form != "" {
			k.wrong("network", `form, seal_quorum and sealers belong to mode "sealed": remove them`)
		}
		return
	case "sealed":
	default:
		k.wrong(fmt.Sprintf("network: mode %.20q", f.Mode), `must be "open" (work alone) or "sealed" (sealers sign every block)`)
		return
	}
	n.Base = BaseSignetHashed
	if f.Form == "bare" {
		n.Base = BaseSignetBare
	} else if f.Form != "p2wsh" {
		k.wrong(fmt.Sprintf("network: form %.20q", f.Form), `must be "bare" or "p2wsh", the form of the challenge script`)
	}
	n.Sealed.Required = int(k.number("network: seal_quorum", f.SealQuorum, 1, MaxSealers, "sealers"))
	for i, text := range f.Sealers {
		key, err := hex.DecodeString(text)
		if err != nil {
			k.wrong(fmt.Sprintf("network: sealers[%d]", i), "is not hex: give the 66 hex digits of a compressed public key")
		}
		n.Sealed.Keys = append(n.Sealed.Keys, key)
	}
}

func (f *networkFile) custom(k *charterChecker) (n CustomNetwork) {
	magic, err := hex.DecodeString(f.Magic)
	if err != nil || len(magic) != 4 {
		k.wrong(fmt.Sprintf("network: magic %.20q", f.Magic), "must be 8 hex digits")
	} else {
		n.Magic = [4]byte(magic)
	}
	limit, err := strconv.ParseUint(f.PowLimitBits, 16, 32)
	if err != nil || len(f.PowLimitBits) != 8 {
		k.wrong(fmt.Sprintf("network: pow_limit_bits %.20q", f.PowLimitBits), `must be 8 hex digits, such as "1d00ffff"`)
	}
	n.HRP, n.GenesisMessage, n.NoRetargeting, n.PowLimitBits = f.HRP, f.GenesisMessage, f.NoRetargeting, uint32(limit)
	n.PubKeyHashPrefix = uint8(k.number("network: pubkey_hash_prefix", f.PubKeyHashPrefix, 0, 255))
	n.ScriptHashPrefix = uint8(k.number("network: script_hash_prefix", f.ScriptHashPrefix, 0, 255))
	n.PrivateKeyPrefix = uint8(k.number("network: private_key_prefix", f.PrivateKeyPrefix, 0, 255))
	n.SpacingSeconds = uint32(k.number("network: spacing_seconds", f.SpacingSeconds, 1, 86_400, "seconds"))
	n.RetargetBlocks = uint32(k.number("network: retarget_blocks", f.RetargetBlocks, 2, 100_000, "blocks"))
	n.HalvingBlocks = uint32(k.number("network: halving_blocks", f.HalvingBlocks, 1, 210_000, "blocks"))
	n.GenesisTime = uint32(k.number("network: genesis_time", f.GenesisTime, 1_231_006_505, 1<<32-1, "Unix seconds"))
	n.GenesisNonce = uint32(k.number("network: genesis_nonce", f.GenesisNonce, 0, 1<<32-1))
	return n
}

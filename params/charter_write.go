package params

import (
	"bytes"
	"fmt"
	"strings"

	"granary/base/desc"
)

// TOML writes the charter as a commented file that ParseCharter reads back to
// the same id. Scripts are written as addresses where they have one.
func (c *Charter) TOML() []byte {
	var w bytes.Buffer
	fmt.Fprintf(&w, "%s\nrules = %d\nname = %s\nticker = %s\n", charterHead, c.Rules, quote(c.Name), quote(c.Ticker))
	fmt.Fprintf(&w, "decimals = %d # digits after the point when an amount is shown\n", c.Decimals)
	c.writeNetwork(&w)
	c.writeParameters(&w)
	w.WriteString(goodsHead)
	for i := range c.Goods {
		g := &c.Goods[i]
		fmt.Fprintf(&w, "\n[[goods]]\ncode = %s\nname = %s\nmeasure = %s\n", quote(g.Code), quote(g.Name), quote(g.Measure))
		fmt.Fprintf(&w, "par_num = %d\npar_den = %d\nhaircut_bp = %d\nmax_age_blocks = %d\n", g.ParNum, g.ParDen, g.HaircutBP, g.MaxAgeBlocks)
		fmt.Fprintf(&w, "min_receipt = %d\nmin_redemption = %d\n", g.MinReceipt, g.MinRedemption)
	}
	c.writeMembers(&w)
	w.WriteString("\n# Registries of lot serial numbers.\n")
	for _, name := range c.Registries {
		fmt.Fprintf(&w, "[[registries]]\nname = %s\n", quote(name))
	}
	fmt.Fprintf(&w, "\n# SHA-256 of the documents that courts would read.\n[legal]\nterms_sha256 = \"%x\"\njurisdiction_sha256 = \"%x\"\n",
		c.TermsHash, c.JurisdictionHash)
	return w.Bytes()
}

const charterHead = `# The charter: the constitution of one chain. Its canonical bytes hash to the
# charter id, which stands in the treasury script of every coinbase; nothing
# in it changes later but what [bounds] allows the council to amend.
`

const goodsHead = `
# Goods. One measure is worth par_num/par_den units of coin. A receipt releases
# (10000 - haircut_bp)/10000 of its value; an attestation of it lasts
# max_age_blocks. Quantities are whole measures.
`

func (c *Charter) writeNetwork(w *bytes.Buffer) {
	w.WriteString(`
# base is "regtest" (for trying out), "signet" with mode = "open" (work alone)
# or mode = "sealed" (form = "p2wsh" or "bare", seal_quorum of sealers sign
# every block and can never rotate), or "custom" (a network of its own).
[network]
`)
	switch c.Base.Base {
	case BaseSignetOpen:
		w.WriteString("base = \"signet\"\nmode = \"open\"\n")
	case BaseSignetBare, BaseSignetHashed:
		form := "p2wsh"
		if c.Base.Base == BaseSignetBare {
			form = "bare"
		}
		fmt.Fprintf(w, "base = \"signet\"\nmode = \"sealed\"\nform = %q\nseal_quorum = %d\nsealers = [\n", form, c.Base.Sealed.Required)
		for _, key := range c.Base.Sealed.Keys {
			fmt.Fprintf(w, "  \"%x\",\n", key)
		}
		w.WriteString("]\n")
	case BaseCustom:
		c.Base.Custom.write(w)
	default:
		w.WriteString("base = \"regtest\"\n")
	}
}

func (n *CustomNetwork) write(w *bytes.Buffer) {
	fmt.Fprintf(w, "base = \"custom\"\nmagic = \"%x\"\nhrp = %s\n", n.Magic, quote(n.HRP))
	fmt.Fprintf(w, "pubkey_hash_prefix = %d\nscript_hash_prefix = %d\nprivate_key_prefix = %d\n",
		n.PubKeyHashPrefix, n.ScriptHashPrefix, n.PrivateKeyPrefix)
	fmt.Fprintf(w, "spacing_seconds = %d\nretarget_blocks = %d\nhalving_blocks = %d\n", n.SpacingSeconds, n.RetargetBlocks, n.HalvingBlocks)
	fmt.Fprintf(w, "pow_limit_bits = \"%08x\"\nno_retargeting = %t\n", n.PowLimitBits, n.NoRetargeting)
	fmt.Fprintf(w, "genesis_time = %d\ngenesis_nonce = %d\ngenesis_message = %s\n", n.GenesisTime, n.GenesisNonce, quote(n.GenesisMessage))
}

func (c *Charter) writeParameters(w *bytes.Buffer) {
	w.WriteString("\n# bp is basis points, 1/10000; a unit is the smallest amount of coin.\n[parameters]\n")
	values, lows, highs := c.Parameters.Values(), c.Low.Values(), c.High.Values()
	for i, rule := range ParameterRules {
		fmt.Fprintf(w, "%s = %d # %d to %d\n", rule.Name, *values[i], rule.Low, rule.High)
	}
	w.WriteString("\n# What the council may amend, and how far. A parameter that is not here can\n# never change.\n[bounds]\n")
	for i, rule := range ParameterRules {
		if *lows[i] != *highs[i] {
			fmt.Fprintf(w, "%s = [%d, %d]\n", rule.Name, *lows[i], *highs[i])
		}
	}
}

func (c *Charter) writeMembers(w *bytes.Buffer) {
	w.WriteString("\n# Seats. Each script is an address or a descriptor whose keys nobody else has:\n# whoever can spend it acts for the seat.\n")
	for i := range c.Custodians {
		m := &c.Custodians[i]
		fmt.Fprintf(w, "[[custodians]]\nname = %s\nscript = %s\n", quote(m.Name), quote(c.scriptText(m.Script)))
		w.WriteString("goods = [\n")
		for _, a := range m.Allowances {
			fmt.Fprintf(w, "  { good = %s, limit = %d },\n", quote(c.Goods[a.Good].Code), a.Limit)
		}
		w.WriteString("]\n\n")
	}
	for i := range c.Auditors {
		fmt.Fprintf(w, "[[auditors]]\nname = %s\nscript = %s\n\n", quote(c.Auditors[i].Name), quote(c.scriptText(c.Auditors[i].Script)))
	}
	fmt.Fprintf(w, "[council]\nname = %s\nscript = %s\n", quote(c.Council.Name), quote(c.scriptText(c.Council.Script)))
}

// scriptText is the address of a script, or raw(hex) where it has none.
func (c *Charter) scriptText(script []byte) string {
	if text, ok := desc.ScriptAddress(script, c.Base.chainParams()); ok {
		return text
	}
	return fmt.Sprintf("raw(%x)", script)
}

// quote writes a TOML basic string. Checked names hold no control characters.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

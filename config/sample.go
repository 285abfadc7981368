package config

import (
	"fmt"
	"strings"
)

// Sample is a configuration file with every option that a file may hold,
// commented out, at its default.
func Sample() string {
	var b strings.Builder
	b.WriteString("# granary.conf: configuration of granary. Every line below is commented out and\n" +
		"# shows the default. Options above the first [section] hold for every network,\n" +
		"# those under [main], [testnet4], [signet], [regtest] or [custom] for that one.\n" +
		"# Flags (--rpcport=8332) override the environment (GRANARY_RPCPORT=8332), which\n" +
		"# overrides this file.\n")
	for _, group := range Groups {
		fmt.Fprintf(&b, "\n## %s\n", group)
		for _, option := range Table() {
			if option.Group == group && !option.flagOnly {
				writeSample(&b, &option)
			}
		}
	}
	b.WriteString("\n# Options for one network stand below its name:\n# [regtest]\n# rpcport=18443\n")
	return b.String()
}

func writeSample(b *strings.Builder, o *Option) {
	fmt.Fprintf(b, "\n# %s.", o.Help)
	if o.Multiple() {
		b.WriteString(" May be given several times.")
	}
	if o.perNetwork {
		b.WriteString(" Above the sections: mainnet only.")
	}
	if example := o.Arg; o.Switch() || isPlainDefault(o) {
		fmt.Fprintf(b, "\n#%s=%s\n", o.Name, o.Default)
	} else {
		fmt.Fprintf(b, " Default: %s.\n#%s=<%s>\n", o.Default, o.Name, strings.ToLower(example))
	}
}

// isPlainDefault tells whether the default is itself a value.
func isPlainDefault(o *Option) bool {
	scratch := defaults()
	return o.kind != kindList && !strings.ContainsAny(o.Default, " ") && o.Default != "none" && o.set(&scratch, o.Default) == nil
}

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// CoreFileName is the configuration file of Core mode.
const CoreFileName = "bitcoin.conf"

// corePIDFile is where Core mode writes its process id.
const corePIDFile = "bitcoind.pid"

// CoreRun is what a command line in Bitcoin Core's dialect asks for: a Config
// to run with, or one of the two words that only print.
type CoreRun struct {
	Config        *Config
	Help, Version bool
}

// LoadCore reads a command line as bitcoind reads it: options behind one dash
// or two, -nofoo for -foo=0, bitcoin.conf in the data directory with Bitcoin
// Core's precedence (the last word of the command line, the first of the file;
// the network's section before the top). Options of Core's that this node has
// no use for are accepted, and named in Config.Warnings; others are refused in
// Core's words. The page is off unless web=1 is given.
func LoadCore(args []string) (*CoreRun, error) {
	c := &coreSettings{table: tableByName()}
	if err := c.readArgs(args); err != nil {
		return nil, inCore("Error parsing command line arguments: %v", err)
	}
	switch {
	case c.has("?"), c.has("h"), c.has("help"):
		return &CoreRun{Help: true}, nil
	case c.has("version"):
		return &CoreRun{Version: true}, nil
	}
	settings := defaults()
	settings.Web, settings.PIDFile, settings.LikeCore = false, corePIDFile, true
	path, err := c.readFiles(&settings)
	if err != nil {
		return nil, err
	}
	if err := c.applyTo(&settings); err != nil {
		return nil, err
	}
	config, err := resolve(settings, path)
	if err != nil {
		return nil, err
	}
	config.Warnings = append(c.warnings, c.withoutEffect()...)
	return &CoreRun{Config: config}, nil
}

// coreError is an error in Bitcoin Core's own words, which scripts compare.
type coreError string

func (e coreError) Error() string { return string(e) }

func inCore(format string, args ...any) error { return coreError(fmt.Sprintf(format, args...)) }

// coreSettings are the values as they were given, by where they stood.
type coreSettings struct {
	table    map[string]*Option
	args     []coreValue
	file     map[string][]coreValue // by section, "" for the top
	network  string                 // Core's section name, once it is known
	warnings []string
}

// coreValue is one option as it was written.
type coreValue struct {
	section, name, value string
	negated              bool
}

func (c *coreSettings) has(name string) bool {
	return slices.ContainsFunc(c.args, func(v coreValue) bool { return v.name == name && !v.negated })
}

// readArgs takes the command line apart. The first word without a dash is
// refused, as Core does.
func (c *coreSettings) readArgs(args []string) error {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return inCore("Command line contains unexpected token '%s', see bitcoind -h for a list of options.", arg)
		}
		key, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		v := readCoreValue(key, value)
		if !c.known(v.name) {
			return inCore("Invalid parameter %s", arg)
		}
		if v.name == "includeconf" && !v.negated {
			return fmt.Errorf("-includeconf cannot be used from commandline; %s", arg)
		}
		c.args = append(c.args, v)
	}
	return nil
}

// readCoreValue reads a key with its section, its "no" and its value.
func readCoreValue(key, value string) coreValue {
	v := coreValue{name: key, value: value}
	if section, name, ok := strings.Cut(key, "."); ok {
		v.section, v.name = section, name
	}
	if rest, no := strings.CutPrefix(v.name, "no"); no && rest != "" {
		v.name = rest
		v.negated = coreBool(value)
		v.value = "1" // a double negative
		if v.negated {
			v.value = "0"
		}
	}
	return v
}

// coreBool reads a switch as Core does: a bare name and every number but 0 is
// on, words are off.
func coreBool(value string) bool {
	if value == "" {
		return true
	}
	digits := strings.TrimLeft(value, "+-")
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(digits[:end])
	return n != 0
}

// known reports whether Core or this node has the option.
func (c *coreSettings) known(name string) bool {
	return c.table[name] != nil || coreSpecial[name] || coreIgnored[name]
}

// values gives what was said of an option, the most important first.
func (c *coreSettings) values(name string) []coreValue {
	var all []coreValue
	collect := func(from []coreValue, lastWins bool) (stop bool) {
		var here []coreValue
		for _, v := range from {
			switch {
			case v.name != name || (v.section != "" && v.section != c.network):
			case v.negated:
				here, stop = []coreValue{v}, true // forgets what stood before
			default:
				here = append(here, v)
			}
		}
		if lastWins && !c.multiple(name) {
			slices.Reverse(here)
		}
		all = append(all, here...)
		return stop
	}
	if collect(c.args, true) || collect(c.file[c.network], false) {
		return all
	}
	option := c.table[name]
	perNetwork := option != nil && option.perNetwork || coreNetworkOnly[name]
	if perNetwork && c.network != "main" {
		if slices.ContainsFunc(c.file[""], func(v coreValue) bool { return v.name == name }) {
			c.warn(fmt.Sprintf("Config setting for -%s only applied on %s network when in [%s] section.", name, c.network, c.network))
		}
		return all
	}
	collect(c.file[""], false)
	return all
}

func (c *coreSettings) warn(line string) {
	if !slices.Contains(c.warnings, line) {
		c.warnings = append(c.warnings, line)
	}
}

func (c *coreSettings) multiple(name string) bool {
	option := c.table[name]
	return option != nil && option.Multiple() || name == "debug" || name == "loglevel" || name == "includeconf"
}

// one gives the value that counts, ok false where the option was not given.
func (c *coreSettings) one(name string) (value string, ok bool) {
	values := c.values(name)
	if len(values) == 0 {
		return "", false
	}
	return values[0].value, true
}

// readFiles finds data directory, configuration file and network.
func (c *coreSettings) readFiles(settings *Settings) (path string, err error) {
	dir, given := c.one("datadir")
	if !given {
		dir = DefaultDataDir()
	}
	confName, named := c.one("conf")
	if !named {
		confName = CoreFileName
	}
	path = under(dir, confName)
	if given {
		if err := mustBeDir(dir); err != nil {
			return path, err
		}
	}
	if confName == "0" && named {
		path = ""
	} else if err := c.readFile(path, named); err != nil {
		return path, err
	}
	if err := c.chooseNetwork(settings); err != nil {
		return path, err
	}
	if fromFile, ok := c.one("datadir"); ok {
		dir = fromFile
		if err := mustBeDir(dir); err != nil {
			return path, err
		}
	}
	if settings.DataDir, err = filepath.Abs(dir); err != nil {
		return path, fmt.Errorf("the data directory %s cannot be used: %w", dir, err)
	}
	return path, c.readIncluded(settings.DataDir)
}

func mustBeDir(dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return inCore("Specified data directory \"%s\" does not exist.", dir)
	}
	return nil
}

// readFile reads one configuration file, which may be absent unless it was
// named.
func (c *coreSettings) readFile(path string, mustExist bool) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && !mustExist {
		return nil
	}
	if err == nil && info.IsDir() {
		return inCore("Config file \"%s\" is a directory.", path)
	}
	if err == nil && info.Size() > MaxFileBytes {
		err = fmt.Errorf("larger than %d bytes", MaxFileBytes)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return inCore("Error reading configuration file: specified config file \"%s\" could not be opened.", path)
	}
	if err := c.parse(string(text)); err != nil {
		return inCore("Error reading configuration file: %v", err)
	}
	return nil
}

// readIncluded reads the files that includeconf names; an included file cannot
// include another.
func (c *coreSettings) readIncluded(dir string) error {
	if slices.ContainsFunc(c.args, func(v coreValue) bool { return v.name == "includeconf" && v.negated }) {
		return nil
	}
	for _, v := range c.values("includeconf") {
		if v.negated {
			continue
		}
		if err := c.readFile(under(dir, v.value), true); err != nil {
			return inCore("Failed to include configuration file %s: %v", v.value, err)
		}
	}
	return nil
}

// parse reads the text of a file into c.file, in Core's grammar.
func (c *coreSettings) parse(text string) error {
	if c.file == nil {
		c.file = make(map[string][]coreValue)
	}
	section := ""
	for i, line := range strings.Split(text, "\n") {
		line, _, comment := strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			continue
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
			if !slices.Contains(coreSections, section) {
				c.warn(fmt.Sprintf("Section [%s] is not recognized.", section))
			}
			continue
		case line[0] == '-':
			return fmt.Errorf("parse error on line %d: %s, options in configuration file must be specified without leading -", i+1, line)
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			hint := ""
			if strings.HasPrefix(line, "no") {
				hint = fmt.Sprintf(", if you intended to specify a negated option, use %s=1 instead", line)
			}
			return fmt.Errorf("parse error on line %d: %s%s", i+1, line, hint)
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if comment && strings.HasSuffix(key, "rpcpassword") {
			return fmt.Errorf("parse error on line %d, using # in rpcpassword can be ambiguous and should be avoided", i+1)
		}
		c.keep(section, readCoreValue(key, value))
	}
	return nil
}

// keep files a value under its section.
func (c *coreSettings) keep(section string, v coreValue) {
	if v.section != "" {
		section, v.section = v.section, ""
	}
	switch {
	case v.name == "conf":
		c.warn("conf cannot be set in the configuration file; use includeconf=")
	case !c.known(v.name):
		c.warn("Ignoring unknown configuration value " + v.name)
	default:
		c.file[section] = append(c.file[section], v)
	}
}

// coreSections are Core's names of the networks.
var coreSections = []string{"main", "test", "testnet4", "signet", "regtest"}

// chooseNetwork finds the one network that was named.
func (c *coreSettings) chooseNetwork(settings *Settings) error {
	c.network = "" // options that name the network stand at the top
	chosen := []string{}
	for _, name := range []string{"regtest", "signet", "testnet", "testnet4"} {
		if value, ok := c.topOne(name); ok && coreBool(value) {
			chosen = append(chosen, name)
		}
	}
	if value, ok := c.topOne("chain"); ok {
		chosen = append(chosen, value)
	}
	switch {
	case len(chosen) > 1:
		return inCore("Invalid combination of -regtest, -signet, -testnet, -testnet4 and -chain. Can use at most one.")
	case len(chosen) == 0:
		chosen = []string{"main"}
	}
	switch chosen[0] {
	case "testnet", "test", "testnet3":
		return errors.New("testnet3 is not served here: use -testnet4, -signet or -regtest")
	case "main", "testnet4", "signet", "regtest":
	default:
		return inCore("Unknown chain %s.", chosen[0])
	}
	c.network = chosen[0]
	settings.SetNetwork(chosen[0])
	return nil
}

// topOne is one for an option that the sections cannot set.
func (c *coreSettings) topOne(name string) (string, bool) {
	for _, v := range slices.Backward(c.args) {
		if v.name == name {
			return v.value, true
		}
	}
	for _, v := range c.file[""] {
		if v.name == name {
			return v.value, true
		}
	}
	return "", false
}

package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// EnvPrefix stands before the upper-case name of an option in the environment.
const EnvPrefix = "GRANARY_"

// FileName is the configuration file's name in the data directory.
const FileName = "granary.conf"

// MaxFileBytes bounds the configuration file.
const MaxFileBytes = 1 << 20

// AddFlags defines a flag for every option of the table. Values are read back
// by Load.
func AddFlags(flags *pflag.FlagSet) {
	for _, option := range Table() {
		value := &flagValue{option: option}
		flag := flags.VarPF(value, option.Name, "", usage(&option))
		if option.Switch() {
			flag.NoOptDefVal = "true"
		}
	}
}

func usage(o *Option) string {
	help := o.Help
	if o.Multiple() {
		help += "; may be given several times"
	}
	return help + " (default " + o.Default + ")"
}

// flagValue keeps what the person gave; nothing is applied before the file.
type flagValue struct {
	option Option
	given  []string
}

func (v *flagValue) String() string { return strings.Join(v.given, ",") }

func (v *flagValue) Set(value string) error {
	scratch := defaults()
	if err := v.option.set(&scratch, value); err != nil {
		return err
	}
	v.given = append(v.given, value)
	return nil
}

func (v *flagValue) Type() string {
	if v.option.Switch() {
		return "bool" // the word by which pflag knows a switch
	}
	return v.option.Arg
}

// Load reads the file, the environment and the flags (made by AddFlags, nil
// for none) and gives the checked result. environ is as os.Environ gives it.
// Every error is one line that says what to change.
func Load(flags *pflag.FlagSet, environ []string) (*Config, error) {
	return LoadWith(flags, environ, nil)
}

// LoadWith is Load with a last word of the subcommand: fix sees the settings
// after all sources were read, and may change them.
func LoadWith(flags *pflag.FlagSet, environ []string, fix func(*Settings) error) (*Config, error) {
	table := tableByName()
	outer, err := fromOutside(table, flags, environ)
	if err != nil {
		return nil, err
	}
	// The file's place and the network must be known before the file's
	// section can be applied, so the outer sources are read twice.
	first := defaults()
	if err := outer.apply(&first); err != nil {
		return nil, err
	}
	confPath := confPath(&first)
	file, err := readFile(table, confPath, first.ConfFile != "")
	if err != nil {
		return nil, err
	}
	settings := defaults()
	network, err := networkWith(file, &first)
	if err != nil {
		return nil, err
	}
	warnings, err := file.apply(&settings, network)
	if err != nil {
		return nil, err
	}
	if len(first.networks) > 0 {
		settings.networks = nil // the outer choice replaces the file's
	}
	if err := outer.apply(&settings); err != nil {
		return nil, err
	}
	if settings.DataDir == "" {
		settings.DataDir = DefaultDataDir()
	}
	if fix != nil {
		if err := fix(&settings); err != nil {
			return nil, err
		}
	}
	config, err := resolve(settings, confPath)
	if err != nil {
		return nil, err
	}
	config.Warnings = warnings
	return config, nil
}

func tableByName() map[string]*Option {
	byName := make(map[string]*Option)
	for _, option := range Table() {
		byName[option.Name] = &option
	}
	return byName
}

// given is one value with the place it came from.
type given struct {
	option *Option
	value  string
	where  string // "--rpcport", "GRANARY_RPCPORT" or "file:line"
}

func (g *given) apply(s *Settings) error {
	if err := g.option.set(s, g.value); err != nil {
		return fmt.Errorf("%s: %s %w", g.where, g.option.Name, err)
	}
	return nil
}

type givens []given

func (all givens) apply(s *Settings) error {
	for i := range all {
		if err := all[i].apply(s); err != nil {
			return err
		}
	}
	return nil
}

// fromOutside collects environment and flags, in this order. A network named
// by a flag replaces one named by the environment.
func fromOutside(table map[string]*Option, flags *pflag.FlagSet, environ []string) (givens, error) {
	var env, fromFlags givens
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, EnvPrefix)
		if !ours {
			continue
		}
		option := table[strings.ToLower(rest)]
		if option == nil || rest != strings.ToUpper(rest) {
			if rest == "LONG" || rest == "REQUIRE_BROWSER" || strings.HasPrefix(rest, "SCREENSHOTS") {
				continue // the project's own tests read these
			}
			return nil, fmt.Errorf("unknown option %s in the environment: see granary node --help", name)
		}
		env = append(env, given{option, value, name})
	}
	namesNetwork := false
	if flags != nil {
		flags.VisitAll(func(flag *pflag.Flag) {
			value, ok := flag.Value.(*flagValue)
			if !ok {
				return
			}
			for _, text := range value.given {
				fromFlags = append(fromFlags, given{&value.option, text, "--" + flag.Name})
				namesNetwork = namesNetwork || isNetwork(flag.Name)
			}
		})
	}
	if namesNetwork {
		kept := env[:0]
		for _, g := range env {
			if !isNetwork(g.option.Name) {
				kept = append(kept, g)
			}
		}
		env = kept
	}
	return append(env, fromFlags...), nil
}

func isNetwork(name string) bool {
	return name == "network" || name == "testnet4" || name == "signet" || name == "regtest"
}

func confPath(s *Settings) string {
	dir := s.DataDir
	if dir == "" {
		dir = DefaultDataDir()
	}
	if s.ConfFile == "" {
		return filepath.Join(dir, FileName)
	}
	return under(dir, s.ConfFile)
}

// confFile is a parsed configuration file: the top, and a part per network.
type confFile struct {
	path     string
	top      givens
	sections map[string]givens
}

var sectionNames = map[string]string{
	"main": "mainnet", "mainnet": "mainnet", "testnet4": "testnet4", "signet": "signet",
	"regtest": "regtest", "custom": "custom",
}

func readFile(table map[string]*Option, path string, mustExist bool) (*confFile, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && !mustExist {
		return &confFile{path: path}, nil
	}
	if err == nil && info.Size() > MaxFileBytes {
		err = fmt.Errorf("larger than %d bytes", MaxFileBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration file: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration file: %w", err)
	}
	return parseFile(table, path, text)
}

func parseFile(table map[string]*Option, path string, text []byte) (*confFile, error) {
	file := &confFile{path: path, sections: make(map[string]givens)}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s: not UTF-8 text", path)
	}
	section := ""
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, MaxFileBytes)
	for number := 1; scanner.Scan(); number++ {
		where := fmt.Sprintf("%s:%d", path, number)
		line, _, _ := strings.Cut(scanner.Text(), "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if strings.HasPrefix(line, "[") {
			name, known := sectionNames[strings.TrimSpace(strings.Trim(line, "[]"))]
			if !known || !strings.HasSuffix(line, "]") {
				return nil, fmt.Errorf("%s: unknown section %s: use [main], [testnet4], [signet], [regtest] or [custom]", where, line)
			}
			section = name
			continue
		}
		g, err := parseLine(table, where, line, section)
		if err != nil {
			return nil, err
		}
		if section == "" {
			file.top = append(file.top, *g)
		} else {
			file.sections[section] = append(file.sections[section], *g)
		}
	}
	return file, scanner.Err()
}

func parseLine(table map[string]*Option, where, line, section string) (*given, error) {
	key, value, hasValue := strings.Cut(line, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !hasValue {
		return nil, fmt.Errorf("%s: %q is not of the form key=value", where, line)
	}
	option := table[key]
	if option == nil {
		if positive := table[strings.TrimPrefix(key, "no")]; positive != nil && positive.Switch() && key != positive.Name {
			off, err := parseBool(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %s %w", where, key, err)
			}
			option, value = positive, "0"
			if !off {
				value = "1"
			}
		}
	}
	switch {
	case option == nil:
		return nil, fmt.Errorf("%s: unknown key %q: granary config prints all of them", where, key)
	case option.flagOnly:
		return nil, fmt.Errorf("%s: %s works as a flag or in the environment only", where, key)
	case option.topOnly && section != "":
		return nil, fmt.Errorf("%s: %s must stand above the sections", where, key)
	}
	g := &given{option, value, where}
	scratch := defaults()
	return g, g.apply(&scratch)
}

// networkWith tells which section holds: the network that the outer sources
// name, or their charter, or the file's top.
func networkWith(file *confFile, outer *Settings) (string, error) {
	probe := *outer
	if len(probe.networks) == 0 {
		scratch := defaults()
		if err := file.top.apply(&scratch); err != nil {
			return "", err
		}
		probe.networks = scratch.networks
		if probe.CharterFile == "" {
			probe.CharterFile = scratch.CharterFile
		}
	}
	if len(probe.networks) > 0 || probe.CharterFile == "" {
		return oneNetwork(probe.networks)
	}
	c := &Config{Settings: probe}
	c.SignetChallenge = ""
	if err := c.resolveNetwork(); err != nil {
		return "", err
	}
	return c.Net.Name, nil
}

// apply sets the top of the file and the network's section.
func (f *confFile) apply(s *Settings, network string) (warnings []string, err error) {
	for i := range f.top {
		g := &f.top[i]
		if g.option.perNetwork && network != "mainnet" {
			warnings = append(warnings, fmt.Sprintf("%s: %s holds for mainnet only here: put it under [%s]", g.where, g.option.Name, network))
			continue
		}
		if err := g.apply(s); err != nil {
			return nil, err
		}
	}
	return warnings, f.sections[network].apply(s)
}

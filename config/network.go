package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/holiman/uint256"

	"granary/p2p"
	"granary/p2p/addr"
)

// P2P gives the network's Options. What they need of the command line was
// checked when it was read.
func (c *Config) P2P() p2p.Options {
	o := p2p.Options{
		Net: c.Net, Listen: c.listenAddresses(), Soft: !c.listenGiven && c.Settings.Port == 0 && len(c.Bind)+len(c.WhiteBind) == 0,
		AddNode: c.AddNode, SeedNode: c.SeedNode, MaxConnections: c.MaxConnections,
		Discover: c.Discover, DNS: c.DNS, V2: c.V2Transport, Inactive: !c.NetworkActive,
		DialTimeout:      time.Duration(c.TimeoutMs) * time.Millisecond,
		HandshakeTimeout: time.Duration(c.PeerTimeoutSeconds) * time.Second,
	}
	if len(c.Connect) > 0 {
		o.Connect = slices.DeleteFunc(slices.Clone(c.Connect), func(name string) bool { return name == "0" })
		o.Connect = append([]string{}, o.Connect...) // not nil: there was a word
	}
	for _, name := range c.OnlyNet {
		id, _ := addr.NetworkByName(name)
		o.OnlyNet |= addr.SetOf(id)
	}
	for _, text := range c.ExternalIP {
		if at, err := parseExternal(text); err == nil {
			o.ExternalIP = append(o.ExternalIP, at)
		}
	}
	for _, text := range c.Whitelist {
		if p, err := parseWhitelist(text); err == nil {
			if !strings.Contains(text, "@") {
				p.ForceRelay = c.WhitelistForceRelay
				p.SendTxs = c.WhitelistRelay || c.WhitelistForceRelay
			}
			o.Whitelist = append(o.Whitelist, p)
		}
	}
	return o
}

// listens tells whether peers may connect: not where connect names the only
// peers or there is no room, unless a person says so (Core's rule).
func (c *Config) listens() bool {
	if c.listenGiven || len(c.Bind)+len(c.WhiteBind) > 0 {
		return c.Listen
	}
	return c.Listen && len(c.Connect) == 0 && c.MaxConnections > 0
}

// listenAddresses are where peers may connect. Regtest is for this machine
// unless a person says more.
func (c *Config) listenAddresses() (all []p2p.Bind) {
	if !c.listens() {
		return nil
	}
	port := c.Settings.Port
	if port == 0 {
		port = int(c.Net.P2PPort)
	}
	plain := c.Bind
	if len(plain)+len(c.WhiteBind) == 0 {
		plain = []string{"0.0.0.0", "::"}
		if c.Net.Name == "regtest" {
			plain = []string{"127.0.0.1", "::1"}
		}
	}
	for _, text := range plain {
		text, _, _ = strings.Cut(text, "=") // Core's mark of an address for its onion service
		all = append(all, p2p.Bind{Address: withPort([]string{text}, port)[0]})
	}
	for _, text := range c.WhiteBind {
		rights, rest, _ := splitRights(text)
		all = append(all, p2p.Bind{Address: withPort([]string{rest}, port)[0], Permissions: rights})
	}
	return all
}

// BanTime is how long a ban without a time lasts.
func (c *Config) BanTime() time.Duration { return time.Duration(c.BanTimeSeconds) * time.Second }

// MaxTipAge is the age of the tip from which the node counts as catching up.
func (c *Config) MaxTipAge() time.Duration { return time.Duration(c.MaxTipAgeSeconds) * time.Second }

// MinimumWork is the work of --minimumchainwork, zero where there is none.
func (c *Config) MinimumWork() uint256.Int {
	work, _ := parseWork(c.MinimumChainWork) // checked when it was read
	return work
}

func parseWork(text string) (work uint256.Int, err error) {
	digits := strings.TrimPrefix(text, "0x")
	if len(digits) > 64 {
		return work, fmt.Errorf("%q is longer than 64 hex digits", text)
	}
	raw, err := hex.DecodeString(strings.Repeat("0", len(digits)%2) + digits)
	if err != nil {
		return work, fmt.Errorf("%q is not hex", text)
	}
	work.SetBytes(raw)
	return work, nil
}

// UserAgent is the name that peers see: the program's with the person's
// remarks.
func (c *Config) UserAgent(base string) string {
	if len(c.UAComment) == 0 {
		return base
	}
	return strings.TrimSuffix(base, "/") + "(" + strings.Join(c.UAComment, "; ") + ")/"
}

func parseExternal(text string) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(ip, 0), nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return at, fmt.Errorf("%q is not an address", text)
	}
	return at, nil
}

func checkExternal(text string) error {
	_, err := parseExternal(text)
	return err
}

// rights are Core's words for what a peer may; those that mean nothing here are
// taken and forgotten.
var rights = map[string]func(*p2p.Permissions){
	"noban":      func(p *p2p.Permissions) { p.NoBan, p.Download = true, true },
	"download":   func(p *p2p.Permissions) { p.Download = true },
	"forcerelay": func(p *p2p.Permissions) { p.ForceRelay, p.SendTxs = true, true },
	"relay":      func(p *p2p.Permissions) { p.SendTxs = true },
	"mempool":    func(p *p2p.Permissions) { p.MemPool = true },
	"addr":       func(p *p2p.Permissions) { p.Addr = true },
	"all": func(p *p2p.Permissions) {
		p.NoBan, p.Download, p.ForceRelay, p.SendTxs, p.MemPool, p.Addr = true, true, true, true, true, true
	},
	"bloomfilter": func(*p2p.Permissions) {},
	"bf":          func(*p2p.Permissions) {},
	"in":          func(*p2p.Permissions) {},
	"out":         func(*p2p.Permissions) {},
}

// splitRights reads "right,right@rest"; without rights it is Core's usual set.
func splitRights(text string) (p p2p.Permissions, rest string, err error) {
	words, rest, named := strings.Cut(text, "@")
	if !named {
		words, rest = "noban,relay,mempool,download", text
	}
	for word := range strings.SplitSeq(words, ",") {
		if word == "" {
			continue
		}
		grant := rights[word]
		if grant == nil {
			return p, "", inCore("Invalid P2P permission: '%s'", word)
		}
		grant(&p)
	}
	if rest == "" {
		return p, "", errors.New("needs an address behind the rights")
	}
	return p, rest, nil
}

func parseWhitelist(text string) (p2p.Permissions, error) {
	p, rest, err := splitRights(text)
	if err != nil {
		return p, err
	}
	if p.Net, err = addr.ParseBlock(rest); err != nil {
		return p, inCore("Invalid netmask specified in -whitelist: '%s'", text)
	}
	return p, nil
}

func checkRights(text string) error {
	_, err := parseWhitelist(text)
	return err
}

package config

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"granary/p2p/addr"
	"granary/p2p/message"
)

// TestWhereANodeListens is Bitcoin Core's rule, with regtest kept to the
// machine.
func TestWhereANodeListens(t *testing.T) {
	for args, want := range map[string]string{
		"":                                      "0.0.0.0:8333 [::]:8333",
		"--regtest":                             "127.0.0.1:18444 [::1]:18444",
		"--regtest --port=7":                    "127.0.0.1:7 [::1]:7",
		"--signet":                              "0.0.0.0:38333 [::]:38333",
		"--listen=0":                            "",
		"--connect=1.2.3.4":                     "",
		"--connect=0":                           "",
		"--connect=1.2.3.4 --listen":            "0.0.0.0:8333 [::]:8333",
		"--maxconnections=0":                    "",
		"--bind=1.2.3.4":                        "1.2.3.4:8333",
		"--bind=1.2.3.4 --connect=5.6.7.8":      "1.2.3.4:8333",
		"--bind=1.2.3.4:9 --bind=::1":           "1.2.3.4:9 [::1]:8333",
		"--bind=127.0.0.1:9=onion":              "127.0.0.1:9",
		"--regtest --whitebind=noban@1.2.3.4:5": "1.2.3.4:5",
	} {
		c := mustRead(t, "", nil, strings.Fields(args)...)
		var got []string
		for _, bind := range c.P2P().Listen {
			got = append(got, bind.Address)
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("%q listens on %q, want %q", args, all, want)
		}
	}
}

func TestDefaultAddressesAreDoneWithout(t *testing.T) {
	for args, want := range map[string]bool{"": true, "--listen": false, "--port=7": false, "--bind=1.2.3.4": false} {
		if got := mustRead(t, "", nil, strings.Fields(args)...).P2P().Soft; got != want {
			t.Errorf("%q: soft %v", args, got)
		}
	}
}

func TestConnectNamesTheOnlyPeers(t *testing.T) {
	if o := mustRead(t, "", nil).P2P(); o.Connect != nil {
		t.Errorf("without connect: %v", o.Connect)
	}
	if o := mustRead(t, "", nil, "--connect=0").P2P(); o.Connect == nil || len(o.Connect) != 0 {
		t.Errorf("connect=0: %v", o.Connect)
	}
	if o := mustRead(t, "", nil, "--connect=a", "--connect=b:1").P2P(); strings.Join(o.Connect, " ") != "a b:1" {
		t.Errorf("connect twice: %v", o.Connect)
	}
}

func TestRightsAndNetworks(t *testing.T) {
	o := mustRead(t, "", nil, "--whitelist=download@1.2.3.0/24", "--whitelist=9.9.9.9", "--onlynet=ipv6", "--onlynet=cjdns", "--externalip=8.8.8.8", "--externalip=[2a00::1]:5").P2P()
	if len(o.Whitelist) != 2 || o.Whitelist[0].NoBan || !o.Whitelist[0].Download || !o.Whitelist[1].NoBan || o.Whitelist[1].Net != netip.MustParsePrefix("9.9.9.9/32") {
		t.Errorf("rights: %+v", o.Whitelist)
	}
	if o.OnlyNet != addr.SetOf(message.IPv6, message.CJDNS) {
		t.Errorf("networks: %b", o.OnlyNet)
	}
	if len(o.ExternalIP) != 2 || o.ExternalIP[0].Port() != 0 || o.ExternalIP[1].Port() != 5 {
		t.Errorf("external: %v", o.ExternalIP)
	}
}

func TestNameWithRemarks(t *testing.T) {
	c := mustRead(t, "", nil, "--uacomment=testnode0", "--uacomment=x")
	if got := c.UserAgent("/Satoshi:28.1.0(granary:1)/"); got != "/Satoshi:28.1.0(granary:1)(testnode0; x)/" {
		t.Errorf("the name is %s", got)
	}
}

func TestAmounts(t *testing.T) {
	c := mustRead(t, "", nil, "--minrelaytxfee=0.00002", "--limitancestorsize=50", "--datacarriersize=40", "--maxuploadtarget=2G", "--mempoolexpiry=1")
	o := c.Mempool()
	if o.Policy.MinRelayUnitsPerKVB != 2000 || o.Policy.MaxAncestorVBytes != 50_000 || o.Policy.DataCarrierBytes != 40 || c.MaxUploadTargetBytes != 2<<30 {
		t.Errorf("policy %+v, upload %d", o.Policy, c.MaxUploadTargetBytes)
	}
	if c := mustRead(t, "", nil, "--maxuploadtarget=5"); c.MaxUploadTargetBytes != 5<<20 {
		t.Errorf("a plain number counts %d bytes", c.MaxUploadTargetBytes)
	}
	if o := mustRead(t, "", nil, "--datacarrier=0").Mempool(); o.Policy.DataCarrierBytes != 0 {
		t.Error("datacarrier=0 takes data")
	}
	work := mustRead(t, "", nil, "--minimumchainwork=0x0100").MinimumWork()
	if work.Uint64() != 256 {
		t.Errorf("work %v", &work)
	}
}

func TestNotifiersByTopic(t *testing.T) {
	c := mustRead(t, "", nil, "--zmqpubrawtx=tcp://127.0.0.1:1", "--zmqpubhashblock=tcp://127.0.0.1:1", "--zmqpubhashblock=tcp://127.0.0.1:2", "--zmqpubrawtxhwm=5")
	all := c.Notifiers()
	if len(all) != 3 || all[0].Topic != "hashblock" || all[2].Topic != "rawtx" || all[2].HighWater != 5 {
		t.Errorf("%+v", all)
	}
}

func TestNetworkRefusals(t *testing.T) {
	for arg, want := range map[string]string{
		"--addnode=a:b:c": "not of the form", "--connect=": "not of the form", "--onlynet=onion": "no proxies",
		"--whitelist=king@1.2.3.4": "Invalid P2P permission", "--whitelist=noban@x": "Invalid netmask", "--whitebind=noban@127.0.0.1": "Need to specify a port", "--whitebind=noban@127.0.0.1/10": "Cannot resolve -whitebind", "--externalip=x": "not an address",
		"--uacomment=a/b": "unsafe", "--maxuploadtarget=5x": "not a number of bytes", "--minrelaytxfee=-1": "Invalid amount",
		"--minrelaytxfee=0.000000001": "Invalid amount", "--minimumchainwork=xyz": "not hex", "--peerblockfilters": "without -blockfilterindex",
		"--acceptstalefeeestimates": "not supported on main", "--maxuploadtarget=99999999999999T": "not a number of bytes",
	} {
		_, err := read(t, "", nil, arg)
		if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
}

// TestCoreKnowsItsNetworkOptions: as Bitcoin Core's test framework gives them.
func TestCoreKnowsItsNetworkOptions(t *testing.T) {
	run, err := LoadCore([]string{
		"-regtest", "-datadir=" + t.TempDir(), "-port=12345", "-listen=0", "-noconnect", "-uacomment=testnode0",
		"-v2transport=0", "-peertimeout=7", "-mocktime=1700000000", "-maxtipage=60", "-networkactive=0", "-blocksonly",
		"-blockfilterindex=basic", "-peerblockfilters", "-whitelist=noban@127.0.0.1", "-zmqpubhashtx=tcp://127.0.0.1:1", "-rest",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := run.Config
	o := c.P2P()
	if c.Settings.Port != 12345 || len(o.Listen) != 0 || o.Connect == nil || len(o.Connect) != 0 || o.V2 || !o.Inactive || !c.BlocksOnly ||
		!c.BlockFilterIndex || !c.PeerBlockFilters || c.MockTime != 1_700_000_000 || !c.REST || len(c.Notifiers()) != 1 {
		t.Errorf("read %+v", c.Settings)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings: %q", c.Warnings)
	}
}

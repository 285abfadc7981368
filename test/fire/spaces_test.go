package fire

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"granary/test/fleet"
)

// spaces are network namespaces with one host each, on two bridges: hosts on
// different bridges do not see each other. A third bridge, which is never
// split, leads from every host to us.
type spaces struct {
	t    *testing.T
	tag  string // begins the names of all links, which have at most 15 letters
	size int
}

// made counts the networks of this process: links of one that was removed may
// linger while the next is made.
var made int

// newSpaces makes size hosts, all on the first bridge, or skips the test where
// that cannot be done.
func newSpaces(t *testing.T, size int) *spaces {
	t.Helper()
	made++
	s := &spaces{t: t, tag: fmt.Sprintf("f%d%c", os.Getpid()%100_000, 'a'+made%26), size: size}
	if err := exec.Command("ip", "netns", "add", s.space(0)).Run(); err != nil {
		const missing = "there are no network namespaces here (Linux, root and the package iproute2 are needed)"
		if os.Getenv("GRANARY_REQUIRE_NETNS") == "1" {
			t.Fatal(missing + ": " + err.Error())
		}
		t.Skip(missing)
	}
	t.Cleanup(s.remove)
	for i := 1; i < size; i++ {
		s.ip("netns", "add", s.space(i))
	}
	for _, bridge := range []string{s.bridge(0), s.bridge(1), s.bridge(2)} {
		s.ip("link", "add", bridge, "type", "bridge")
		s.ip("link", "set", bridge, "up")
	}
	s.ip("addr", "add", s.addr("78", 254)+"/24", "dev", s.bridge(2))
	for i := range size {
		s.host(i)
	}
	return s
}

func (s *spaces) space(i int) string  { return fmt.Sprintf("%ss%d", s.tag, i) }
func (s *spaces) bridge(i int) string { return fmt.Sprintf("%sb%d", s.tag, i) }

// addr is an address of a network of ours: 77 among the hosts, 78 to us. Tests
// that run side by side have networks of their own.
func (s *spaces) addr(network string, host int) string {
	return fmt.Sprintf("10.%s.%d.%d", network, os.Getpid()%250, host)
}

// cable is the outer end of host i's link: kind n to the others, m to us.
func (s *spaces) cable(i int, kind string) string { return fmt.Sprintf("%s%s%d", s.tag, kind, i) }

func (s *spaces) ip(words ...string) {
	s.t.Helper()
	if out, err := exec.Command("ip", words...).CombinedOutput(); err != nil {
		s.t.Fatalf("ip %s: %v %s", strings.Join(words, " "), err, out)
	}
}

// inside runs a command in the namespace of host i.
func (s *spaces) inside(i int, words ...string) {
	s.t.Helper()
	s.ip(append([]string{"netns", "exec", s.space(i)}, words...)...)
}

// host gives namespace i its two links.
func (s *spaces) host(i int) {
	for _, link := range []struct {
		kind, name, addr string
		bridge           int
	}{
		{"n", "eth0", s.addr("77", i+1) + "/24", 0},
		{"m", "eth1", s.addr("78", i+1) + "/24", 2},
	} {
		outer := s.cable(i, link.kind)
		s.ip("link", "add", outer, "type", "veth", "peer", "name", link.name, "netns", s.space(i))
		s.ip("link", "set", outer, "master", s.bridge(link.bridge), "up")
		s.inside(i, "ip", "addr", "add", link.addr, "dev", link.name)
		s.inside(i, "ip", "link", "set", link.name, "up")
	}
	s.inside(i, "ip", "link", "set", "lo", "up")
}

// move puts host i on bridge 0 or 1.
func (s *spaces) move(i, bridge int) {
	s.t.Helper()
	s.ip("link", "set", s.cable(i, "n"), "master", s.bridge(bridge))
}

// slow gives the line of host i a rate in bits a second, both ways.
func (s *spaces) slow(i, bitsPerSecond int) {
	s.t.Helper()
	rate := fmt.Sprintf("%dbit", bitsPerSecond)
	shape := []string{"qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "3200", "latency", "2s"}
	s.inside(i, append([]string{"tc"}, shape...)...)
	shape[3] = s.cable(i, "n")
	if out, err := exec.Command("tc", shape...).CombinedOutput(); err != nil {
		s.t.Fatalf("tc: %v %s", err, out)
	}
}

func (s *spaces) remove() {
	for i := range s.size {
		_ = exec.Command("ip", "netns", "del", s.space(i)).Run()
	}
	for i := range 3 {
		_ = exec.Command("ip", "link", "del", s.bridge(i)).Run()
	}
}

// put moves a node, which must not run, to host i.
func (s *spaces) put(n *fleet.Node, i int) {
	n.Space, n.IP, n.RPCIP = s.space(i), s.addr("77", i+1), s.addr("78", i+1)
}

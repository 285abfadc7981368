// Package fire holds whole nodes to what must not break: the real program, as
// processes on loopback or in network namespaces of their own, is killed while it
// synchronises and reorganises, cut off and healed, put behind a slow line, and
// lied to by hostile peers. Afterwards every node must stand where a clean one
// stands, byte for byte.
//
// The short forms run with every test; "make crash", "make partition", "make
// slowlink", "make badpeers" and "make eclipse" run the long ones. Every test
// prints its seed; GRANARY_SEED repeats it. What needs namespaces (Linux, root,
// ip and tc) is skipped with a line that says so, and fails with
// GRANARY_REQUIRE_NETNS=1.
package fire

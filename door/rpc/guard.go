package rpc

import (
	"fmt"
	"math/bits"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// parseAllowIPs reads the rpcallowip forms: an address, a CIDR network, or
// address/netmask.
func parseAllowIPs(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		prefix, err := parseSubnet(text)
		if err != nil {
			return nil, fmt.Errorf("rpcallowip %q is not an address or network: use for example 192.168.1.0/24", clip(text))
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

func parseSubnet(text string) (netip.Prefix, error) {
	host, mask, masked := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !masked {
		return addr.Prefix(addr.BitLen())
	}
	if !strings.Contains(mask, ".") {
		return netip.ParsePrefix(text)
	}
	netmask, err := netip.ParseAddr(mask)
	if err != nil || !netmask.Is4() || !addr.Is4() {
		return netip.Prefix{}, fmt.Errorf("bad netmask")
	}
	b := netmask.As4()
	word := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	ones := bits.LeadingZeros32(^word)
	if word != ^uint32(0)<<(32-ones) {
		return netip.Prefix{}, fmt.Errorf("netmask with holes")
	}
	return addr.Prefix(ones)
}

// addressAllowed lets this machine in, and the networks of rpcallowip.
func (s *Server) addressAllowed(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.IsLoopback() {
		return true
	}
	for _, prefix := range s.allowed {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// hostAllowed takes addresses, localhost and the names of Options.Hosts: a
// foreign name that resolves to this machine is the mark of DNS rebinding.
func (s *Server) hostAllowed(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "" || host == "localhost" {
		return true
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	for _, name := range s.opts.Hosts {
		if strings.EqualFold(host, name) {
			return true
		}
	}
	return false
}

// refuse answers a request and ends its connection.
func refuse(w http.ResponseWriter, status int, why string) bool {
	w.Header().Set("Connection", "close")
	http.Error(w, why, status)
	return true
}

// foreign answers a request itself that comes from an address which may not
// call, or that calls by somebody else's name.
func (s *Server) foreign(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case !s.addressAllowed(r.RemoteAddr):
		return refuse(w, http.StatusForbidden, "this address may not call: see rpcallowip")
	case !s.hostAllowed(r.Host):
		return refuse(w, http.StatusForbidden, "unknown Host: call by address or localhost")
	}
	return false
}

// guarded answers a request itself that must not come as far as its
// password: a foreign address, a page in a browser, another method or path.
func (s *Server) guarded(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case s.foreign(w, r):
		return true
	case r.Header["Origin"] != nil || strings.HasPrefix(r.Header.Get("Sec-Fetch-Site"), "cross") ||
		strings.HasPrefix(r.Header.Get("Sec-Fetch-Site"), "same"):
		return refuse(w, http.StatusForbidden, "pages in a browser may not call JSON-RPC")
	case r.URL.Path != "/":
		return refuse(w, http.StatusNotFound, "JSON-RPC is answered at / only")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return refuse(w, http.StatusMethodNotAllowed, "JSONRPC server handles only POST requests")
	}
	return false
}

package addr

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
)

// parseMask reads the old form of a block, with the mask as an address.
func parseMask(text string) (netip.Prefix, error) {
	wrong := fmt.Errorf("%q is not an address or a block of addresses such as 192.0.2.0/24", text)
	base, maskText, _ := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(base)
	if err != nil {
		return netip.Prefix{}, wrong
	}
	mask, err := netip.ParseAddr(maskText)
	if err != nil || mask.BitLen() != ip.BitLen() {
		return netip.Prefix{}, wrong
	}
	length, ended := 0, false
	for _, b := range mask.AsSlice() {
		ones := bits.LeadingZeros8(^b)
		if ended && b != 0 || b<<ones != 0 {
			return netip.Prefix{}, wrong // a hole
		}
		length += ones
		ended = ended || ones < 8
	}
	return netip.PrefixFrom(ip.WithZone(""), length).Masked(), nil
}

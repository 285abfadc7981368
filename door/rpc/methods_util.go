package rpc

import (
	"granary/base/desc"
)

const familyUtil = "Util"

func utilMethods() []Method {
	return []Method{
		{
			Name: "validateaddress", Family: familyUtil,
			Summary: "Says whether a text is an address of this chain, and what it pays to.",
			Params:  []Param{{Name: "address", Type: Text, Help: "The address."}},
			Result:  "An object with isvalid, and address, scriptPubKey (hex), isscript, iswitness, witness_version, witness_program, or error.",
			run:     validateAddress,
		},
		{
			Name: "deriveaddresses", Family: familyUtil,
			Summary: "Gives the addresses of a descriptor.",
			Params: []Param{
				{Name: "descriptor", Type: Text, Help: "The descriptor, with its checksum."},
				{Name: "range", Type: Range, Optional: true, Help: "For a ranged descriptor: the last index, or [first, last]."},
			},
			Result: "An array of addresses.",
			run:    deriveAddresses,
		},
	}
}

type addressJSON struct {
	Valid          bool    `json:"isvalid"`
	ErrorLocations *[]int  `json:"error_locations,omitempty"`
	Error          string  `json:"error,omitempty"`
	Address        string  `json:"address,omitempty"`
	ScriptPubKey   string  `json:"scriptPubKey,omitempty"`
	IsScript       *bool   `json:"isscript,omitempty"`
	IsWitness      *bool   `json:"iswitness,omitempty"`
	Version        *int    `json:"witness_version,omitempty"`
	Program        *string `json:"witness_program,omitempty"`
}

func validateAddress(c *call) (any, error) {
	script, err := c.addressScript(c.text("address", ""))
	if err != nil {
		return addressJSON{ErrorLocations: &[]int{}, Error: clipLong(err.Error())}, nil
	}
	s := solve(script)
	isScript := s.class == classScriptHash || s.class == classWitnessSH || s.class == classTaproot
	isWitness := isWitnessProgram(script)
	out := addressJSON{Valid: true, ScriptPubKey: hexOf(script), IsScript: &isScript, IsWitness: &isWitness}
	out.Address, _ = desc.ScriptAddress(script, c.server.opts.Net.Chain)
	if isWitness {
		version, program := 0, hexOf(script[2:])
		if script[0] >= op1 {
			version = int(script[0]-op1) + 1
		}
		out.Version, out.Program = &version, &program
	}
	return out, nil
}

func clipLong(s string) string {
	const most = 400
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// maxDescriptorChars bounds what is parsed as a descriptor.
const maxDescriptorChars = 32 << 10

func (c *call) descriptor(name string) (*desc.Descriptor, error) {
	return c.parseDescriptor(c.text(name, ""))
}

func (c *call) parseDescriptor(text string) (*desc.Descriptor, error) {
	if len(text) > maxDescriptorChars {
		return nil, errorf(CodeInvalidAddress, "a descriptor is at most %d characters long", maxDescriptorChars)
	}
	d, err := desc.Parse(text, c.server.opts.Net.Chain)
	if err != nil {
		return nil, errorf(CodeInvalidAddress, "%s", clipLong(err.Error()))
	}
	return d, nil
}

// maxDerived bounds the addresses of one call.
const maxDerived = 10_000

func deriveAddresses(c *call) (any, error) {
	d, err := c.descriptor("descriptor")
	if err != nil {
		return nil, err
	}
	given := c.arg("range")
	switch {
	case !d.IsRange() && !given.IsNull():
		return nil, errorf(CodeInvalidParameter, "Range should not be specified for an un-ranged descriptor")
	case d.IsRange() && given.IsNull():
		return nil, errorf(CodeInvalidParameter, "Range must be specified for a ranged descriptor")
	}
	first, last, err := parseRange(given)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for i := first; i <= last; i++ {
		script, err := d.Script(uint32(i))
		if err != nil {
			return nil, errorf(CodeInvalidAddress, "%v", err)
		}
		address, ok := desc.ScriptAddress(script, c.server.opts.Net.Chain)
		if !ok {
			return nil, errorf(CodeInvalidAddress, "Descriptor does not have a corresponding address")
		}
		out = append(out, address)
	}
	return out, nil
}

func parseRange(v Value) (first, last int64, err error) {
	switch v.kind {
	case Null:
		return 0, 0, nil
	case Number:
		last, err = v.int64()
	case Array:
		if v.Len() != 2 {
			return 0, 0, errorf(CodeInvalidParameter, "Range must have exactly two elements")
		}
		if first, err = v.items[0].int64(); err == nil {
			last, err = v.items[1].int64()
		}
	default:
		err = errorf(CodeInvalidParameter, "Range must be specified as end or as [begin,end]")
	}
	switch {
	case err != nil:
		return 0, 0, err
	case first < 0 || last < first || last > 0x7fffffff:
		return 0, 0, errorf(CodeInvalidParameter, "Range must run upwards, from 0 to 2147483647")
	case last-first >= maxDerived:
		return 0, 0, errorf(CodeInvalidParameter, "Range is too large: at most %d addresses in one call", maxDerived)
	}
	return first, last, nil
}

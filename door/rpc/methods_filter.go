package rpc

import "granary/state"

// filterIndexName is Core's name of the index of basic filters.
const filterIndexName = "basic block filter index"

func filterMethods() []Method {
	return []Method{{
		Name: "getblockfilter", Family: familyChain,
		Summary: "Gives a block's BIP158 filter (--blockfilterindex).",
		Params: []Param{
			{Name: "blockhash", Type: Hash, Help: "The block, of whichever branch."},
			{Name: "filtertype", Type: Text, Optional: true, Default: `"basic"`, Help: "basic."},
		},
		Result: "An object with filter and header, in hex.",
		run:    getBlockFilter,
	}}
}

func getBlockFilter(c *call) (any, error) {
	if kind := c.text("filtertype", "basic"); kind != "basic" {
		return nil, errorf(CodeInvalidAddress, "Unknown filtertype")
	}
	if c.Filters == nil {
		return nil, errorf(CodeMisc, "Index is not enabled for filtertype basic")
	}
	h, err := c.header("blockhash")
	if err != nil {
		return nil, err
	}
	encoded, err := c.Filters.Filter(h)
	if err != nil {
		return nil, err
	}
	head, found, err := c.Filters.Head(h)
	if err != nil {
		return nil, err
	}
	if encoded == nil || !found {
		return nil, c.noFilter(h)
	}
	return object{{"filter", hexOf(encoded)}, {"header", head.Header.String()}}, nil
}

// noFilter says why a block has no filter.
func (c *call) noFilter(h *state.Header) error {
	const text = "Filter not found. "
	at, _ := c.Filters.Tip()
	switch {
	case !c.Chain.Status(h).Have():
		return errorf(CodeInvalidAddress, text+"Block was not connected to active chain.")
	case at != c.Chain.Tip().Hash:
		return errorf(CodeMisc, text+"Block filters are still in the process of being indexed.")
	}
	return errorf(CodeInvalidAddress, text+"Block was not connected to active chain.")
}

package config

import (
	"strconv"
	"strings"

	"granary/params"
)

// moveActivations sets the heights of -testactivationheight=NAME@HEIGHT on a
// copy of the network: for tests of what holds before and after.
func moveActivations(net *params.Network, words []string) (*params.Network, error) {
	if len(words) == 0 {
		return net, nil
	}
	if !net.MineOnDemand {
		return nil, inCore("-testactivationheight is for regtest only.")
	}
	moved := *net
	heights := map[string]*int32{
		"bip34": &moved.BIP34Height, "dersig": &moved.BIP66Height, "cltv": &moved.BIP65Height,
		"csv": &moved.CSVHeight, "segwit": &moved.SegwitHeight,
	}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "@")
		if !ok {
			return nil, inCore("Invalid format (%s) for -testactivationheight=name@height.", word)
		}
		height, err := strconv.ParseInt(value, 10, 32)
		if err != nil || height < 0 {
			return nil, inCore("Invalid height value (%s) for -testactivationheight=name@height.", word)
		}
		field := heights[name]
		if field == nil {
			return nil, inCore("Invalid name (%s) for -testactivationheight=name@height.", word)
		}
		*field = int32(height)
	}
	return &moved, nil
}

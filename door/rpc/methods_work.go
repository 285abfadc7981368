package rpc

import (
	"github.com/holiman/uint256"

	"granary/state"
)

func workMethods() []Method {
	return []Method{
		{
			Name: "getmininginfo", Family: familyMining,
			Summary: "Gives what a miner wants to know at a glance.",
			Result:  "An object with blocks, currentblockweight and currentblocktx (of the last template, if there was one), difficulty, networkhashps (hashes per second), pooledtx, chain, signet_challenge (hex, on signets), warnings.",
			run:     getMiningInfo,
		},
		{
			Name: "getnetworkhashps", Family: familyMining,
			Summary: "Estimates the network's hashes per second from the work and the times of the last blocks.",
			Params: []Param{
				{Name: "nblocks", Type: Integer, Optional: true, Default: "120", Help: "How many blocks; -1 for those since the last change of difficulty."},
				{Name: "height", Type: Integer, Optional: true, Default: "-1", Help: "The block to end at; -1 is the tip."},
			},
			Result: "A number.",
			run:    getNetworkHashPS,
		},
	}
}

func getNetworkHashPS(c *call) (any, error) {
	blocks, err := c.int32("nblocks", 120)
	if err != nil {
		return nil, err
	}
	height, err := c.int32("height", -1)
	if err != nil {
		return nil, err
	}
	tip := c.Chain.Tip()
	switch {
	case blocks < -1 || blocks == 0:
		return nil, errorf(CodeInvalidParameter, "Invalid nblocks. Must be a positive number or -1.")
	case height < -1 || height > tip.Height:
		return nil, errorf(CodeInvalidParameter, "Block does not exist at specified height")
	}
	end := tip
	if height >= 0 {
		end = tip.Ancestor(height)
	}
	return c.hashRate(end, blocks), nil
}

// hashRate is the work of the last blocks up to end over the time they took.
func (c *call) hashRate(end *state.Header, blocks int32) float {
	if end.Parent == nil {
		return 0
	}
	if blocks == -1 {
		blocks = end.Height%c.Rules.Net.RetargetInterval() + 1
	}
	blocks = min(blocks, end.Height)
	begin := end
	earliest, latest := end.Raw.Timestamp.Unix(), end.Raw.Timestamp.Unix()
	for range blocks {
		begin = begin.Parent
		earliest = min(earliest, begin.Raw.Timestamp.Unix())
		latest = max(latest, begin.Raw.Timestamp.Unix())
	}
	if earliest == latest {
		return 0
	}
	var work uint256.Int
	work.Sub(&end.Work, &begin.Work)
	return float(work.Float64() / float64(latest-earliest))
}

func getMiningInfo(c *call) (any, error) {
	tip := c.Chain.Tip()
	out := object{{"blocks", tip.Height}}
	if last := c.server.work.last(); last != nil {
		out = append(out, member{"currentblockweight", last.Weight}, member{"currentblocktx", len(last.Block.Transactions) - 1})
	}
	out = append(out,
		member{"difficulty", difficulty(tip.Raw.Bits)},
		member{"networkhashps", c.hashRate(tip, 120)},
		member{"pooledtx", c.Pool.Info().Count},
		member{"chain", c.server.opts.Net.RPCChain},
	)
	if challenge := c.Rules.Net.SignetChallenge; challenge != nil {
		out = append(out, member{"signet_challenge", hexOf(challenge)})
	}
	return append(out, member{"warnings", []string{}}), nil
}

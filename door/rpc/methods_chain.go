package rpc

import (
	"bytes"
	"fmt"

	"granary/state"
)

const familyChain = "Blockchain"

func blockchainMethods() []Method {
	return []Method{
		{
			Name: "getblockchaininfo", Family: familyChain,
			Summary: "Gives the state of the chain as a whole.",
			Result:  "An object: chain (main, testnet4, signet, regtest, custom), blocks and headers (heights), bestblockhash, difficulty, time and mediantime (Unix seconds), verificationprogress (0 to 1), initialblockdownload, chainwork (hex), size_on_disk (bytes), pruned, warnings.",
			run:     getBlockchainInfo,
		},
		{
			Name: "getblockcount", Family: familyChain,
			Summary: "Gives the height of the active chain; genesis is 0.",
			Result:  "A number of blocks.",
			run:     func(c *call) (any, error) { return c.Chain.Tip().Height, nil },
		},
		{
			Name: "getbestblockhash", Family: familyChain,
			Summary: "Gives the hash of the last block of the active chain.",
			Result:  "A block hash.",
			run:     func(c *call) (any, error) { return c.Chain.Tip().Hash.String(), nil },
		},
		{
			Name: "getblockhash", Family: familyChain,
			Summary: "Gives the hash of the block at a height of the active chain.",
			Params:  []Param{{Name: "height", Type: Integer, Help: "The height, from 0."}},
			Result:  "A block hash.",
			run:     getBlockHash,
		},
		{
			Name: "getblockheader", Family: familyChain,
			Summary: "Gives a block header.",
			Params: []Param{
				{Name: "blockhash", Type: Hash, Help: "The block."},
				{Name: "verbose", Type: Boolean, Optional: true, Default: "true", Help: "False gives the 80 bytes in hex."},
			},
			Result: "A hex string, or an object with hash, confirmations (-1 off the active chain), height, version, merkleroot, time and mediantime (Unix seconds), nonce, bits, difficulty, chainwork, nTx, previousblockhash and nextblockhash.",
			run:    getBlockHeader,
		},
		{
			Name: "getblock", Family: familyChain,
			Summary: "Gives a block.",
			Params: []Param{
				{Name: "blockhash", Type: Hash, Help: "The block."},
				{Name: "verbosity", Alias: "verbose", Type: Verbosity, Optional: true, Default: "1", Help: "0 gives hex, 1 transaction ids, 2 decoded transactions with fees, 3 the spent outputs too."},
			},
			Result: "A hex string, or the object of getblockheader with strippedsize and size (bytes), weight and tx.",
			run:    getBlock,
		},
		{
			Name: "getdifficulty", Family: familyChain,
			Summary: "Gives the difficulty of the last block, as a multiple of the least of the main network.",
			Result:  "A number.",
			run:     func(c *call) (any, error) { return difficulty(c.Chain.Tip().Raw.Bits), nil },
		},
		{
			Name: "getchaintips", Family: familyChain,
			Summary: "Lists the ends of all branches of the header tree.",
			Result:  "An array of objects: height, hash, branchlen (blocks off the active chain), status (active, valid-fork, valid-headers, headers-only, invalid).",
			run:     getChainTips,
		},
	}
}

type chainInfoJSON struct {
	Chain       string   `json:"chain"`
	Blocks      int32    `json:"blocks"`
	Headers     int32    `json:"headers"`
	Best        string   `json:"bestblockhash"`
	Difficulty  float    `json:"difficulty"`
	Time        int64    `json:"time"`
	MedianTime  int64    `json:"mediantime"`
	Progress    float    `json:"verificationprogress"`
	Initial     bool     `json:"initialblockdownload"`
	ChainWork   string   `json:"chainwork"`
	SizeOnDisk  int64    `json:"size_on_disk"`
	Pruned      bool     `json:"pruned"`
	PruneHeight *int32   `json:"pruneheight,omitempty"`
	AutoPruning *bool    `json:"automatic_pruning,omitempty"`
	PruneTarget int64    `json:"prune_target_size,omitempty"`
	Warnings    []string `json:"warnings"`
}

func getBlockchainInfo(c *call) (any, error) {
	tip := c.Chain.Tip()
	out := &chainInfoJSON{
		Chain: c.server.opts.Net.RPCChain, Blocks: tip.Height, Headers: c.Chain.BestHeader().Height,
		Best: tip.Hash.String(), Difficulty: difficulty(tip.Raw.Bits),
		Time: tip.Raw.Timestamp.Unix(), MedianTime: tip.MedianTimePast(),
		Progress: c.progress(tip), Initial: c.initialDownload(tip), ChainWork: workHex(tip),
		SizeOnDisk: c.Chain.SizeOnDisk(), Pruned: c.Prune, Warnings: []string{},
	}
	if c.Prune {
		height, auto := c.pruneHeight(tip), c.PruneTargetBytes > 0
		out.PruneHeight, out.AutoPruning, out.PruneTarget = &height, &auto, c.PruneTargetBytes
	}
	return out, nil
}

func workHex(h *state.Header) string { return fmt.Sprintf("%x", h.Work.Bytes32()) }

// progress estimates how much of the chain is validated: blocks here over
// blocks known or, from the clock and the network's spacing, to be expected.
func (c *call) progress(tip *state.Header) float {
	most := max(tip.Height, c.Chain.BestHeader().Height)
	if !c.server.opts.Net.NoRetargeting {
		behind := c.Clock.Now().Unix() - tip.Raw.Timestamp.Unix()
		if spacing := c.server.opts.Net.SpacingSeconds; behind > 6*spacing {
			most = max(most, tip.Height+int32(min(behind/spacing, 1<<30)))
		}
	}
	if most == 0 {
		return 1
	}
	return float(tip.Height) / float(most)
}

// initialDownload is over once the tip is less than a day old, and stays so.
func (c *call) initialDownload(tip *state.Header) bool {
	const daySeconds = 24 * 60 * 60
	if c.server.notSync.Load() {
		return false
	}
	if tip.Raw.Timestamp.Unix() < c.Clock.Now().Unix()-daySeconds {
		return true
	}
	c.server.notSync.Store(true)
	return false
}

// pruneHeight is the lowest block from which on every block is in the files.
func (c *call) pruneHeight(tip *state.Header) int32 {
	low, high := int32(1), tip.Height+1
	for low < high {
		middle := low + (high-low)/2
		if c.Chain.Status(tip.Ancestor(middle)).Have() {
			high = middle
		} else {
			low = middle + 1
		}
	}
	if low == 1 {
		return 0
	}
	return low
}

func getBlockHash(c *call) (any, error) {
	height, err := c.int32("height", 0)
	if err != nil {
		return nil, err
	}
	h := c.Chain.AtHeight(height)
	if h == nil {
		return nil, errorf(CodeInvalidParameter, "Block height out of range")
	}
	return h.Hash.String(), nil
}

// header finds the header that a hash argument names.
func (c *call) header(name string) (*state.Header, error) {
	hash, err := c.hash(name)
	if err != nil {
		return nil, err
	}
	h := c.Chain.Header(hash)
	if h == nil {
		return nil, errorf(CodeInvalidAddress, "Block not found")
	}
	return h, nil
}

type headerJSON struct {
	Hash          string `json:"hash"`
	Confirmations int32  `json:"confirmations"`
	Height        int32  `json:"height"`
	Version       int32  `json:"version"`
	VersionHex    string `json:"versionHex"`
	MerkleRoot    string `json:"merkleroot"`
	Time          int64  `json:"time"`
	MedianTime    int64  `json:"mediantime"`
	Nonce         uint32 `json:"nonce"`
	Bits          string `json:"bits"`
	Difficulty    float  `json:"difficulty"`
	ChainWork     string `json:"chainwork"`
	TxCount       uint32 `json:"nTx"`
	Previous      string `json:"previousblockhash,omitempty"`
	Next          string `json:"nextblockhash,omitempty"`
}

func (c *call) headerJSON(h *state.Header, txCount uint32) headerJSON {
	out := headerJSON{
		Hash: h.Hash.String(), Confirmations: -1, Height: h.Height,
		Version: h.Raw.Version, VersionHex: fmt.Sprintf("%08x", uint32(h.Raw.Version)),
		MerkleRoot: h.Raw.MerkleRoot.String(), Time: h.Raw.Timestamp.Unix(), MedianTime: h.MedianTimePast(),
		Nonce: h.Raw.Nonce, Bits: fmt.Sprintf("%08x", h.Raw.Bits), Difficulty: difficulty(h.Raw.Bits),
		ChainWork: workHex(h), TxCount: txCount,
	}
	if h.Parent != nil {
		out.Previous = h.Parent.Hash.String()
	}
	if tip := c.Chain.Tip(); tip.Descends(h) {
		out.Confirmations = tip.Height - h.Height + 1
		if next := tip.Ancestor(h.Height + 1); next != nil {
			out.Next = next.Hash.String()
		}
	}
	return out
}

func getBlockHeader(c *call) (any, error) {
	h, err := c.header("blockhash")
	if err != nil {
		return nil, err
	}
	if !c.flag("verbose", true) {
		var raw bytes.Buffer
		if err := h.Raw.Serialize(&raw); err != nil {
			return nil, err
		}
		return hexOf(raw.Bytes()), nil
	}
	txCount := c.Chain.Status(h).TxCount
	if h.Parent == nil {
		txCount = 1
	}
	return c.headerJSON(h, txCount), nil
}

type blockJSON struct {
	headerJSON
	StrippedSize int   `json:"strippedsize"`
	Size         int   `json:"size"`
	Weight       int   `json:"weight"`
	Tx           []any `json:"tx"`
}

func getBlock(c *call) (any, error) {
	h, err := c.header("blockhash")
	if err != nil {
		return nil, err
	}
	verbosity, err := c.verbosity("verbosity", 1)
	if err != nil {
		return nil, err
	}
	block, err := c.readBlock(h)
	if err != nil {
		return nil, err
	}
	if verbosity <= 0 {
		return hexOf(block.Raw), nil
	}
	out := blockJSON{
		headerJSON: c.headerJSON(h, uint32(len(block.Txids))), StrippedSize: block.StrippedBytes,
		Size: len(block.Raw), Weight: block.Weight(), Tx: make([]any, len(block.Txids)),
	}
	if verbosity == 1 {
		for i := range block.Txids {
			out.Tx[i] = block.Txids[i].String()
		}
		return out, nil
	}
	undo, err := c.Chain.Undo(h)
	if err != nil {
		undo = &state.Undo{} // fees and spent outputs are not known then
	}
	detail := txDetail{chain: c.server.opts.Net.Chain, hex: true, prevouts: verbosity >= 3}
	for i := range block.Txids {
		detail.spent = nil
		if i > 0 && i <= len(undo.Spent) {
			detail.spent = undo.Spent[i-1]
		}
		out.Tx[i] = newTxJSON(block.Tx(i), detail)
	}
	return out, nil
}

// readBlock reads a block from the files, or says why it is not there.
func (c *call) readBlock(h *state.Header) (*state.Block, error) {
	if status := c.Chain.Status(h); h.Parent != nil && !status.Have() {
		if status.TxCount > 0 {
			return nil, errorf(CodeMisc, "Block not available (pruned data)")
		}
		return nil, errorf(CodeMisc, "Block not available (not fully downloaded)")
	}
	return c.Chain.Block(h)
}

type chainTipJSON struct {
	Height    int32  `json:"height"`
	Hash      string `json:"hash"`
	BranchLen int32  `json:"branchlen"`
	Status    string `json:"status"`
}

func getChainTips(c *call) (any, error) {
	out := []chainTipJSON{}
	for _, tip := range c.Chain.Tips() {
		out = append(out, chainTipJSON{tip.Header.Height, tip.Header.Hash.String(), tip.BranchLen, tip.Status})
	}
	return out, nil
}

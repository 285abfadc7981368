package rpc

import (
	"strings"

	"granary/base/check"
	"granary/base/desc"
	"granary/mine/cpu"
	"granary/state"
)

const familyGenerate = "Generating"

func generateMethods() []Method {
	tries := Param{Name: "maxtries", Type: Integer, Optional: true, Default: itoa(cpu.DefaultTries), Help: "Hashes to try at most, for all blocks together."}
	return []Method{
		{
			Name: "generatetoaddress", Family: familyGenerate,
			Summary: "Mines blocks at once that pay an address.",
			Params: []Param{
				{Name: "nblocks", Type: Integer, Help: "How many blocks."},
				{Name: "address", Type: Text, Help: "Who is paid."},
				tries,
			},
			Result: "An array of the hashes of the new blocks.",
			run: func(c *call) (any, error) {
				script, err := c.addressScript(c.text("address", ""))
				if err != nil {
					return nil, errorf(CodeInvalidAddress, "Error: Invalid address")
				}
				return c.generate("nblocks", script)
			},
		},
		{
			Name: "generatetodescriptor", Family: familyGenerate,
			Summary: "Mines blocks at once that pay a descriptor's script.",
			Params: []Param{
				{Name: "num_blocks", Type: Integer, Help: "How many blocks."},
				{Name: "descriptor", Type: Text, Help: "Who is paid."},
				tries,
			},
			Result: "An array of the hashes of the new blocks.",
			run: func(c *call) (any, error) {
				script, err := c.descriptorScript("descriptor")
				if err != nil {
					return nil, err
				}
				return c.generate("num_blocks", script)
			},
		},
		{
			Name: "generateblock", Family: familyGenerate,
			Summary: "Mines one block with exactly the given transactions.",
			Params: []Param{
				{Name: "output", Type: Text, Help: "Who is paid: an address or a descriptor."},
				{Name: "transactions", Type: List, Help: "Ids of mempool transactions, or transactions in hex, in order."},
				{Name: "submit", Type: Boolean, Optional: true, Default: "true", Help: "False gives the block instead of handing it to the chain."},
			},
			Result: "An object with hash, and hex where it was not submitted.",
			run:    generateBlock,
		},
	}
}

// descriptorScript expands a descriptor of exactly one script.
func (c *call) descriptorScript(name string) ([]byte, error) {
	d, err := c.descriptor(name)
	if err != nil {
		return nil, err
	}
	return oneScript(d)
}

func oneScript(d *desc.Descriptor) ([]byte, error) {
	if d.IsRange() {
		return nil, errorf(CodeInvalidParameter, "Ranged descriptor not accepted. Maybe pass through deriveaddresses first?")
	}
	script, err := d.Script(0)
	if err != nil {
		return nil, errorf(CodeInvalidAddress, "%v", err)
	}
	return script, nil
}

// generateChunk is how many blocks are asked for at a time, so that a client
// that has gone, or a door that closes, ends the work.
const generateChunk = 100

var errNoMiner = errorf(CodeMisc, "this node does not mine")

// generate mines blocks one on the other and gives their hashes.
func (c *call) generate(countName string, script []byte) (any, error) {
	if err := c.mayMine(); err != nil {
		return nil, err
	}
	count, err := c.int32(countName, 0)
	if err != nil {
		return nil, err
	}
	tries, err := c.integer("maxtries", cpu.DefaultTries)
	if err != nil {
		return nil, err
	}
	hashes := []string{}
	for left := int(count); left > 0 && c.ctx.Err() == nil; left -= generateChunk {
		chunk := min(left, generateChunk)
		mined, err := c.Miner.Generate(c.ctx, chunk, script, tries)
		hashes = append(hashes, hashTexts(mined)...)
		if err != nil {
			return nil, errorf(CodeMisc, "%v", err)
		}
		if len(mined) < chunk {
			break // the tries are used up
		}
	}
	return hashes, nil
}

// mayMine refuses on networks whose blocks take real work.
func (c *call) mayMine() error {
	if c.Miner == nil {
		return errNoMiner
	}
	if !c.Rules.Net.MineOnDemand {
		return errorf(CodeMisc, "blocks of %s are not made on demand: use a miner", c.Rules.Net.Name)
	}
	return nil
}

// outputScript reads a descriptor, whose checksum may be missing, or an
// address.
func (c *call) outputScript(output string) ([]byte, error) {
	d, err := c.parseDescriptor(output)
	if err != nil && !strings.Contains(output, "#") {
		d, err = c.parseDescriptor(withChecksum(output))
	}
	if err == nil {
		return oneScript(d)
	}
	script, err := c.addressScript(output)
	if err != nil {
		return nil, errorf(CodeInvalidAddress, "Error: Invalid address or descriptor")
	}
	return script, nil
}

func generateBlock(c *call) (any, error) {
	output := c.text("output", "")
	script, err := c.outputScript(output)
	if err != nil {
		return nil, err
	}
	txs, err := c.namedTransactions(c.arg("transactions"))
	if err != nil {
		return nil, err
	}
	if err := c.mayMine(); err != nil {
		return nil, err
	}
	submit := c.flag("submit", true)
	b, err := c.Miner.GenerateBlock(c.ctx, script, txs, submit)
	switch rule := check.AsRule(err); {
	case rule != nil:
		return nil, errorf(CodeVerify, "TestBlockValidity failed: %s", rule.Error())
	case err != nil:
		return nil, errorf(CodeMisc, "%v", err)
	case !submit:
		return object{{"hash", b.Hash.String()}, {"hex", hexOf(b.Raw)}}, nil
	}
	return object{{"hash", b.Hash.String()}}, nil
}

// namedTransactions resolves a list of mempool ids and raw transactions.
func (c *call) namedTransactions(list Value) ([]*state.Tx, error) {
	var txs []*state.Tx
	for _, v := range list.items {
		if v.kind != String {
			return nil, errorf(CodeType, "%s", mismatch(v.kind, "string"))
		}
		if txid, err := v.hash("transaction"); err == nil {
			entry := c.Pool.Get(txid)
			if entry == nil {
				return nil, errorf(CodeInvalidAddress, "Transaction %s not in mempool.", v.text)
			}
			txs = append(txs, entry.Tx)
			continue
		}
		tx, ok := decodeTxHex(v.text, true, true)
		if !ok {
			return nil, errorf(CodeDeserialization,
				"Transaction decode failed for %s. Make sure the tx has at least one input.", clip(v.text))
		}
		txs = append(txs, tx)
	}
	return txs, nil
}

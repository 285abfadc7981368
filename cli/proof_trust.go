package cli

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/door/rpc"
	"granary/params"
	"granary/rules/block"
	"granary/rules/proof"
	"granary/state"
)

// trust is what a verifier brings for himself: the charter, and the headers of
// its chain.
type trust struct {
	charter *params.Charter // nil: not given
	headers *proof.Headers  // nil: not given
	path    string          // of the headers
	close   func()
}

// openTrust opens what the switches name. A file of headers holds the charter
// too; one that is given beside it must be the same.
func openTrust(io *streams, flags *verifyFlags) (*trust, error) {
	own := &trust{close: func() {}}
	if flags.charter != "" {
		charter, err := readCharter(io, flags.charter)
		if err != nil {
			return nil, err
		}
		own.charter = charter
	}
	if flags.headers == "" {
		return own, nil
	}
	file, err := os.Open(flags.headers)
	if err != nil {
		return nil, fmt.Errorf("cannot read the headers: %w", err)
	}
	own.path, own.close = flags.headers, func() { _ = file.Close() } // only read
	own.headers, err = proof.OpenHeaders(bufio.NewReaderSize(file, 1<<16))
	switch {
	case err != nil:
		err = fmt.Errorf("%s: %w", own.path, err)
	case own.charter == nil:
		own.charter = own.headers.Charter
	case own.charter.ID() != own.headers.Charter.ID():
		err = fmt.Errorf("%s: the headers are of the chain of charter %v, %s is charter %v", own.path,
			own.headers.Charter.ID(), flags.charter, own.charter.ID())
	}
	if err != nil {
		own.close()
		return nil, err
	}
	return own, nil
}

// place is where a proof's block lies.
type place struct {
	label rpc.ProofPlace
	tip   *state.Header // of the chain it was found in, nil without one
}

// find checks the seal of a proof's block on a signet, looks for the block in
// the headers, and holds it to the depth asked for. Without a charter nothing
// is checked, without headers the seal alone.
func (own *trust) find(anchor *proof.Anchor, at *proof.Block, depth int) (place, error) {
	nowhere := place{label: rpc.ProofPlace{Claimed: true, Confirmations: -1}}
	if own.charter == nil {
		return nowhere, nil
	}
	net, err := own.charter.Network()
	if err != nil {
		return nowhere, err
	}
	rules := block.Rules{Net: net, Charter: own.charter}
	if err := rules.CheckSeal(&at.Header, at.Tx, anchor.Branch); err != nil {
		return nowhere, fmt.Errorf("the proof's block %v is not sealed as the charter asks: %w", at.Hash, err)
	}
	if own.headers == nil {
		return nowhere, nil
	}
	tip, err := readChain(own.headers, rules, time.Now().Unix())
	if err != nil {
		return nowhere, fmt.Errorf("%s: %w", own.path, err)
	}
	found := tip.Ancestor(at.Height)
	switch {
	case found == nil:
		return nowhere, fmt.Errorf("the proof's block %d %v is above the headers, which end at %d: fetch newer ones", at.Height, at.Hash, tip.Height)
	case found.Hash != at.Hash:
		return nowhere, fmt.Errorf("the proof's block %v is not in that chain, which has %v at height %d", at.Hash, found.Hash, at.Height)
	}
	confirmed := tip.Height - found.Height + 1
	if int64(confirmed) < int64(depth) {
		return nowhere, fmt.Errorf("the proof's block has %s, %d are asked for: wait, or prove an older block", confirmations(confirmed), depth)
	}
	return place{rpc.ProofPlace{Anchored: true, Confirmations: confirmed}, tip}, nil
}

// readChain reads a file of headers and checks each by the rules of the
// charter's chain, from its genesis on: linkage, work, difficulty, times.
func readChain(headers *proof.Headers, rules block.Rules, nowUnix int64) (*state.Header, error) {
	tip := state.NewHeader(&rules.Net.Chain.GenesisBlock.Header, nil)
	err := headers.Each(func(height int32, raw *wire.BlockHeader) error {
		if raw.PrevBlock != tip.Hash {
			return fmt.Errorf("header %d does not follow the one before it", height)
		}
		if err := rules.CheckHeader(raw, tip, nowUnix); err != nil {
			return fmt.Errorf("header %d breaks a rule: %w", height, err)
		}
		tip = state.NewHeader(raw, tip)
		return nil
	})
	return tip, err
}

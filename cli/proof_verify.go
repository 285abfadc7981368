package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/door/rpc"
	"granary/rules/block"
	"granary/rules/proof"
	"granary/state"
)

// verifyProof checks FILE, of whatever kind it is.
func verifyProof(io *streams, path string, flags *verifyFlags) error {
	in, closeFile, err := openInput(io, path)
	if err != nil {
		return err
	}
	defer closeFile()
	kind, err := proof.OpenFile(in)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch kind {
	case proof.KindProof:
		err = verifyReceipt(io, in, flags)
	case proof.KindAudit:
		err = verifyAudit(io, in, flags)
	case proof.KindHeaders:
		err = errors.New("these are headers: give them with --headers, and a proof as FILE")
	default:
		err = fmt.Errorf("the file holds %v, which this program does not know: use a newer one", kind)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// openInput opens a file, or standard input for "-".
func openInput(io *streams, path string) (in *bufio.Reader, closeFile func(), err error) {
	const bufferBytes = 1 << 16
	if path == "-" {
		return bufio.NewReaderSize(io.in, bufferBytes), func() {}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the file: %w", err)
	}
	return bufio.NewReaderSize(file, bufferBytes), func() { _ = file.Close() }, nil // only read
}

func verifyReceipt(streams *streams, in *bufio.Reader, flags *verifyFlags) error {
	raw, err := io.ReadAll(io.LimitReader(in, proof.MaxProofBytes+1))
	if err != nil {
		return fmt.Errorf("cannot read the file: %w", err)
	}
	p, err := proof.Decode(raw)
	if err != nil {
		return err
	}
	facts, err := p.Verify()
	if err != nil {
		return err
	}
	at, err := findPlace(&p.Anchor, facts.Block, flags)
	if err != nil {
		return err
	}
	if flags.json {
		return printJSON(streams.out, rpc.ProofJSON(facts, at.label))
	}
	return newPage(streams.out, facts.Charter, facts.Block, at).proof(facts)
}

func verifyAudit(io *streams, in *bufio.Reader, flags *verifyFlags) error {
	facts, err := proof.VerifyAudit(in, keyLines(io.err))
	if err != nil {
		return err
	}
	at, err := findPlace(facts.Anchor, facts.Block, flags)
	if err != nil {
		return err
	}
	if flags.json {
		return printJSON(io.out, rpc.AuditJSON(facts, at.label))
	}
	return newPage(io.out, facts.Charter, facts.Block, at).audit(facts)
}

func printJSON(out io.Writer, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", raw)
	return err
}

// place is where a proof's block lies.
type place struct {
	label rpc.ProofPlace
	tip   *state.Header // of the chain it was found in, nil without one
}

// findPlace checks the seal of a proof's block on a signet, looks for the block
// in the file of headers, if one was given, and holds it to the depth asked
// for.
func findPlace(anchor *proof.Anchor, at *proof.Block, flags *verifyFlags) (place, error) {
	nowhere := place{label: rpc.ProofPlace{Claimed: true, Confirmations: -1}}
	net, err := anchor.Charter.Network()
	if err != nil {
		return nowhere, err
	}
	rules := block.Rules{Net: net, Charter: anchor.Charter}
	if err := rules.CheckSeal(&at.Header, at.Tx, anchor.Branch); err != nil {
		return nowhere, fmt.Errorf("the proof's block %v is not sealed as the charter asks: %w", at.Hash, err)
	}
	if flags.headers == "" {
		return nowhere, nil
	}
	file, err := os.Open(flags.headers)
	if err != nil {
		return nowhere, fmt.Errorf("cannot read the headers: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	tip, err := readChain(bufio.NewReaderSize(file, 1<<16), rules, time.Now().Unix())
	if err != nil {
		return nowhere, fmt.Errorf("%s: %w", flags.headers, err)
	}
	found := tip.Ancestor(at.Height)
	switch {
	case found == nil:
		return nowhere, fmt.Errorf("the proof's block %d %v is above the headers, which end at %d: fetch newer ones", at.Height, at.Hash, tip.Height)
	case found.Hash != at.Hash:
		return nowhere, fmt.Errorf("the proof's block %v is not in that chain, which has %v at height %d", at.Hash, found.Hash, at.Height)
	}
	depth := tip.Height - found.Height + 1
	if int64(depth) < int64(flags.depth) {
		return nowhere, fmt.Errorf("the proof's block has %s, %d are asked for: wait, or prove an older block", confirmations(depth), flags.depth)
	}
	return place{rpc.ProofPlace{Anchored: true, Confirmations: depth}, tip}, nil
}

// readChain reads a file of headers and checks each by the rules of the
// charter's chain, from its genesis on: linkage, work, difficulty, times.
func readChain(in *bufio.Reader, rules block.Rules, nowUnix int64) (*state.Header, error) {
	tip := state.NewHeader(&rules.Net.Chain.GenesisBlock.Header, nil)
	_, err := proof.ReadHeaders(in, rules.Charter.ID(), func(height int32, raw *wire.BlockHeader) error {
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

package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"granary/door/rpc"
	"granary/rules/proof"
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
	own, err := openTrust(streams, flags)
	if err != nil {
		return err
	}
	defer own.close()
	facts, err := p.Verify(own.charter)
	if err != nil {
		return err
	}
	at, err := own.find(&p.Anchor, facts.Block, flags.depth)
	if err != nil {
		return err
	}
	if flags.json {
		return printJSON(streams.out, rpc.ProofJSON(facts, at.label))
	}
	return newPage(streams.out, facts.CharterID, facts.Charter, facts.Block, at).proof(facts)
}

func verifyAudit(io *streams, in *bufio.Reader, flags *verifyFlags) error {
	own, err := openTrust(io, flags)
	if err != nil {
		return err
	}
	defer own.close()
	facts, err := proof.VerifyAudit(in, keyLines(io.err))
	if err != nil {
		return err
	}
	if own.charter == nil {
		own.charter = facts.Charter
	} else if err := facts.Anchor.CheckCharter(own.charter); err != nil {
		return err
	}
	at, err := own.find(facts.Anchor, facts.Block, flags.depth)
	if err != nil {
		return err
	}
	if flags.json {
		return printJSON(io.out, rpc.AuditJSON(facts, at.label))
	}
	return newPage(io.out, facts.Charter.ID(), facts.Charter, facts.Block, at).audit(facts)
}

func printJSON(out io.Writer, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", raw)
	return err
}

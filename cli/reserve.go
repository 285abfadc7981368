package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

func newReserve(io *streams) *cobra.Command {
	flags := &rpcFlags{}
	asJSON := false
	cmd := &cobra.Command{
		Use:   "reserve",
		Short: "Print what stands behind the coins",
		Long: "Asks a running node for the reserve: the sums, what stands behind them by good and by\n" +
			"custodian, and the coverage. The chain proves the figures. That the goods are where the\n" +
			"custodians say is attested by the auditors: granary rpc getreceipt names them.",
		Example: "  granary reserve --charter charter.toml\n  granary reserve --json",
		Args:    arguments(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askNode(cmd, io, flags, func(n *nodeCalls) error { return showReserve(n, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print what the node answers, as JSON")
	addNodeFlags(cmd, flags)
	return cmd
}

// askNode calls f with the node that the configuration describes.
func askNode(cmd *cobra.Command, io *streams, flags *rpcFlags, f func(*nodeCalls) error) error {
	c, err := io.load(cmd)
	if err != nil {
		return err
	}
	client, err := rpcClient(c, flags)
	if err != nil {
		return err
	}
	defer client.Close()
	return f(&nodeCalls{cmd.Context(), io, client})
}

// reserveFigures is what getreserve answers. Amounts are coins as written, so
// that none passes through a float.
type reserveFigures struct {
	Height         int32
	BestBlockHash  string
	Circulating    json.Number
	Reserve        json.Number
	RedemptionBase json.Number `json:"redemption_base"`
	Redeeming      json.Number
	Pool           json.Number
	Escrow         json.Number
	Bonds          json.Number
	CoverageBP     *int64 `json:"coverage_bp"`
	MinCoverageBP  int64  `json:"min_coverage_bp"`
	Goods          []reserveGood
	Custodians     []reserveCustodian
	Label          string
}

type reserveGood struct {
	Good, Measure        string
	Whole, Free, Counted int64
	Value                json.Number
	WholeValue           json.Number `json:"whole_value"`
}

type reserveCustodian struct {
	Name       string
	Suspended  bool
	Default    bool
	Debt       json.Number
	Bonds      json.Number
	Value      json.Number
	WholeValue json.Number `json:"whole_value"`
	Goods      []reserveGood
}

func showReserve(n *nodeCalls, asJSON bool) error {
	var raw json.RawMessage
	if err := n.call(&raw, "getreserve"); err != nil {
		return err
	}
	if asJSON {
		text, err := resultText(raw)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(n.io.out, text)
		return err
	}
	var figures reserveFigures
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&figures); err != nil {
		return fmt.Errorf("the node's answer is not what getreserve gives: %w", err)
	}
	var charter struct{ Name, Ticker string }
	if err := n.call(&charter, "getcharter"); err != nil {
		return err
	}
	var header struct{ Time int64 }
	if err := n.call(&header, "getblockheader", figures.BestBlockHash); err != nil {
		return err
	}
	fmt.Fprintf(n.io.out, "%s (%s) after block %d, %s\n", charter.Name, charter.Ticker, figures.Height,
		time.Unix(header.Time, 0).UTC().Format("2006-01-02 15:04 UTC"))
	return figures.print(n.io.out)
}

// print writes three tables that fit 80 columns.
func (f *reserveFigures) print(out io.Writer) error {
	fmt.Fprintf(out, "\nSums in coins, %s\n", f.Label)
	sums := newTable(out, 1)
	sums.row("circulating", coinText(f.Circulating), "")
	sums.row("reserve", coinText(f.Reserve), "value of the goods that count")
	sums.row("coverage", coverageText(f.CoverageBP), "at least "+percent(f.MinCoverageBP)+" after every release")
	sums.row("redemption base", coinText(f.RedemptionBase), "all free goods but of custodians in default")
	sums.row("redeeming", coinText(f.Redeeming), "goods that open redemptions took")
	sums.row("pool", coinText(f.Pool), "not yet released")
	sums.row("escrow", coinText(f.Escrow), "waits for goods to be delivered")
	sums.row("bonds", coinText(f.Bonds), "of the custodians")
	if err := sums.end(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nBy good, in its measure, %s\n", f.Label)
	table := newTable(out, 1, 2, 3, 4)
	table.row("good", "whole", "free", "counted", "value")
	for _, g := range f.Goods {
		table.row(g.Good+" "+g.Measure, fmt.Sprint(g.Whole), fmt.Sprint(g.Free), fmt.Sprint(g.Counted), coinText(g.Value))
	}
	if err := table.end(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nBy custodian, %s\n", f.Label)
	if err := f.custodians(out); err != nil {
		return err
	}
	_, err := fmt.Fprint(out, "\nThe goods themselves are attested: granary rpc getreceipt NUMBER says by whom.\n")
	return err
}

func (f *reserveFigures) custodians(out io.Writer) error {
	table := newTable(out, 1, 2, 3, 4)
	table.row("custodian", "whole", "free", "counted", "value")
	for i := range f.Custodians {
		c := &f.Custodians[i]
		table.row(c.Name, "", "", "", "")
		for _, g := range c.Goods {
			table.row("  "+g.Good+" "+g.Measure, fmt.Sprint(g.Whole), fmt.Sprint(g.Free), fmt.Sprint(g.Counted), coinText(g.Value))
		}
		table.row("  "+c.standing()+", value "+coinText(c.Value), "", "", "", "")
	}
	return table.end()
}

// standing says in a few words how a custodian stands.
func (c *reserveCustodian) standing() string {
	words := []string{"in good standing"}
	switch {
	case c.Default:
		words[0] = "IN DEFAULT"
	case c.Suspended:
		words[0] = "SUSPENDED"
	}
	if c.Debt != "0.00000000" {
		words = append(words, "owes "+coinText(c.Debt))
	}
	if c.Bonds != "0.00000000" {
		words = append(words, "bonds "+coinText(c.Bonds))
	}
	return strings.Join(words, ", ")
}

// table aligns columns; the named ones to the right.
type table struct {
	rows  [][]string
	right map[int]bool
	to    io.Writer
}

func newTable(to io.Writer, right ...int) *table {
	t := &table{to: to, right: map[int]bool{}}
	for _, column := range right {
		t.right[column] = true
	}
	return t
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// end prints the rows. A row with words in its first cell alone does not widen
// the column.
func (t *table) end() error {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if alone := strings.Join(row[1:], "") == ""; i > 0 || !alone {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	wide := 0
	for _, width := range widths {
		wide += width + 2
	}
	between := "  "
	if wide > 80 {
		between = " "
	}
	for _, row := range t.rows {
		line := ""
		for i, cell := range row {
			gap := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell)))
			if t.right[i] {
				line += between + gap + cell
			} else {
				line += between + cell + gap
			}
		}
		if _, err := fmt.Fprintln(t.to, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// coinText shortens an amount: no zeros behind the point that say nothing.
func coinText(n json.Number) string {
	whole, fraction, _ := strings.Cut(n.String(), ".")
	if fraction = strings.TrimRight(fraction, "0"); len(fraction) < 2 {
		fraction += strings.Repeat("0", 2-len(fraction))
	}
	return whole + "." + fraction
}

func coverageText(bp *int64) string {
	if bp == nil {
		return "-"
	}
	return percent(*bp)
}

package goods_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/datadriven"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
	"granary/state/tree"
)

// The words of custody:
//
//	audit NAME     by auditor N expires BLOCKS seen DEPTH; foreign; receipt N loss N [before HEIGHT] [id HEX];
//	               many N (receipts that there are not)
//	suspend NAME   by auditor|council N expires BLOCKS custodian N
//	lift NAME      by auditor N expires BLOCKS custodian N [at HEIGHT]
//	young height=N                  the odd chain with room for draws: wheat lives for 10 blocks
//	vouch NAME ... by=(0,1)         a block in which these auditors attest them all
//	stock custodian=N               two blocks that open receipts: good G lot SERIAL quantity N
//	drawn receipt=N quantity=N      a block with a draw
//	coins UNITS ...                 ordinary coins under key 153, as "grant" makes them
//	owe custodian=N units=N         a debt that no audit brought
//	slashtx custodian=N             a block with the transaction that SlashTx makes
//	standings                       what the totals, the reserve and the custodians are
//	record attested NAME
//	record bond CUSTODIAN SCRIPT | slash CUSTODIAN | announce CUSTODIAN UNITS
//	record withdraw CUSTODIAN | cancel CUSTODIAN
//	in bond CUSTODIAN PLACE         from 0, the oldest
//	in key N UNITS                  the coin under that key with so many units
func init() {
	vectorCommands["audit"] = (*world).vectorAudit
	vectorCommands["suspend"] = (*world).vectorSuspend
	vectorCommands["lift"] = (*world).vectorLift
	vectorCommands["vouch"] = (*world).vectorVouch
	vectorCommands["stock"] = (*world).vectorStock
	vectorCommands["drawn"] = (*world).vectorDrawn
	vectorCommands["owe"] = (*world).vectorOwe
	vectorCommands["slashtx"] = (*world).vectorSlashTx
	vectorCommands["coins"] = func(w *world, d *datadriven.TestData) string {
		for _, arg := range d.CmdArgs {
			w.grant(numeral(w, arg.Key))
		}
		return w.describeStandings()
	}
	vectorCommands["young"] = func(w *world, d *datadriven.TestData) string {
		*w = *oddWorldWithCap(w.t, 200*params.UnitsPerCoin)
		w.mine(int(argument(w, d, "height")))
		return fmt.Sprintf("height %d\n", w.height)
	}
	vectorCommands["standings"] = func(w *world, _ *datadriven.TestData) string { return w.describeStandings() }
	vectorInputs["bond"] = (*world).bondInput
	vectorInputs["key"] = (*world).keyInput
	vectorEvents = append(vectorEvents, describeCustody)
	vectorStates = append(vectorStates, (*world).describeCustodians)

	vectorRecords["attested"] = func(w *world, words []string) goods.Record { return w.proposals[words[1]] }
	vectorRecords["bond"] = func(w *world, words []string) goods.Record {
		return goods.Bond{Custodian: uint16(numeral(w, words[1])), ReturnScript: w.script(words[2:])}
	}
	vectorRecords["slash"] = func(w *world, words []string) goods.Record {
		return goods.Slash{Custodian: uint16(numeral(w, words[1]))}
	}
	vectorRecords["announce"] = func(w *world, words []string) goods.Record {
		return goods.Unbond{Step: goods.UnbondAnnounce, Custodian: uint16(numeral(w, words[1])), Units: numeral(w, words[2])}
	}
	vectorRecords["withdraw"] = func(w *world, words []string) goods.Record {
		return goods.Unbond{Step: goods.UnbondWithdraw, Custodian: uint16(numeral(w, words[1]))}
	}
	vectorRecords["cancel"] = func(w *world, words []string) goods.Record {
		return goods.Unbond{Step: goods.UnbondCancel, Custodian: uint16(numeral(w, words[1]))}
	}
}

func numeral(w *world, text string) int64 {
	w.t.Helper()
	n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// argument gives the number of an argument "name=N".
func argument(w *world, d *datadriven.TestData, name string) int64 {
	w.t.Helper()
	var text string
	d.ScanArgs(w.t, name, &text)
	return numeral(w, text)
}

// word gives the number behind a word of a line, ok = false without it.
func word(w *world, words []string, name string) (n int64, ok bool) {
	w.t.Helper()
	at := slices.Index(words, name)
	if at < 0 || at+1 >= len(words) {
		return 0, false
	}
	return numeral(w, words[at+1]), true
}

// mustWord is word of one that has to be there.
func mustWord(w *world, words []string, name string) int64 {
	w.t.Helper()
	n, ok := word(w, words, name)
	if !ok {
		w.t.Fatalf("no %s in %q", name, words)
	}
	return n
}

// named keeps a proposal under the first argument and shows its hash.
func (w *world) named(d *datadriven.TestData, r goods.Record) string {
	w.t.Helper()
	if w.proposals == nil {
		w.proposals = map[string]goods.Record{}
	}
	name := d.CmdArgs[0].Key
	w.proposals[name] = r
	hash := w.proposalHash(name)
	return fmt.Sprintf("%x\n", hash[:])
}

func (w *world) vectorAudit(d *datadriven.TestData) string {
	w.t.Helper()
	var r goods.Audit
	for _, line := range strings.Split(d.Input, "\n") {
		words := strings.Fields(line)
		switch words[0] {
		case "by":
			r.Auditor = uint16(mustWord(w, words, "auditor"))
			r.Expiry = w.height + 1 + int32(mustWord(w, words, "expires"))
			r.Observed.Height = w.height + 1 - int32(mustWord(w, words, "seen"))
			if h := w.tip.Ancestor(r.Observed.Height); h != nil {
				r.Observed.Hash = h.Hash
			}
		case "foreign":
			r.Observed.Hash[0] ^= 1
		case "many":
			for i := range mustWord(w, words, "many") {
				r.Audited = append(r.Audited, goods.AuditedReceipt{Receipt: uint64(1_000 + i)})
			}
		case "receipt":
			seen := goods.AuditedReceipt{Receipt: uint64(mustWord(w, words, "receipt")), Loss: mustWord(w, words, "loss")}
			if receipt, err := goods.ReadReceipt(w, seen.Receipt); err == nil && receipt != nil {
				seen.ID, seen.Lost = receipt.ID, receipt.Lost
			}
			if lost, given := word(w, words, "lost"); given {
				seen.Lost = lost
			}
			if at := slices.Index(words, "id"); at > 0 {
				copy(seen.ID[:], unhex(w.t, words[at+1]))
			}
			r.Audited = append(r.Audited, seen)
		default:
			w.t.Fatalf("unknown line %q", line)
		}
	}
	return w.named(d, r)
}

func (w *world) vectorSuspend(d *datadriven.TestData) string {
	w.t.Helper()
	words := strings.Fields(d.Input)
	r := goods.Suspend{
		Role: state.RoleAuditor, Expiry: w.height + 1 + int32(mustWord(w, words, "expires")), Custodian: uint16(mustWord(w, words, "custodian")),
	}
	if index, council := word(w, words, "council"); council {
		r.Role, r.Index = state.RoleCouncil, uint16(index)
	} else {
		r.Index = uint16(mustWord(w, words, "auditor"))
	}
	return w.named(d, r)
}

func (w *world) vectorLift(d *datadriven.TestData) string {
	w.t.Helper()
	words := strings.Fields(d.Input)
	r := goods.Lift{
		Auditor: uint16(mustWord(w, words, "auditor")), Expiry: w.height + 1 + int32(mustWord(w, words, "expires")),
		Custodian: uint16(mustWord(w, words, "custodian")),
	}
	standing, err := goods.ReadStanding(w, r.Custodian)
	if err != nil {
		w.t.Fatal(err)
	}
	if standing != nil {
		r.SuspendedAt = standing.SuspendedAt
	}
	if at, given := word(w, words, "at"); given {
		r.SuspendedAt = int32(at)
	}
	return w.named(d, r)
}

func (w *world) vectorVouch(d *datadriven.TestData) string {
	w.t.Helper()
	var hashes []chainhash.Hash
	var txs []*wire.MsgTx
	for _, arg := range d.CmdArgs {
		if arg.Key != "by" {
			hashes = append(hashes, w.proposalHash(arg.Key))
		}
	}
	slices.SortFunc(hashes, func(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, arg := range d.CmdArgs {
		if arg.Key != "by" {
			continue
		}
		for _, text := range arg.Vals {
			txs = append(txs, w.attestTx(uint16(numeral(w, text)), hashes...))
		}
	}
	w.blockOf(txs...)
	w.check()
	return fmt.Sprintf("height %d\n", w.height)
}

func (w *world) vectorStock(d *datadriven.TestData) string {
	w.t.Helper()
	custodian := argument(w, d, "custodian")
	var openings []goods.Opening
	for i, line := range strings.Split(d.Input, "\n") {
		words := strings.Fields(line)
		openings = append(openings, goods.Opening{
			Good: uint16(mustWord(w, words, "good")), Serial: words[slices.Index(words, "lot")+1],
			Quantity: mustWord(w, words, "quantity"), Script: keyScript(byte(30 + i)),
		})
	}
	w.stock(uint16(custodian), openings...)
	return fmt.Sprintf("height %d\n", w.height)
}

// stock opens receipts for a custodian in two blocks.
func (w *world) stock(custodian uint16, openings ...goods.Opening) {
	w.t.Helper()
	r := goods.Receive{
		Custodian: custodian, Expiry: w.height + 2, Openings: openings,
		Observed: goods.Observed{Height: w.height, Hash: w.tip.Hash},
	}
	w.attested(r, state.RoleCustodian, custodian)
}

// attested makes a record in two blocks: auditors 0 and 1 attest it, then the
// seat acts.
func (w *world) attested(r goods.Record, role state.Role, index uint16) []goods.Event {
	w.t.Helper()
	hash := goods.ProposalHash(w.charter.ID(), r)
	w.blockOf(w.attestTx(0, hash), w.attestTx(1, hash))
	events := w.blockOf(w.seatTx(role, index, r))
	w.check()
	return events
}

func (w *world) vectorDrawn(d *datadriven.TestData) string {
	w.t.Helper()
	var b strings.Builder
	for _, e := range w.blockOf(w.drawTx(uint64(argument(w, d, "receipt")), argument(w, d, "quantity"))) {
		describeGoods(&b, e)
	}
	w.check()
	return b.String()
}

// drawTx draws so many measures from the pool's oldest output.
func (w *world) drawTx(number uint64, quantity int64) *wire.MsgTx {
	w.t.Helper()
	receipt, err := goods.ReadReceipt(w, number)
	if err != nil || receipt == nil {
		w.t.Fatalf("receipt %d: %v", number, err)
	}
	good, err := goods.ReadGood(w, receipt.Good)
	if err != nil {
		w.t.Fatal(err)
	}
	pool, units := w.poolOutput()
	release := goods.CreditUnits(receipt, good, quantity)
	tx, err := goods.DrawTx(w.charter.ID(), receipt, &w.charter.Parameters, quantity, release, []wire.OutPoint{pool}, units)
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

// poolOutput gives the oldest coinbase output of the pool.
func (w *world) poolOutput() (op wire.OutPoint, units int64) {
	w.t.Helper()
	treasury := goods.TreasuryScript(w.charter.ID())
	height := int32(-1)
	for at, coin := range w.coins {
		if coin.Coinbase && bytes.Equal(coin.Script, treasury) && (height < 0 || coin.Height < height) {
			op, units, height = at, coin.ValueUnits, coin.Height
		}
	}
	return op, units
}

func (w *world) vectorOwe(d *datadriven.TestData) string {
	w.t.Helper()
	w.owe(uint16(argument(w, d, "custodian")), argument(w, d, "units"))
	return w.describeStandings()
}

// owe sets a debt as if it had come in the last block.
func (w *world) owe(custodian uint16, units int64) {
	w.t.Helper()
	s := w.standing(custodian)
	over := state.NewOverlay(w, 0)
	var changes []state.GoodsChange
	set := func(key, value []byte) {
		if err := over.SetGoods(key, value); err != nil {
			w.t.Fatal(err)
		}
		changes = append(changes, state.GoodsChange{Key: key, New: value})
	}
	was := s.DefaultAt
	s.DebtUnits = units
	switch {
	case units <= s.BondUnits():
		s.DefaultAt = 0
	case was == 0:
		s.DefaultAt = w.height + int32(w.charter.Parameters.GraceWindowBlocks) + 1
	}
	if was != s.DefaultAt && was != 0 {
		set(state.KeyDefault(was, custodian), nil)
	}
	if was != s.DefaultAt && s.DefaultAt != 0 {
		set(state.KeyDefault(s.DefaultAt, custodian), state.ExpiryMark())
	}
	set(state.KeyStanding(custodian), s.Encode())
	slices.SortFunc(changes, func(a, b state.GoodsChange) int { return bytes.Compare(a.Key, b.Key) })
	if _, err := tree.Update(over, changes); err != nil {
		w.t.Fatal(err)
	}
	w.apply(over.Changes(state.IsNodeKey))
	w.undo = nil // blocks below cannot be taken back
	w.check()
}

func (w *world) standing(custodian uint16) *state.Standing {
	w.t.Helper()
	s, err := goods.ReadStanding(w, custodian)
	if err != nil || s == nil {
		w.t.Fatalf("custodian %d: %v", custodian, err)
	}
	return s
}

func (w *world) vectorSlashTx(d *datadriven.TestData) string {
	w.t.Helper()
	custodian := uint16(argument(w, d, "custodian"))
	tx := goods.SlashTx(w.charter.ID(), custodian, w.standing(custodian), w.charter.Parameters.MinerShareBP)
	if tx == nil {
		return "none\n"
	}
	var b strings.Builder
	for i := range tx.TxOut[:len(tx.TxOut)-1] {
		fmt.Fprintf(&b, "out %d\n", tx.TxOut[i].Value)
	}
	for _, e := range w.blockOf(tx) {
		describeGoods(&b, e)
	}
	w.check()
	return b.String()
}

func (w *world) bondInput(words []string) *wire.OutPoint {
	w.t.Helper()
	op := w.standing(uint16(numeral(w, words[1]))).Bonds[numeral(w, words[2])].Out
	return &op
}

func (w *world) keyInput(words []string) *wire.OutPoint {
	w.t.Helper()
	script, units := w.script(words[:2]), numeral(w, words[2])
	var found *wire.OutPoint
	for op, coin := range w.coins {
		if coin.ValueUnits == units && bytes.Equal(coin.Script, script) {
			if found != nil {
				w.t.Fatalf("two coins of %d units are under key %s", units, words[1])
			}
			found = &op
		}
	}
	if found == nil {
		w.t.Fatalf("no coin of %d units is under key %s", units, words[1])
	}
	return found
}

// describeCustody writes the line of an event of custody.
func describeCustody(b *strings.Builder, e goods.Event) {
	switch e := e.(type) {
	case goods.Audited:
		fmt.Fprintf(b, "receipt %d audited by %d until %d: loss %d, from undrawn %d, free %d, debt %d\n", e.Receipt.Number, e.Auditor,
			e.Receipt.ValidUntil, e.Loss, e.RemovedUndrawn, e.RemovedFree, e.DebtUnits)
	case goods.ReceiptClosed:
		fmt.Fprintf(b, "receipt %d closed, lost %d\n", e.Receipt.Number, e.Receipt.Lost)
	case goods.Slashed:
		fmt.Fprintf(b, "custodian %d slashed %d, fee %d, bonds %t\n", e.Custodian, e.Units, e.FeeUnits, e.FromBonds)
	case goods.BondMade:
		fmt.Fprintf(b, "bond of %d at custodian %d by %s\n", e.Bond.Units, e.Custodian, e.Record)
	case goods.BondSpent:
		fmt.Fprintf(b, "bond of %d spent at custodian %d by %s\n", e.Bond.Units, e.Custodian, e.Record)
	case goods.BondReturned:
		fmt.Fprintf(b, "returned %d to custodian %d\n", e.Units, e.Custodian)
	case goods.StandingChanged:
		fmt.Fprintf(b, "custodian %d now:%s\n", e.Custodian, standingWords(&e.After))
	}
}

// standingWords says what is out of the ordinary of a standing.
func standingWords(s *state.Standing) string {
	var b strings.Builder
	if s.Suspended {
		fmt.Fprintf(&b, " suspended at %d", s.SuspendedAt)
	}
	if s.Defaulted {
		b.WriteString(" in default")
	}
	if s.DebtUnits > 0 {
		fmt.Fprintf(&b, " debt %d", s.DebtUnits)
	}
	if s.DefaultAt > 0 {
		fmt.Fprintf(&b, " default at %d", s.DefaultAt)
	}
	if s.AnnouncedUnits > 0 {
		fmt.Fprintf(&b, " announced %d ready at %d", s.AnnouncedUnits, s.ReadyAt)
	}
	for i := range s.Bonds {
		fmt.Fprintf(&b, " bond %d", s.Bonds[i].Units)
	}
	if len(s.ReturnScript) > 0 {
		fmt.Fprintf(&b, " return %x", s.ReturnScript)
	}
	return b.String()
}

func (w *world) describeStandings() string {
	w.t.Helper()
	w.check()
	totals, err := goods.ReadTotals(w)
	if err != nil {
		w.t.Fatal(err)
	}
	reserve, err := goods.ReadReserve(w)
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "L %d pool %d utxo %d %s\n", totals.CirculatingUnits, totals.PoolUnits, totals.UTXOUnits, reserveWords(&reserve))
	w.describeCustodians(&b)
	return b.String()
}

// reserveWords are R and D, and C where there is any.
func reserveWords(r *state.Reserve) string {
	text := fmt.Sprintf("R %d D %d", r.Counted.Units(), r.All.Units())
	if r.Claimed != (state.Sum{}) {
		text += fmt.Sprintf(" C %d", r.Claimed.Units())
	}
	return text
}

// describeCustodians shows the custodians of which there is something to say.
func (w *world) describeCustodians(b *strings.Builder) {
	w.t.Helper()
	counts, err := goods.ReadCounts(w)
	if err != nil {
		w.t.Fatal(err)
	}
	for custodian := range counts.Custodians {
		if words := standingWords(w.standing(custodian)); words != "" {
			fmt.Fprintf(b, "custodian %d:%s\n", custodian, words)
		}
	}
}

package goods

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"granary/chain"
	"granary/node/stage"
	"granary/params"
	rules "granary/rules/goods"
	"granary/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play is a chain whose people act, with an index that follows it.
type play struct {
	*stage.House
	t      *testing.T
	secret []byte
	index  *Index
	lots   int
	past   map[int32]chainhash.Hash // blocks that the derivation was held against
}

// openPlay opens a chain at the height of the first record.
func openPlay(t *testing.T, change func(*params.Charter)) *play {
	t.Helper()
	p := &play{t: t, secret: []byte(t.Name()), past: map[int32]chainhash.Hash{}}
	cast := stage.New(nil, nil)
	names := [6]string{"north silo", "harbour vault", "first auditor", "second auditor", "third auditor", "council"}
	var scripts [6][]byte
	for i, name := range names {
		scripts[i] = cast.Person(p.secret, name).Script
	}
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte(scripts[:2]), Auditors: [3][]byte(scripts[2:5]), Council: scripts[5],
	})
	p.must(err)
	c := *charter
	if change != nil {
		change(&c)
	}
	charter, err = params.NewCharter(c)
	p.must(err)
	p.House, err = stage.OpenHouse(t.Context(), t.TempDir(), charter, nil, nil)
	p.must(err)
	t.Cleanup(func() { p.must(p.House.Close()) })
	for _, name := range names {
		p.who(name)
	}
	p.MinerScript = p.who("miner").Script
	p.index = p.open(vfs.NewMem())
	p.Seen = p.holdAgainstState
	p.must(p.index.Sync(t.Context(), p.Chain, nil))
	p.mine(params.GoodsStartHeight)
	return p
}

func (p *play) who(name string) stage.Person { return p.Cast.Person(p.secret, name) }

func (p *play) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *play) mine(n int) {
	p.t.Helper()
	p.must(p.Mine(p.t.Context(), n))
}

func (p *play) mineTo(height int32) {
	p.t.Helper()
	p.mine(int(height - p.Height()))
}

// give sends a transaction to the mempool.
func (p *play) give(tx *state.Tx, err error) {
	p.t.Helper()
	_, err = p.Give(tx, err)
	p.must(err)
}

// open opens an index of this chain, not yet following.
func (p *play) open(fs vfs.FS) *Index {
	p.t.Helper()
	x, err := Open(Options{Dir: "goods", FS: fs, Net: p.Net, CharterID: p.Charter.ID()})
	p.must(err)
	p.t.Cleanup(func() { p.must(x.Close()) })
	return x
}

// holdAgainstState derives a block, on the index as it is below it, and
// compares receipts, claims and counters that ran through the records with what
// the rules left.
func (p *play) holdAgainstState(event *chain.Event) {
	x := p.index
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.keep.Tip.Hash != event.Header.Raw.PrevBlock {
		return
	}
	d, err := newDerivation(x.rows, x.charterID, event.Header.Height, event.Block, event.Undo)
	if err == nil {
		err = d.run()
	}
	if err == nil {
		err = d.compare()
	}
	if back := x.rows.takeBack(x.rows.takeJournal()); err == nil {
		err = back
	}
	if err != nil {
		p.t.Errorf("block %d: %v", event.Header.Height, err)
	}
	p.past[event.Header.Height] = event.Header.Hash
}

// compare holds what ran through the block against the state after it.
func (d *derivation) compare() error {
	for number, ran := range d.receipts {
		now := d.changed[string(state.KeyReceipt(number))].New
		if now == nil {
			if ran.Quantity() != 0 {
				return fmt.Errorf("receipt %d closed with %d measures", number, ran.Quantity())
			}
			continue
		}
		want, err := state.DecodeReceipt(state.KeyReceipt(number), now)
		if err != nil {
			return err
		}
		ran.ValidUntil, ran.ReleasedUnits = want.ValidUntil, want.ReleasedUnits
		if !bytes.Equal(ran.Encode(), now) {
			return fmt.Errorf("receipt %d ran to %+v, is %+v", number, ran, want)
		}
	}
	for number, ran := range d.claims {
		if now := d.changed[string(state.KeyClaim(number))].New; now != nil && !bytes.Equal(ran.Encode(), now) {
			return fmt.Errorf("claim %d ran to %x, is %x", number, ran.Encode(), now)
		}
	}
	for key, next := range map[string]uint64{string(state.KeyNextClaim()): d.newClaim, string(state.KeyNextReceipt()): d.newLot} {
		if c, ok := d.changed[key]; ok {
			if want, err := state.DecodeNumber(c.New); err != nil || want != next {
				return errors.Join(err, fmt.Errorf("counter %x ran to %d, is %d", key, next, want))
			}
		}
	}
	for custodian, ran := range d.standing {
		c, ok := d.changed[string(state.KeyStanding(custodian))]
		if !ok {
			continue
		}
		if want, err := state.DecodeStanding(c.New); err != nil || want.Suspended != ran.Suspended {
			return errors.Join(err, fmt.Errorf("custodian %d ran to suspended %v", custodian, ran.Suspended))
		}
	}
	return nil
}

// attested lets the first two auditors attest a record and its actor use it,
// each in a block.
func (p *play) attested(role state.Role, seat uint16, record rules.Record) {
	p.t.Helper()
	for auditor := range uint16(2) {
		p.give(p.Cast.Attest(auditor, record))
	}
	p.mine(1)
	p.give(p.Cast.Act(role, seat, record))
	p.mine(1)
}

// receive brings goods in for who; the draw follows in the next block.
func (p *play) receive(custodian, good uint16, quantity int64, who string) {
	p.t.Helper()
	observed, err := p.Cast.Observed()
	p.must(err)
	expiry, err := p.Cast.Expiry()
	p.must(err)
	p.lots++
	p.attested(state.RoleCustodian, custodian, rules.Receive{
		Custodian: custodian, Expiry: expiry, Observed: observed, Openings: []rules.Opening{{
			Good: good, Serial: fmt.Sprint("LOT-", p.lots), Quantity: quantity, Location: "Hall", Script: p.who(who).Script,
		}},
	})
}

func (p *play) expiry() int32 {
	p.t.Helper()
	expiry, err := p.Cast.Expiry()
	p.must(err)
	return expiry
}

func (p *play) receipt(number uint64) *state.Receipt {
	p.t.Helper()
	r, err := p.Cast.Receipt(number)
	p.must(err)
	if r == nil {
		p.t.Fatalf("there is no receipt %d", number)
	}
	return r
}

func (p *play) claim(number uint64) *state.Claim {
	p.t.Helper()
	c, err := p.Cast.Claim(number)
	p.must(err)
	if c == nil {
		p.t.Fatalf("there is no claim %d", number)
	}
	return c
}

func ref(c *state.Claim) rules.ClaimRef { return rules.ClaimRef{Number: c.Number, ID: c.ID} }

// dump gives every row of an index but the tip's.
func dump(t *testing.T, x *Index) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	x.mu.RLock()
	defer x.mu.RUnlock()
	err := x.rows.scan([]byte{tipTable.Prefix + 1}, nil, func(key, value []byte) (bool, error) {
		all[string(key)] = value
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// mustEqual compares two indices to the byte.
func mustEqual(t *testing.T, got, want map[string][]byte, what string) {
	t.Helper()
	for key, value := range want {
		if other, ok := got[key]; !ok || !bytes.Equal(other, value) {
			t.Errorf("%s: row %x is %x, want %x", what, key, other, value)
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
	}
}

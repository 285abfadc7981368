package stage

import (
	"testing"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// TestGoodsIn plays the first act: auditors attest, goods come in, the next
// block carries the coins out, and the depositor pays somebody.
func TestGoodsIn(t *testing.T) {
	h, people := openPlay(t)
	depositor, baker := people("depositor"), people("baker")
	receive := receiveFor(t, h, 0, 0, "LOT-1", 20_000, depositor.Script)
	for auditor := range uint16(2) {
		give(t, h)(h.Cast.Attest(auditor, receive))
	}
	mine(t, h, 1)
	give(t, h)(h.Cast.Act(state.RoleCustodian, 0, receive))
	mine(t, h, 1)
	receipt, err := readReceipt(h, 0)
	if err != nil || receipt == nil || receipt.Undrawn != 20_000 {
		t.Fatalf("receipt %+v, %v", receipt, err)
	}
	draw(t, h, receipt)
	have, err := h.Cast.Balance(depositor)
	if err != nil || have == 0 {
		t.Fatalf("the depositor has %d, %v", have, err)
	}
	give(t, h)(h.Cast.Pay(depositor, baker, have/2))
	mine(t, h, 1)
	if got, err := h.Cast.Balance(baker); err != nil || got != have/2 {
		t.Fatalf("the baker has %d of %d, %v", got, have/2, err)
	}
	if err := h.CheckState(); err != nil {
		t.Fatal(err)
	}
}

func openPlay(t *testing.T) (*House, func(name string) Person) {
	t.Helper()
	cast := New(nil, nil)
	secret := []byte(t.Name())
	names := [6]string{"north silo", "harbour vault", "first auditor", "second auditor", "third auditor", "council"}
	var scripts [6][]byte
	for i, name := range names {
		scripts[i] = cast.Person(secret, name).Script
	}
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte(scripts[:2]), Auditors: [3][]byte(scripts[2:5]), Council: scripts[5],
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := OpenHouse(t.Context(), t.TempDir(), charter, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, name := range names {
		h.Cast.Person(secret, name)
	}
	h.MinerScript = h.Cast.Person(secret, "miner").Script
	mine(t, h, params.GoodsStartHeight)
	return h, func(name string) Person { return h.Cast.Person(secret, name) }
}

func mine(t *testing.T, h *House, n int) {
	t.Helper()
	if err := h.Mine(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func give(t *testing.T, h *House) func(*state.Tx, error) *state.Tx {
	return func(tx *state.Tx, err error) *state.Tx {
		t.Helper()
		tx, err = h.Give(tx, err)
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
}

func receiveFor(t *testing.T, h *House, custodian, good uint16, serial string, quantity int64, script []byte) goods.Receive {
	t.Helper()
	observed, err := h.Cast.Observed()
	if err != nil {
		t.Fatal(err)
	}
	expiry, err := h.Cast.Expiry()
	if err != nil {
		t.Fatal(err)
	}
	return goods.Receive{
		Custodian: custodian, Expiry: expiry, Observed: observed,
		Openings: []goods.Opening{{Good: good, Serial: serial, Quantity: quantity, Location: "Hall 1", Script: script}},
	}
}

func readReceipt(h *House, number uint64) (r *state.Receipt, err error) {
	err = h.Chain.View(func(_ *state.Header, v state.View) error { r, err = goods.ReadReceipt(v, number); return err })
	return r, err
}

// draw mines until the coins of a receipt are out: the template makes the
// draws by itself.
func draw(t *testing.T, h *House, receipt *state.Receipt) {
	t.Helper()
	mine(t, h, 1)
	after, err := readReceipt(h, receipt.Number)
	if err != nil || after.Free != receipt.Undrawn {
		t.Fatalf("after a block receipt %d is %+v, %v", receipt.Number, after, err)
	}
}

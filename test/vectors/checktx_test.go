package vectors_test

import (
	"testing"

	"granary/params"
	"granary/rules/block"
	"granary/state"
	"granary/test/vectors"
)

// Every transaction of the vectors passes the checks that need no context,
// but for those marked BADTX.
func TestTxContextFree(t *testing.T) {
	law := block.Rules{Net: params.MainNet()}
	for _, name := range []string{"tx_valid.json", "tx_invalid.json"} {
		bad, good := 0, 0
		for _, c := range vectors.TxTests(t, name) {
			tx, err := state.DecodeTx(c.Raw)
			if err != nil {
				t.Errorf("%s %s: decode: %v", name, c.Name, err)
				continue
			}
			err = law.CheckTx(tx)
			if want := c.Flags == "BADTX"; (err != nil) != want {
				t.Errorf("%s %s: %v, want an error: %v", name, c.Name, err, want)
			}
			if err != nil {
				bad++
			} else {
				good++
			}
		}
		t.Logf("%s: %d pass, %d are refused", name, good, bad)
	}
}

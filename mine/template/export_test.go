package template

import (
	"fmt"

	"granary/rules/goods"
	"granary/state"
)

// Problem compares what a vault remembers with one that reads the state now:
// it may know too much, never too little. "" where all is well.
func (v *Vault) Problem(fresh *Vault) (problem string, err error) {
	if err := fresh.ready(); err != nil {
		return "", err
	}
	err = v.chain.View(func(_ *state.Header, view state.View) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		for out := range fresh.purse.outputs {
			meaning, err := goods.MeaningOf(view, out)
			if err != nil {
				return err
			}
			if meaning.Kind == state.MeansNothing && v.purse.outputs[out] == nil {
				problem = fmt.Sprintf("the vault does not know the pool's output %v", out)
			}
		}
		v.receipts.settle()
		for _, hint := range fresh.receipts.list {
			at, found := v.receipts.find(hint.number)
			if found {
				hint.small = v.receipts.list[at].small
			}
			if !found || v.receipts.list[at] != hint {
				problem = fmt.Sprintf("the vault does not know receipt %d as it is", hint.number)
			}
		}
		for at, h := range v.receipts.list {
			if at > 0 && v.receipts.list[at-1].number >= h.number {
				problem = fmt.Sprintf("receipt %d is out of order", h.number)
			}
		}
		return nil
	})
	return problem, err
}

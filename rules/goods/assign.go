package goods

import "granary/state"

// Assign hands a claim on: output 0 is its token from now on.
type Assign struct{ ClaimRef }

// Type implements Record.
func (Assign) Type() RecordType { return TypeAssign }

// Body implements Record: claim u64, id 8 bytes.
func (r Assign) Body() []byte { return r.append(nil) }

func parseAssign(body []byte) (Record, error) {
	ref, err := parseClaimRef(TypeAssign, body)
	if err != nil {
		return nil, err
	}
	return Assign{ref}, nil
}

func (r Assign) check(a *action) error {
	c, err := a.g.claim(r.ClaimRef)
	if err != nil {
		return err
	}
	if err := a.takeToken(c); err != nil {
		return err
	}
	return a.checkTokenOutput()
}

func (r Assign) apply(a *action) error {
	c, err := a.g.claim(r.ClaimRef)
	if err != nil {
		return err
	}
	before := *c
	if err := a.g.setMeaning(before.Token, state.Meaning{}); err != nil {
		return err
	}
	if err := a.moveToken(c); err != nil {
		return err
	}
	a.g.events = append(a.g.events, ClaimAssigned{Claim: *c, From: before.Token, FromScript: before.TokenScript})
	return nil
}

var _ Record = Assign{}

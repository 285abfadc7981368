package goods

import "granary/base/check"

// Rotate moves a seat to output 0 and does nothing else: the record of an
// idle seat that changes its keys. Any seat may rotate; the body is empty.
type Rotate struct{}

// Type implements Record.
func (Rotate) Type() RecordType { return TypeRotate }

// Body implements Record: it is empty.
func (Rotate) Body() []byte { return nil }

func parseRotate(body []byte) (Record, error) {
	if len(body) > 0 {
		return nil, check.Rule(CodeRecordMalformed, "rotate has a body of %d bytes, it must be empty", len(body))
	}
	return Rotate{}, nil
}

func (Rotate) check(a *action) error {
	_, err := a.actingSeat()
	return err
}

func (Rotate) apply(a *action) error { return a.moveSeat() }

var _ Record = Rotate{}

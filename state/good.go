package state

import (
	"encoding/binary"
	"fmt"

	"granary/params"
)

// GoodInForce is a good as it holds since a height; 1 at launch.
type GoodInForce struct {
	params.Good
	Since int32
}

// Encode gives the canonical value under KeyGood: the good as in the charter,
// since u32.
func (g *GoodInForce) Encode() []byte {
	return binary.LittleEndian.AppendUint32(g.Good.Encode(), uint32(g.Since))
}

// DecodeGoodInForce reads what Encode wrote; it does not judge the values.
func DecodeGoodInForce(value []byte) (*GoodInForce, error) {
	if len(value) < 4 {
		return nil, fmt.Errorf("stored good %x is damaged", value)
	}
	good, err := params.DecodeGood(value[:len(value)-4])
	if err != nil {
		return nil, err
	}
	since := NewByteReader(value[len(value)-4:])
	g := &GoodInForce{Good: good, Since: since.Height()}
	if !since.Done() {
		return nil, fmt.Errorf("stored good %x is damaged", value)
	}
	return g, nil
}

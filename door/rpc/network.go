package rpc

// Network is what the door needs of the peer-to-peer network.
type Network interface {
	// Connections counts the links whose handshake is done.
	Connections() (inbound, outbound int)
}

// connections is how many peers there are.
func (c *call) connections() int {
	if c.Network == nil {
		return 0
	}
	in, out := c.Network.Connections()
	return in + out
}

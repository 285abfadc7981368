package peer

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"granary/p2p/message"
)

// featureVersion is from which version on wtxidrelay and sendaddrv2 are sent
// (BIP339; Bitcoin Core sends both to the same peers).
const featureVersion = 70016

// maxEarly is how many messages that may come before verack are kept for the
// handlers.
const maxEarly = 4

// shake is what a handshake has gathered.
type shake struct {
	their          *message.Version
	wtxids, addrV2 bool
	early          []message.Message
	offset         time.Duration
}

// handshake exchanges version and verack as Bitcoin Core does: who dialled
// speaks first; what comes out of turn is ignored.
func (l *Link) handshake() (*shake, error) {
	if l.opt.Kind != Inbound {
		l.sendVersion()
	}
	s := &shake{}
	for {
		m, give, err := l.read()
		if err != nil {
			return nil, err
		}
		give()
		done, err := l.shakeOn(s, m)
		if err != nil {
			return nil, err
		}
		if done || (l.opt.Kind == Feeler && s.their != nil) {
			l.settle(s)
			return s, nil
		}
	}
}

// shakeOn takes the next message of a handshake.
func (l *Link) shakeOn(s *shake, m message.Message) (done bool, err error) {
	if version, ok := m.(*message.Version); ok && s.their == nil {
		s.their = version
		return false, l.meet(s)
	}
	if s.their == nil {
		return false, nil
	}
	switch m.(type) {
	case *message.VerAck:
		return true, nil
	case *message.WTxIDRelay:
		s.wtxids = common(s.their) >= featureVersion
	case *message.SendAddrV2:
		s.addrV2 = true
	case *message.SendHeaders, *message.SendCmpct:
		if len(s.early) < maxEarly {
			s.early = append(s.early, m)
		}
	}
	return false, nil
}

// meet looks at the peer's version message and answers it.
func (l *Link) meet(s *shake) error {
	their := s.their
	switch {
	case l.opt.Kind == Inbound && l.loop.ownNonce(their.Nonce):
		return ErrSelf
	case their.Version < message.MinProtocolVersion:
		return fmt.Errorf("using obsolete version %d; disconnecting, the least is %d", their.Version, message.MinProtocolVersion)
	case l.opt.Wants != nil && !l.opt.Wants(their.Services):
		return fmt.Errorf("does not serve what is wanted (services %#x)", uint64(their.Services))
	}
	s.offset = time.Unix(their.Time, 0).Sub(l.loop.clock.Now())
	if l.opt.Kind == Feeler {
		return nil
	}
	if l.opt.Kind == Inbound {
		l.sendVersion()
	}
	if common(their) >= featureVersion {
		l.Send(&message.WTxIDRelay{})
		l.Send(&message.SendAddrV2{})
	}
	l.Send(&message.VerAck{})
	return nil
}

// common is the version that both speak.
func common(their *message.Version) int32 { return min(their.Version, message.ProtocolVersion) }

func (l *Link) sendVersion() {
	self := l.opt.Self()
	v := &message.Version{
		Version: message.ProtocolVersion, Services: self.Services, Time: l.loop.clock.Now().Unix(),
		From: message.OldAddress{Services: self.Services}, Nonce: l.nonce, UserAgent: self.UserAgent,
		StartHeight: self.StartHeight, Relay: self.Relay && l.relays(),
	}
	if at, err := netip.ParseAddrPort(l.opt.Addr); err == nil {
		v.To.IP, v.To.Port = at.Addr().As16(), at.Port()
	}
	l.Send(v)
}

// relays reports whether transactions go over a link of this kind.
func (l *Link) relays() bool { return l.opt.Kind != BlockRelay && l.opt.Kind != Feeler }

// settle makes the facts.
func (l *Link) settle(s *shake) {
	facts := *l.facts.Load()
	facts.Version = common(s.their)
	facts.Services = s.their.Services
	facts.UserAgent = cleanText(s.their.UserAgent)
	facts.StartHeight = s.their.StartHeight
	facts.WTxIDRelay, facts.AddrV2 = s.wtxids, s.addrV2
	facts.Relay = s.their.Relay && l.relays()
	facts.SeenAs = netip.AddrPortFrom(netip.AddrFrom16(s.their.To.IP).Unmap(), s.their.To.Port)
	l.facts.Store(&facts)
	l.mu.Lock()
	l.live.offset = s.offset
	l.mu.Unlock()
}

// errHandshake is the end of a peer that takes too long to greet.
var errHandshake = errors.New("no handshake within the time allowed")

package params

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/bits"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"
)

// NetworkBase says on which rules of work and addresses a charter's chain
// stands. The numbers are those of the canonical encoding.
type NetworkBase uint8

// The bases. SignetOpen is work alone; the sealed ones need the signatures of
// k of n sealers beside work, as a bare script or behind a P2WSH.
const (
	BaseRegtest      NetworkBase = 1
	BaseSignetOpen   NetworkBase = 2
	BaseSignetBare   NetworkBase = 3
	BaseSignetHashed NetworkBase = 4
	BaseCustom       NetworkBase = 5
)

// CharterNetwork is the base network of a charter. Sealed is for the sealed
// signets only, Custom for custom networks only.
type CharterNetwork struct {
	Base   NetworkBase
	Sealed Sealers
	Custom CustomNetwork
}

// Sealers are the keys of a sealed signet: Required of Keys (compressed, in
// the order of the script) sign every block. They can never rotate.
type Sealers struct {
	Required int
	Keys     [][]byte
}

// CustomNetwork describes a network of its own: it gives stock Bitcoin
// software up.
type CustomNetwork struct {
	Magic            [4]byte // in file order
	HRP              string  // of bech32 addresses
	PubKeyHashPrefix uint8
	ScriptHashPrefix uint8
	PrivateKeyPrefix uint8
	SpacingSeconds   uint32
	RetargetBlocks   uint32
	HalvingBlocks    uint32
	PowLimitBits     uint32
	NoRetargeting    bool
	GenesisTime      uint32 // Unix seconds
	GenesisNonce     uint32
	GenesisMessage   string
}

// saltTag separates the salt of an open signet's challenge.
const saltTag = "granary/signet-salt"

// SignetChallenge is the BIP325 challenge script of a charter on signet, nil
// on other bases. The open one is 20 <salt> 75 51 with the salt taken from
// the charter id, so that every charter has a network of its own.
func (c *Charter) SignetChallenge() []byte {
	switch c.Base.Base {
	case BaseSignetOpen:
		id := c.ID()
		salt := chainhash.TaggedHash([]byte(saltTag), id[:])
		b := append([]byte{txscript.OP_DATA_32}, salt[:]...)
		return append(b, txscript.OP_DROP, txscript.OP_TRUE)
	case BaseSignetBare:
		return c.Base.Sealed.script()
	case BaseSignetHashed:
		sum := sha256.Sum256(c.Base.Sealed.script())
		return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, sum[:]...)
	}
	return nil
}

// script is k <keys> n OP_CHECKMULTISIG; at most 15 keys.
func (s *Sealers) script() []byte {
	b := []byte{txscript.OP_1 - 1 + byte(s.Required)}
	for _, key := range s.Keys {
		b = append(append(b, byte(len(key))), key...)
	}
	return append(b, txscript.OP_1-1+byte(len(s.Keys)), txscript.OP_CHECKMULTISIG)
}

// Network gives the base network on which the charter's chain runs, with its
// signet challenge or its own numbers filled in.
func (c *Charter) Network() (*Network, error) {
	switch c.Base.Base {
	case BaseRegtest:
		return RegTest(), nil
	case BaseSignetOpen, BaseSignetBare, BaseSignetHashed:
		return SigNet(c.SignetChallenge()), nil
	case BaseCustom:
		return c.Base.Custom.network(c.Name)
	}
	return nil, fmt.Errorf("charter network %d is unknown: use regtest, signet or custom", c.Base.Base)
}

// chainParams gives what addresses need; it works before the id is known.
func (n *CharterNetwork) chainParams() *chaincfg.Params {
	switch n.Base {
	case BaseRegtest:
		return &chaincfg.RegressionNetParams
	case BaseCustom:
		return n.Custom.chain("custom")
	}
	return &chaincfg.SigNetParams
}

func (n *CustomNetwork) chain(name string) *chaincfg.Params {
	chain := chaincfg.RegressionNetParams // a copy: extended keys are test networks'
	chain.Name = name
	chain.Net = wire.BitcoinNet(uint32(n.Magic[0]) | uint32(n.Magic[1])<<8 | uint32(n.Magic[2])<<16 | uint32(n.Magic[3])<<24)
	chain.DefaultPort = "28444"
	chain.DNSSeeds, chain.Checkpoints = nil, nil
	chain.Bech32HRPSegwit = n.HRP
	chain.PubKeyHashAddrID = n.PubKeyHashPrefix
	chain.ScriptHashAddrID = n.ScriptHashPrefix
	chain.PrivateKeyID = n.PrivateKeyPrefix
	return &chain
}

func (n *CustomNetwork) network(name string) (*Network, error) {
	limit, ok := compactTarget(n.PowLimitBits)
	if !ok {
		return nil, fmt.Errorf("pow_limit_bits %08x is not a target: use such as 1d00ffff", n.PowLimitBits)
	}
	chain := n.chain(name)
	chain.GenesisBlock = n.Genesis()
	hash := chain.GenesisBlock.BlockHash()
	chain.GenesisHash = &hash
	chain.PowLimit, chain.PowLimitBits = limit.ToBig(), n.PowLimitBits
	chain.TargetTimespan = time.Duration(n.SpacingSeconds) * time.Duration(n.RetargetBlocks) * time.Second
	chain.TargetTimePerBlock = time.Duration(n.SpacingSeconds) * time.Second
	chain.SubsidyReductionInterval = int32(n.HalvingBlocks)
	net := base(chain, "custom", "custom", "custom", 28443, 28444)
	net.allFromBlockOne()
	net.NoRetargeting, net.AllowMinDifficulty, net.MineOnDemand = n.NoRetargeting, n.NoRetargeting, n.NoRetargeting
	return net, nil
}

// Genesis is block 0 of a custom network. Its one output is unspendable and
// carries nothing: genesis contributes nothing to the goods rules.
func (n *CustomNetwork) Genesis() *wire.MsgBlock {
	tx := wire.NewMsgTx(1)
	message := append([]byte{byte(len(n.GenesisMessage))}, n.GenesisMessage...)
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, wire.MaxPrevOutIndex), message, nil))
	tx.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN}))
	merkle := tx.TxHash()
	header := wire.NewBlockHeader(1, &chainhash.Hash{}, &merkle, n.PowLimitBits, n.GenesisNonce)
	header.Timestamp = time.Unix(int64(n.GenesisTime), 0)
	block := wire.NewMsgBlock(header)
	block.Transactions = []*wire.MsgTx{tx}
	return block
}

// FindGenesisNonce searches the first nonce whose genesis block meets the
// target, among the given number of tries; ok is false if there is none.
func (n CustomNetwork) FindGenesisNonce(tries uint32) (nonce uint32, ok bool) {
	target, valid := compactTarget(n.PowLimitBits)
	if !valid {
		return 0, false
	}
	header := n.Genesis().Header
	for header.Nonce = 0; header.Nonce < tries; header.Nonce++ {
		if hash := header.BlockHash(); hashNumber(&hash).Cmp(&target) <= 0 {
			return header.Nonce, true
		}
	}
	return 0, false
}

func hashNumber(hash *chainhash.Hash) *uint256.Int {
	be := bytes.Clone(hash[:])
	for i, j := 0, len(be)-1; i < j; i, j = i+1, j-1 {
		be[i], be[j] = be[j], be[i]
	}
	return new(uint256.Int).SetBytes32(be)
}

// compactTarget expands compact bits in their one normal form.
func compactTarget(compact uint32) (target uint256.Int, ok bool) {
	exponent, mantissa := compact>>24, compact&0x00ffffff
	if mantissa > 0x7fffff || mantissa < 0x008000 || exponent < 3 || exponent > 32 {
		return target, false
	}
	target.SetUint64(uint64(mantissa))
	target.Lsh(&target, uint(8*(exponent-3)))
	return target, true
}

// retargetFits reports whether a target times four timespans stays below
// 2^256, which the difficulty rule needs.
func (n *CustomNetwork) retargetFits(target *uint256.Int) bool {
	timespan := 4 * uint64(n.SpacingSeconds) * uint64(n.RetargetBlocks)
	return target.BitLen()+bits.Len64(timespan) <= 256
}

func (w *canonicalWriter) network(n *CharterNetwork) {
	w.u8(uint8(n.Base))
	switch n.Base {
	case BaseSignetBare, BaseSignetHashed:
		w.u8(uint8(n.Sealed.Required))
		w.u16(len(n.Sealed.Keys))
		for _, key := range n.Sealed.Keys {
			w.text(string(key))
		}
	case BaseCustom:
		c := &n.Custom
		w.bytes(c.Magic[:])
		w.text(c.HRP)
		w.bytes([]byte{c.PubKeyHashPrefix, c.ScriptHashPrefix, c.PrivateKeyPrefix})
		for _, v := range []uint32{c.SpacingSeconds, c.RetargetBlocks, c.HalvingBlocks, c.PowLimitBits} {
			w.u32(v)
		}
		w.u8(map[bool]uint8{true: 1}[c.NoRetargeting])
		w.u32(c.GenesisTime)
		w.u32(c.GenesisNonce)
		w.text(c.GenesisMessage)
	}
}

func (r *canonicalReader) network() CharterNetwork {
	n := CharterNetwork{Base: NetworkBase(r.u8())}
	switch n.Base {
	case BaseSignetBare, BaseSignetHashed:
		n.Sealed.Required = int(r.u8())
		for range r.count() {
			n.Sealed.Keys = append(n.Sealed.Keys, []byte(r.text()))
		}
	case BaseCustom:
		c := &n.Custom
		copy(c.Magic[:], r.take(4))
		c.HRP = r.text()
		c.PubKeyHashPrefix, c.ScriptHashPrefix, c.PrivateKeyPrefix = r.u8(), r.u8(), r.u8()
		c.SpacingSeconds, c.RetargetBlocks, c.HalvingBlocks, c.PowLimitBits = r.u32(), r.u32(), r.u32(), r.u32()
		c.NoRetargeting = r.u8() == 1
		c.GenesisTime, c.GenesisNonce = r.u32(), r.u32()
		c.GenesisMessage = r.text()
	}
	return n
}

package params

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"
)

// Network is a base network: Bitcoin's consensus numbers, the genesis block
// and the prefixes of addresses. It is immutable after construction.
type Network struct {
	// Name is the word of --network: mainnet, testnet4, signet, regtest,
	// custom.
	Name string
	// RPCChain is what getblockchaininfo calls the chain: main, testnet4,
	// signet, regtest, or custom.
	RPCChain string
	// DataDir is the folder below the data directory, by Bitcoin Core's
	// convention: "" for mainnet, "testnet4", "signet", "regtest", "custom".
	DataDir string
	// RPCPort and P2PPort are the default ports.
	RPCPort, P2PPort uint16

	// Chain carries the ecosystem's view: genesis block, magic, address and
	// key prefixes. Its difficulty and deployment fields are not consulted.
	Chain *chaincfg.Params

	// PowLimit is the easiest target; PowLimitBits its compact form.
	PowLimit     uint256.Int
	PowLimitBits uint32
	// NoRetargeting keeps the first difficulty for ever (regtest).
	NoRetargeting bool
	// AllowMinDifficulty lets a block use PowLimit when it comes more than
	// twice the spacing after its parent (test networks, regtest).
	AllowMinDifficulty bool
	// EnforceBIP94 is testnet4's time warp and block storm rule.
	EnforceBIP94 bool
	// TimespanSeconds and SpacingSeconds give the retarget interval.
	TimespanSeconds, SpacingSeconds int64
	// SubsidyHalvingInterval is in blocks.
	SubsidyHalvingInterval int32

	// Heights from which the buried deployments hold.
	BIP34Height, BIP65Height, BIP66Height, CSVHeight, SegwitHeight int32
	// BIP34Hash is the block at BIP34Height after which BIP30 need not be
	// checked; the zero hash where there is none.
	BIP34Hash chainhash.Hash
	// TaprootHeight is where taproot became active, for display; its rules
	// hold from the start but for ScriptExceptions, as in Bitcoin Core.
	TaprootHeight int32
	// ScriptExceptions are blocks that broke a later script rule: the value
	// says which of P2SH, witness and taproot hold in them.
	ScriptExceptions map[chainhash.Hash]ScriptException
	// BIP30Exceptions are the two blocks allowed to overwrite a coinbase.
	BIP30Exceptions map[chainhash.Hash]bool

	// SignetChallenge is the BIP325 challenge script, nil elsewhere.
	SignetChallenge []byte
	// MineOnDemand allows generatetoaddress and friends.
	MineOnDemand bool
}

// ScriptException says which script rules hold in an excepted block.
type ScriptException struct{ P2SH, Witness, Taproot bool }

// RetargetInterval is the number of blocks between difficulty changes.
func (n *Network) RetargetInterval() int32 { return int32(n.TimespanSeconds / n.SpacingSeconds) }

// SubsidyUnits is the new coin that a block at height may create.
func (n *Network) SubsidyUnits(height int32) int64 {
	halvings := height / n.SubsidyHalvingInterval
	if halvings >= 64 {
		return 0
	}
	return int64(50*UnitsPerCoin) >> uint(halvings)
}

// GenesisHash is the id of block 0.
func (n *Network) GenesisHash() chainhash.Hash { return *n.Chain.GenesisHash }

// Magic is the four bytes before messages and stored blocks, in file order.
func (n *Network) Magic() [4]byte {
	var m [4]byte
	binary.LittleEndian.PutUint32(m[:], uint32(n.Chain.Net))
	return m
}

// NetworkNames are the words that --network takes.
var NetworkNames = []string{"mainnet", "testnet4", "signet", "regtest", "custom"}

// NetworkByName gives a fresh base network. signetChallenge is used by signet
// only; nil there means the public signet. "custom" exists only through a
// charter and is refused here.
func NetworkByName(name string, signetChallenge []byte) (*Network, error) {
	switch name {
	case "mainnet":
		return MainNet(), nil
	case "testnet4":
		return TestNet4(), nil
	case "signet":
		if signetChallenge == nil {
			signetChallenge = chaincfg.DefaultSignetChallenge
		}
		return SigNet(signetChallenge), nil
	case "regtest":
		return RegTest(), nil
	case "custom":
		return nil, fmt.Errorf("network custom needs a charter that describes it: add --charter FILE")
	}
	return nil, fmt.Errorf("unknown network %q: use mainnet, testnet4, signet, regtest, or custom with a charter", name)
}

// MainNet is Bitcoin's main network.
func MainNet() *Network {
	n := base(&chaincfg.MainNetParams, "mainnet", "main", "", 8332, 8333)
	n.BIP34Height, n.BIP65Height, n.BIP66Height = 227931, 388381, 363725
	n.CSVHeight, n.SegwitHeight, n.TaprootHeight = 419328, 481824, 709632
	n.BIP34Hash = mustHash("000000000000024b89b42a942fe0d9fea3bb44ab7bd1b19115dd6a759c0808b8")
	n.ScriptExceptions = map[chainhash.Hash]ScriptException{
		mustHash("00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22"): {},
		mustHash("0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad"): {P2SH: true, Witness: true},
	}
	n.BIP30Exceptions = map[chainhash.Hash]bool{
		mustHash("00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec"): true,
		mustHash("00000000000743f190a18c5577a3c2d2a1f610ae9601ac046a38084ccb7cd721"): true,
	}
	return n
}

// TestNet4 is the public test network of BIP94.
func TestNet4() *Network {
	n := base(&chaincfg.TestNet4Params, "testnet4", "testnet4", "testnet4", 48332, 48333)
	n.allFromBlockOne()
	n.AllowMinDifficulty, n.EnforceBIP94 = true, true
	return n
}

// SigNet is a BIP325 network with the given challenge script; its magic is
// the first four bytes of the double SHA-256 of the serialized challenge.
func SigNet(challenge []byte) *Network {
	chain := chaincfg.CustomSignetParams(challenge, nil)
	var serialized bytes.Buffer
	if err := wire.WriteVarBytes(&serialized, 0, challenge); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	sum := chainhash.DoubleHashB(serialized.Bytes())
	chain.Net = wire.BitcoinNet(binary.LittleEndian.Uint32(sum[:4]))
	n := base(&chain, "signet", "signet", "signet", 38332, 38333)
	n.allFromBlockOne()
	n.SignetChallenge = bytes.Clone(challenge)
	n.MineOnDemand = true
	return n
}

// RegTest is the local network whose blocks anyone makes at will.
func RegTest() *Network {
	n := base(&chaincfg.RegressionNetParams, "regtest", "regtest", "regtest", 18443, 18444)
	n.allFromBlockOne()
	n.SegwitHeight, n.TaprootHeight = 0, 0
	n.NoRetargeting, n.AllowMinDifficulty, n.MineOnDemand = true, true, true
	return n
}

func (n *Network) allFromBlockOne() {
	n.BIP34Height, n.BIP65Height, n.BIP66Height = 1, 1, 1
	n.CSVHeight, n.SegwitHeight, n.TaprootHeight = 1, 1, 1
}

func base(chain *chaincfg.Params, name, rpcChain, dataDir string, rpcPort, p2pPort uint16) *Network {
	n := &Network{
		Name: name, RPCChain: rpcChain, DataDir: dataDir, RPCPort: rpcPort, P2PPort: p2pPort,
		Chain:                  chain,
		PowLimitBits:           chain.PowLimitBits,
		TimespanSeconds:        int64(chain.TargetTimespan.Seconds()),
		SpacingSeconds:         int64(chain.TargetTimePerBlock.Seconds()),
		SubsidyHalvingInterval: chain.SubsidyReductionInterval,
	}
	n.PowLimit.SetFromBig(chain.PowLimit)
	return n
}

func mustHash(s string) chainhash.Hash {
	h, err := chainhash.NewHashFromStr(s)
	if err != nil {
		panic(err) // a constant of this file
	}
	return *h
}

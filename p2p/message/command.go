package message

// The names of the messages.

func (*Version) Command() string      { return "version" }
func (*VerAck) Command() string       { return "verack" }
func (*WTxIDRelay) Command() string   { return "wtxidrelay" }
func (*SendAddrV2) Command() string   { return "sendaddrv2" }
func (*SendHeaders) Command() string  { return "sendheaders" }
func (*GetAddr) Command() string      { return "getaddr" }
func (*MemPool) Command() string      { return "mempool" }
func (*Ping) Command() string         { return "ping" }
func (*Pong) Command() string         { return "pong" }
func (*FeeFilter) Command() string    { return "feefilter" }
func (*SendCmpct) Command() string    { return "sendcmpct" }
func (*Addr) Command() string         { return "addr" }
func (*AddrV2) Command() string       { return "addrv2" }
func (*Inv) Command() string          { return "inv" }
func (*GetData) Command() string      { return "getdata" }
func (*NotFound) Command() string     { return "notfound" }
func (*GetHeaders) Command() string   { return "getheaders" }
func (*GetBlocks) Command() string    { return "getblocks" }
func (*Headers) Command() string      { return "headers" }
func (*Block) Command() string        { return "block" }
func (*RawBlock) Command() string     { return "block" }
func (*Tx) Command() string           { return "tx" }
func (*CmpctBlock) Command() string   { return "cmpctblock" }
func (*GetBlockTxn) Command() string  { return "getblocktxn" }
func (*BlockTxn) Command() string     { return "blocktxn" }
func (*GetCFilters) Command() string  { return "getcfilters" }
func (*CFilter) Command() string      { return "cfilter" }
func (*GetCFHeaders) Command() string { return "getcfheaders" }
func (*CFHeaders) Command() string    { return "cfheaders" }
func (*GetCFCheckpt) Command() string { return "getcfcheckpt" }
func (*CFCheckpt) Command() string    { return "cfcheckpt" }

// Command is the name that the peer gave.
func (u *Unknown) Command() string { return u.Name }

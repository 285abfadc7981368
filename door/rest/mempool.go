package rest

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"granary/door/rpc"
	"granary/state"
)

func (q *request) mempool() *failure {
	switch strings.Join(q.path, "/") {
	case "info":
		return q.plain("getmempoolinfo")
	case "contents":
	default:
		return bad("Invalid URI format. Expected /rest/mempool/<info|contents>.json")
	}
	verbose, f := q.truth("verbose", true)
	if f != nil {
		return f
	}
	sequence, f := q.truth("mempool_sequence", false)
	if f != nil {
		return f
	}
	if verbose && sequence {
		return bad(`Verbose results cannot contain mempool sequence values. (hint: set "verbose=false")`)
	}
	return q.plain("getrawmempool", rpc.BoolValue(verbose), rpc.BoolValue(sequence))
}

// truth reads a query parameter that is true or false.
func (q *request) truth(name string, fallback bool) (bool, *failure) {
	switch text := q.r.URL.Query().Get(name); text {
	case "":
		return fallback, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, bad(`The "%s" query parameter must be either "true" or "false".`, name)
}

// maxOutPoints bounds one question for unspent outputs (BIP64's limit).
const maxOutPoints = 15

// mempoolHeight is the height of an output that no block holds yet.
const mempoolHeight = 0x7fffffff

// outPoint is an output that is asked for, its txid as shown.
type outPoint struct {
	txid string
	n    uint32
}

// unspent is one that is there.
type unspent struct {
	Height int64           `json:"height"`
	Value  json.Number     `json:"value"`
	Script json.RawMessage `json:"scriptPubKey"`
}

func (q *request) utxos() *failure {
	ops, withPool, f := q.outPoints()
	if f != nil {
		return f
	}
	if len(ops) > maxOutPoints {
		return bad("Error: max outpoints exceeded (max: %d, tried: %d)", maxOutPoints, len(ops))
	}
	// The answer is about one tip: when it moves meanwhile, ask again.
	const tries = 10
	for range tries {
		found, tip, height, same, f := q.lookUp(ops, withPool)
		switch {
		case f != nil:
			return f
		case same:
			return q.sendUTXOs(found, tip, height)
		}
	}
	return &failure{http.StatusServiceUnavailable, "the chain moves too fast: ask again"}
}

// lookUp asks for every output; same is false where the tip moved meanwhile.
func (q *request) lookUp(ops []outPoint, withPool bool) (found []*unspent, tip string, height int64, same bool, f *failure) {
	tip, height, f = q.tip()
	if f != nil {
		return nil, "", 0, false, f
	}
	for _, op := range ops {
		raw, f := q.call("gettxout", rpc.StringValue(op.txid), rpc.IntValue(int64(op.n)), rpc.BoolValue(withPool))
		if f != nil {
			return nil, "", 0, false, f
		}
		var out *struct {
			Confirmations int64
			Value         json.Number
			Script        json.RawMessage `json:"scriptPubKey"`
		}
		if err := json.Unmarshal(raw, &out); err != nil {
			return nil, "", 0, false, &failure{http.StatusInternalServerError, err.Error()}
		}
		if out == nil {
			found = append(found, nil)
			continue
		}
		at := height - out.Confirmations + 1
		if out.Confirmations == 0 {
			at = mempoolHeight
		}
		found = append(found, &unspent{at, out.Value, out.Script})
	}
	after, _, f := q.tip()
	return found, tip, height, f == nil && after == tip, f
}

func (q *request) tip() (hash string, height int64, f *failure) {
	raw, f := q.call("getblockchaininfo")
	if f != nil {
		return "", 0, f
	}
	var info struct {
		Blocks int64
		Best   string `json:"bestblockhash"`
	}
	if err := json.Unmarshal(raw, &info); err != nil {
		return "", 0, &failure{http.StatusInternalServerError, err.Error()}
	}
	return info.Best, info.Blocks, nil
}

// outPoints reads the question: in the path, or in the body (BIP64's bytes).
func (q *request) outPoints() (ops []outPoint, withPool bool, f *failure) {
	body, err := io.ReadAll(io.LimitReader(q.r.Body, 64<<10))
	if err != nil {
		return nil, false, bad("Parse error")
	}
	path := slices.DeleteFunc(slices.Clone(q.path), func(s string) bool { return s == "" })
	if len(path) == 0 && len(body) == 0 {
		return nil, false, bad("Error: empty request")
	}
	if len(path) > 0 {
		if path[0] == "checkmempool" {
			withPool, path = true, path[1:]
		}
		for _, part := range path {
			txid, n, _ := strings.Cut(part, "-")
			number, err := strconv.ParseUint(n, 10, 32)
			if err != nil || !validHash(txid) {
				return nil, false, bad("Parse error")
			}
			ops = append(ops, outPoint{txid, uint32(number)})
		}
		if len(ops) == 0 {
			return nil, false, bad("Error: empty request")
		}
	}
	switch q.form {
	case "json":
		if len(ops) == 0 {
			return nil, false, bad("Error: empty request")
		}
		return ops, withPool, nil
	case "hex":
		if body, err = hex.DecodeString(strings.TrimSpace(string(body))); err != nil {
			return nil, false, bad("Parse error")
		}
	case "bin":
	default:
		return nil, false, missing(allFormats)
	}
	switch {
	case len(body) == 0:
		return ops, withPool, nil
	case len(ops) > 0:
		return nil, false, bad("Combination of URI scheme inputs and raw post data is not allowed")
	}
	return parseOutPoints(body)
}

// parseOutPoints reads a flag, a count and outpoints.
func parseOutPoints(body []byte) (ops []outPoint, withPool bool, f *failure) {
	const each = 36
	if len(body) < 2 || body[1] >= 0xfd || len(body) != 2+each*int(body[1]) {
		return nil, false, bad("Parse error")
	}
	for at := 2; at < len(body); at += each {
		txid := slices.Clone(body[at : at+32])
		slices.Reverse(txid)
		ops = append(ops, outPoint{hex.EncodeToString(txid), binary.LittleEndian.Uint32(body[at+32:])})
	}
	return ops, body[0] != 0, nil
}

func (q *request) sendUTXOs(found []*unspent, tip string, height int64) *failure {
	bitmap, shown, there := make([]byte, (len(found)+7)/8), "", []*unspent{}
	for i, one := range found {
		if one == nil {
			shown += "0"
			continue
		}
		shown += "1"
		bitmap[i/8] |= 1 << (i % 8)
		there = append(there, one)
	}
	if q.form == "json" {
		raw, err := json.Marshal(struct {
			Height int64      `json:"chainHeight"`
			Tip    string     `json:"chaintipHash"`
			Bitmap string     `json:"bitmap"`
			UTXOs  []*unspent `json:"utxos"`
		}{height, tip, shown, there})
		if err != nil {
			return &failure{http.StatusInternalServerError, err.Error()}
		}
		return q.json(raw)
	}
	hash, _ := hex.DecodeString(tip)
	slices.Reverse(hash)
	out := binary.LittleEndian.AppendUint32(nil, uint32(height))
	out = append(out, hash...)
	out = append(state.AppendCompactSize(out, uint64(len(bitmap))), bitmap...)
	out = state.AppendCompactSize(out, uint64(len(there)))
	for _, one := range there {
		var err error
		if out, err = appendUnspent(out, one); err != nil {
			return &failure{http.StatusInternalServerError, err.Error()}
		}
	}
	return q.bytes(out, "")
}

// appendUnspent writes a version (0), the height and the output.
func appendUnspent(dst []byte, u *unspent) ([]byte, error) {
	var script struct{ Hex string }
	if err := json.Unmarshal(u.Script, &script); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(script.Hex)
	if err != nil {
		return nil, err
	}
	// Amounts have exactly eight decimals: without the point they are units.
	units, err := strconv.ParseInt(strings.Replace(u.Value.String(), ".", "", 1), 10, 64)
	if err != nil {
		return nil, err
	}
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(u.Height))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(units))
	return append(state.AppendCompactSize(dst, uint64(len(raw))), raw...), nil
}

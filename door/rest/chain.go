package rest

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"granary/door/rpc"
	"granary/state"
)

func (q *request) tx() *failure {
	txid, f := q.oneHash()
	if f != nil {
		return f
	}
	switch q.form {
	case "json":
		raw, f := q.call("getrawtransaction", txid, rpc.IntValue(1))
		if f != nil {
			return notFound(f, q.path[0])
		}
		return q.json(raw)
	case "hex", "bin":
		raw, f := q.callHex("getrawtransaction", txid)
		if f != nil {
			return notFound(f, q.path[0])
		}
		return q.bytes(raw, "")
	}
	return missing(allFormats)
}

// notFound says what is not there, as Core does.
func notFound(f *failure, what string) *failure {
	switch {
	case f.status == http.StatusNotFound:
		return missing("%s not found", what)
	case strings.HasPrefix(f.text, "Block not available"):
		return missing("%s%s", what, strings.TrimPrefix(f.text, "Block"))
	}
	return f
}

func (q *request) block() *failure {
	verbosity := int64(3)
	if len(q.path) > 0 && q.path[0] == "notxdetails" {
		verbosity, q.path = 1, q.path[1:]
	}
	block, f := q.oneHash()
	if f != nil {
		return f
	}
	switch q.form {
	case "json":
		raw, f := q.call("getblock", block, rpc.IntValue(verbosity))
		if f != nil {
			return notFound(f, q.path[0])
		}
		return q.json(raw)
	case "hex", "bin":
		raw, f := q.callHex("getblock", block, rpc.IntValue(0))
		if f != nil {
			return notFound(f, q.path[0])
		}
		return q.bytes(raw, "")
	}
	return missing(allFormats)
}

// maxRange bounds headers and filter headers in one answer.
const maxRange = 2000

// counted reads the two forms NAME/HASH?count=N and NAME/N/HASH.
func (q *request) counted(name, shape string) (block string, count int, f *failure) {
	text := q.r.URL.Query().Get("count")
	switch {
	case len(q.path) == 2:
		text, block = q.path[0], q.path[1]
	case len(q.path) == 1:
		block = q.path[0]
		if text == "" {
			text = "5"
		}
	default:
		return "", 0, bad("Invalid URI format. Expected /rest/%s/%s.<ext>?count=<count>", name, shape)
	}
	count, err := strconv.Atoi(text)
	if err != nil || count < 1 || count > maxRange {
		return "", 0, bad("Header count is invalid or out of acceptable range (1-%d): %s", maxRange, clip(text))
	}
	if !validHash(block) {
		return "", 0, bad("Invalid hash: %s", clip(block))
	}
	return block, count, nil
}

// upwards lists blocks of the active chain from one on; none where it is not
// there.
func (q *request) upwards(block string, count int) ([]string, *failure) {
	var hashes []string
	for next := block; next != "" && len(hashes) < count; {
		var h struct {
			Confirmations int
			Next          string `json:"nextblockhash"`
		}
		raw, f := q.call("getblockheader", rpc.StringValue(next))
		switch {
		case f != nil && f.status == http.StatusNotFound:
			return hashes, nil
		case f != nil:
			return nil, f
		case json.Unmarshal(raw, &h) != nil || h.Confirmations < 0:
			return hashes, nil
		}
		hashes = append(hashes, next)
		next = h.Next
	}
	return hashes, nil
}

func (q *request) headers() *failure {
	block, count, f := q.counted("headers", "<hash>")
	if f != nil {
		return f
	}
	if q.form == "" {
		return missing(allFormats)
	}
	hashes, f := q.upwards(block, count)
	if f != nil {
		return f
	}
	var raw []byte
	var shown []json.RawMessage
	for _, hash := range hashes {
		if q.form == "json" {
			one, f := q.call("getblockheader", rpc.StringValue(hash))
			if f != nil {
				return f
			}
			shown = append(shown, one)
			continue
		}
		one, f := q.callHex("getblockheader", rpc.StringValue(hash), rpc.BoolValue(false))
		if f != nil {
			return f
		}
		raw = append(raw, one...)
	}
	if q.form == "json" {
		return q.list(shown)
	}
	return q.bytes(raw, "")
}

func (q *request) list(items []json.RawMessage) *failure {
	if items == nil {
		items = []json.RawMessage{}
	}
	raw, err := json.Marshal(items)
	if err != nil {
		return &failure{http.StatusInternalServerError, err.Error()}
	}
	return q.json(raw)
}

func (q *request) blockHash() *failure {
	text := strings.Join(q.path, "/")
	height, err := strconv.ParseInt(text, 10, 32)
	if err != nil || height < 0 {
		return bad("Invalid height: %s", clip(text))
	}
	if q.form == "" {
		return missing(allFormats)
	}
	raw, f := q.call("getblockhash", rpc.IntValue(height))
	if f != nil {
		if f.status == http.StatusBadRequest {
			f.status = http.StatusNotFound
		}
		return f
	}
	if q.form == "json" {
		return q.json([]byte(`{"blockhash":` + string(raw) + `}`))
	}
	shown := strings.Trim(string(raw), `"`)
	bytes, err := hex.DecodeString(shown)
	if err != nil {
		return &failure{http.StatusInternalServerError, "getblockhash gave no hex"}
	}
	slices.Reverse(bytes)
	return q.bytes(bytes, shown)
}

// plain answers with the result of a method, as JSON only.
func (q *request) plain(method string, args ...rpc.Value) *failure {
	if q.form != "json" {
		return missing(onlyJSON)
	}
	raw, f := q.call(method, args...)
	if f != nil {
		return f
	}
	return q.json(raw)
}

func (q *request) chainInfo() *failure { return q.plain("getblockchaininfo") }

func (q *request) deployments() *failure {
	if len(q.path) == 0 {
		return q.plain("getdeploymentinfo")
	}
	block, f := q.oneHash()
	if f != nil {
		return f
	}
	if f := q.plain("getdeploymentinfo", block); f != nil {
		if f.status == http.StatusNotFound && f.text != onlyJSON {
			return bad("Block not found")
		}
		return f
	}
	return nil
}

// filterKind checks the type of filter that a path begins with and takes it
// off.
func (q *request) filterKind() *failure {
	if len(q.path) < 2 {
		return bad("Invalid URI format. Expected /rest/%s/<filtertype>/<blockhash>", strings.Split(q.r.URL.Path, "/")[2])
	}
	if q.path[0] != "basic" {
		return bad("Unknown filtertype %s", clip(q.path[0]))
	}
	q.path = q.path[1:]
	return nil
}

// blockFilter asks for a block's filter and its header.
func (q *request) blockFilter(block string) (filter, header string, f *failure) {
	raw, f := q.call("getblockfilter", rpc.StringValue(block), rpc.StringValue("basic"))
	if f != nil {
		return "", "", notFound(f, block)
	}
	var answer struct{ Filter, Header string }
	if err := json.Unmarshal(raw, &answer); err != nil {
		return "", "", &failure{http.StatusInternalServerError, err.Error()}
	}
	return answer.Filter, answer.Header, nil
}

func (q *request) filter() *failure {
	if f := q.filterKind(); f != nil {
		return f
	}
	if _, f := q.oneHash(); f != nil {
		return f
	}
	if q.form == "" {
		return missing(allFormats)
	}
	filter, _, f := q.blockFilter(q.path[0])
	if f != nil {
		return f
	}
	if q.form == "json" {
		return q.json([]byte(`{"filter":"` + filter + `"}`))
	}
	encoded, err := hex.DecodeString(filter)
	block, _ := hex.DecodeString(q.path[0])
	if err != nil {
		return &failure{http.StatusInternalServerError, "getblockfilter gave no hex"}
	}
	slices.Reverse(block)
	out := append([]byte{0}, block...) // the type, the block, the filter
	return q.bytes(append(state.AppendCompactSize(out, uint64(len(encoded))), encoded...), "")
}

func (q *request) filterHeaders() *failure {
	if f := q.filterKind(); f != nil {
		return f
	}
	block, count, f := q.counted("blockfilterheaders", "<filtertype>/<blockhash>")
	if f != nil {
		return f
	}
	if q.form == "" {
		return missing(allFormats)
	}
	hashes, f := q.upwards(block, count)
	if f != nil {
		return f
	}
	var raw []byte
	var shown []json.RawMessage
	for _, hash := range hashes {
		_, header, f := q.blockFilter(hash)
		if f != nil {
			return f
		}
		bytes, err := hex.DecodeString(header)
		if err != nil {
			return &failure{http.StatusInternalServerError, "getblockfilter gave no hex"}
		}
		slices.Reverse(bytes)
		raw, shown = append(raw, bytes...), append(shown, json.RawMessage(`"`+header+`"`))
	}
	if q.form == "json" {
		return q.list(shown)
	}
	return q.bytes(raw, "")
}

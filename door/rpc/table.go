package rpc

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// ParamType is what a parameter takes.
type ParamType uint8

// The parameter types of the table.
const (
	Text         ParamType = iota // a JSON string
	Hash                          // a string of 64 hex digits, byte-reversed as ids are shown
	Hex                           // a string of hex digits
	Integer                       // a JSON number without fraction
	Boolean                       // true or false
	Amount                        // coins, as a number or a string
	List                          // a JSON array
	Dict                          // a JSON object
	ListOrDict                    // either of the two
	Verbosity                     // a number, or false and true for 0 and 1
	HashOrHeight                  // a block hash or a height
	Range                         // an index, or an array of two
	Anything                      // any JSON value (echo)
	JSON                          // the same, which a command line gives as JSON
)

var paramTypes = [...]struct {
	help    string
	want    string // in type errors; "" means the handler looks itself
	kind    Kind
	textual bool // a command line word stays a string
}{
	Text:         {"string", "string", String, true},
	Hash:         {"string, 64 hex digits", "string", String, true},
	Hex:          {"string, hex", "string", String, true},
	Integer:      {"number", "number", Number, false},
	Boolean:      {"boolean", "bool", Bool, false},
	Amount:       {"number or string, in coins", "", Null, false},
	List:         {"array", "array", Array, false},
	Dict:         {"object", "object", Object, false},
	ListOrDict:   {"array or object", "", Null, false},
	Verbosity:    {"number, or boolean for 0 and 1", "", Null, false},
	HashOrHeight: {"number or string", "", Null, false},
	Range:        {"number, or array of two numbers", "", Null, false},
	Anything:     {"anything", "", Null, true},
	JSON:         {"anything, as JSON", "", Null, false},
}

func (t ParamType) accepts(kind Kind) (want string, ok bool) {
	spec := &paramTypes[t]
	return spec.want, spec.want == "" || spec.kind == kind
}

// Param is one parameter of a method.
type Param struct {
	Name     string
	Alias    string // an older name that is understood too; usually empty
	Type     ParamType
	Optional bool
	Default  string // shown in the help, as JSON
	Help     string // one line
}

func (p *Param) names() []string {
	if p.Alias == "" {
		return []string{p.Name}
	}
	return []string{p.Name, p.Alias}
}

// Method is a row of the table.
type Method struct {
	Name    string
	Family  string // the heading under which help lists it
	Summary string // what it does, one line
	Detail  string // what else must be known, units; may be empty
	Params  []Param
	Result  string // what it answers, with units
	run     func(*call) (any, error)
}

// Methods lists every method of the door, family by family, sorted by name
// within each. The result is the caller's.
func Methods() []Method {
	families := [][]Method{
		blockchainMethods(), utxoMethods(), branchMethods(), waitMethods(), controlMethods(),
		goodsMethods(), reserveMethods(), historyMethods(), receiptMethods(), claimMethods(), custodianMethods(), attestedMethods(),
		proofMethods(), mempoolMethods(), miningMethods(), generateMethods(), networkMethods(),
		rawTxMethods(), createTxMethods(), utilMethods(),
		mempoolFamilyMethods(), statsMethods(), txProofMethods(), scanMethods(), workMethods(), templateMethods(),
		peerMethods(), nodeMethods(), addressMethods(), filterMethods(), toolMethods(), poolMethods(), feeMethods(), signMethods(),
	}
	all := slices.Concat(families...)
	slices.SortFunc(all, func(a, b Method) int {
		if c := strings.Compare(a.Family, b.Family); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

func methodTable() map[string]*Method {
	all := Methods()
	table := make(map[string]*Method, len(all))
	for i := range all {
		table[all[i].Name] = &all[i]
	}
	return table
}

// marshal encodes a result without escaping for HTML.
func marshal(v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func itoa(n int) string { return strconv.Itoa(n) }

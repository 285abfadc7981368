package cli

import (
	"strings"
	"testing"
)

func TestSingleDashes(t *testing.T) {
	for given, want := range map[string]string{
		"node -regtest -rpcport=1":             "node --regtest --rpcport=1",
		"node --regtest -h":                    "node --regtest -h",
		"rpc -regtest -named getblock -x -1":   "rpc --regtest --named getblock -x -1",
		"rpc echo -regtest":                    "rpc echo -regtest",
		"rpc --datadir rpc -named getblock -1": "rpc --datadir rpc --named getblock -1",
		"node -datadir -regtest -regtest":      "node --datadir -regtest --regtest",
		"import -- -regtest":                   "import -- -regtest",
		"up -unknown":                          "up -unknown",
	} {
		if got := strings.Join(singleDashes(strings.Fields(given)), " "); got != want {
			t.Errorf("%q becomes %q, want %q", given, got, want)
		}
	}
}

func TestResultText(t *testing.T) {
	for given, want := range map[string]string{
		"null": "", "": "", `"a\nb"`: "a\nb", "12": "12", "true": "true",
		`{"a":[1,2.50]}`: "{\n  \"a\": [\n    1,\n    2.50\n  ]\n}",
	} {
		if got, err := resultText([]byte(given)); err != nil || got != want {
			t.Errorf("%q prints %q, %v; want %q", given, got, err, want)
		}
	}
}

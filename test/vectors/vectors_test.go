package vectors_test

import (
	"encoding/json"
	"os"
	"testing"

	"granary/test/vectors"
)

func TestSharedFindsAFile(t *testing.T) {
	if !json.Valid(vectors.Shared(t, "sighash.json")) {
		t.Fatal("sighash.json is not JSON")
	}
}

func TestSharedSkipsWithoutTheFile(t *testing.T) {
	t.Run("absent", func(t *testing.T) {
		defer func() {
			if !t.Skipped() {
				t.Error("an absent vector file must skip the test")
			}
		}()
		vectors.Shared(t, "no-such-vector")
	})
}

func TestModuleFindsAFile(t *testing.T) {
	path := vectors.Module(t, "github.com/btcsuite/btcd/txscript/v2", "data", "script_tests.json")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}

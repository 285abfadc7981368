package chain

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDirEnv); dir != "" {
		os.Exit(runChild(dir))
	}
	// btcd's generator of full blocks leaves a solver of its own behind.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/btcsuite/btcd/blockchain/internal/testhelper.SolveBlock.func1"))
}

package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/params"
	"granary/state"
)

func TestKeysComeFromTheSeedAlone(t *testing.T) {
	dir := t.TempDir()
	keys, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, SeedFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the seed's mode is %v, %v", info.Mode(), err)
	}
	again, err := OpenKeys(dir)
	if err != nil || again.seed != keys.seed {
		t.Fatalf("the seed changed: %v", err)
	}
	other, err := OpenKeys(t.TempDir())
	if err != nil || other.seed == keys.seed {
		t.Fatalf("two demos share a seed: %v", err)
	}
	seen := make(map[string]bool)
	for _, role := range []state.Role{state.RoleCustodian, state.RoleAuditor, state.RoleCouncil} {
		for index := range uint16(3) {
			for generation := range uint32(3) {
				seen[string(keys.seatScript(role, index, generation))] = true
			}
		}
	}
	seen[string(keys.MinerScript())] = true
	if len(seen) != 28 {
		t.Errorf("28 keys give %d scripts", len(seen))
	}
}

func TestCharterIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	keys, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	first, path, err := OpenCharter(dir, keys)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := OpenCharter(dir, keys)
	if err != nil || first.ID() != second.ID() {
		t.Fatalf("the charter changed: %v", err)
	}
	if warnings := first.Warnings(); len(warnings) != 0 {
		t.Errorf("the demo's charter has warnings: %q", warnings)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenCharter(dir, keys); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a damaged charter gives %v", err)
	}
}

// TestRhythmLivesForDays: at a block a minute to begin with, the demo issues
// for more than three days, and no pause is longer than the chain is young.
func TestRhythmLivesForDays(t *testing.T) {
	net := params.RegTest()
	var passed time.Duration
	last := time.Duration(0)
	for height := int32(FirstBlocks); height < 10*net.SubsidyHalvingInterval; height++ {
		pause := Every(DefaultInterval, height, net.SubsidyHalvingInterval)
		if pause < last || pause < DefaultInterval {
			t.Fatalf("the pause after %d is %v, before it %v", height, pause, last)
		}
		last = pause
		passed += pause
	}
	if net.SubsidyUnits(10*net.SubsidyHalvingInterval) == 0 || passed < 72*time.Hour || passed > 14*24*time.Hour {
		t.Errorf("ten eras take %v", passed)
	}
	if first := Every(DefaultInterval, FirstBlocks, net.SubsidyHalvingInterval); first != time.Minute {
		t.Errorf("the first pause is %v", first)
	}
}

package benchgoods

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profiled runs f and writes what the processor did meanwhile, where that is
// wanted.
func (b *bench) profiled(s *Stage, what string, f func() error) (err error) {
	if b.ProfileDir == "" {
		return f()
	}
	path := filepath.Join(b.ProfileDir, fmt.Sprintf("%s-%d.pprof", what, s.Receipts))
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("cannot write a profile: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("cannot profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return f()
}

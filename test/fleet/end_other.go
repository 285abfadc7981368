//go:build !linux

package fleet

import "os/exec"

// EndWithUs does nothing: only Linux ends a child with its parent.
func EndWithUs(*exec.Cmd) {}

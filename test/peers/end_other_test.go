//go:build !linux

package peers

import "os/exec"

// endWithUs does nothing: only Linux ends a child with its parent.
func endWithUs(*exec.Cmd) {}

package peers

import (
	"os/exec"
	"syscall"
)

// endWithUs lets the kernel end a node whose test process was killed.
func endWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

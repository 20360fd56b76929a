package bed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Command prepares a command in the machine: in its namespaces, and in its cgroups so that it goes when the machine goes.
func (m *Machine) Command(args ...string) *exec.Cmd {
	return m.CommandContext(context.Background(), args...)
}

// CommandContext is Command with an end: the command itself is killed with the context; what it started stays.
func (m *Machine) CommandContext(ctx context.Context, args ...string) *exec.Cmd {
	script := `for g in $KW_GROUPS; do echo $$ > $g/cgroup.procs; done; unset KW_GROUPS
exec nsenter -t "$0" -m -u -i -n -p -C -r -w -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" "$@"`
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", script, fmt.Sprint(m.Init().PID)}, args...)...)
	cmd.Cancel = func() error { return killWithChildren(cmd.Process.Pid) }
	cmd.WaitDelay = 5 * time.Second // a daemon that the command left behind may hold its output open
	var groups []string
	for _, h := range hierarchies() {
		groups = append(groups, filepath.Join(h.path, m.cgroup()))
	}
	cmd.Env = append(os.Environ(), "KW_GROUPS="+strings.Join(groups, " "))
	cmd.Dir = "/"
	return cmd
}

// killWithChildren ends nsenter and what it started: one process, the command.
func killWithChildren(pid int) error {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, field := range strings.Fields(string(children)) {
		if child, err := strconv.Atoi(field); err == nil {
			syscall.Kill(child, syscall.SIGKILL) //nolint:errcheck // it may have ended by itself
		}
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

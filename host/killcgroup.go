package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// KillCgroup ends the processes in cgroups and in those below at once (SIGKILL), for when no container runtime can do it. It
// returns when none is left, or when ctx ends, with an error that names them. It kills nothing at all when this process is
// among them or when one can't be seen from here: then these are not the pods of this machine, but of one around it.
func (h *Host) KillCgroup(ctx context.Context, dirs []string) error {
	if h.Killer == nil && h.Root != "/" {
		return fmt.Errorf("cannot end the processes in %s: those below the root directory %q are not a machine's", few(dirs, ", "), h.Root)
	}
	for {
		pids, err := h.CgroupProcesses(dirs)
		if err == nil && len(pids) == 0 {
			return nil
		}
		if err == nil {
			err = killable(pids, os.Getpid())
		}
		if err == nil {
			err = h.killOnce(dirs, pids)
		}
		if err != nil {
			return fmt.Errorf("cannot end the processes in %s: %w", few(dirs, ", "), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot end the processes in %s: they are still there: %s: %w", few(dirs, ", "), names(pids), context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// killable refuses processes that can't be those of this machine's pods.
func killable(pids []int, self int) error {
	if slices.Contains(pids, self) {
		return errors.New("this program is one of them")
	}
	if slices.Contains(pids, 0) {
		return errors.New("some are not of this machine")
	}
	return nil
}

func names(pids []int) string {
	var list []string
	for _, pid := range pids {
		list = append(list, fmt.Sprint(pid))
	}
	return few(list, ", ")
}

// killOnce kills once what is there now.
func (h *Host) killOnce(dirs []string, pids []int) error {
	// A process in a frozen cgroup of version 1 does not end before it is thawed.
	err := h.walkCgroups(dirs, func(dir string) error { return h.tell(dir+"/freezer.state", "THAWED") })
	if err != nil {
		return err
	}
	kill := h.Killer
	if kill == nil {
		kill = func(pid int) error { return unix.Kill(pid, unix.SIGKILL) }
		// Where the kernel kills a whole cgroup, nothing that is started meanwhile escapes.
		for _, dir := range dirs {
			if err := h.tell(dir+"/cgroup.kill", "1"); err != nil {
				return err
			}
		}
	}
	for _, pid := range pids {
		if err := kill(pid); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return nil
}

// tell writes to a file of the kernel, if it is there.
func (h *Host) tell(path, text string) error {
	p, err := h.at(path, false)
	if err != nil {
		return err
	}
	defer p.Close()
	f, err := p.OpenFile(p.full(), os.O_WRONLY, 0)
	if vanished(err) {
		return nil
	}
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil && !vanished(err) {
		return fmt.Errorf("cannot write %q to %s: %w", strings.TrimSpace(text), path, cause(err))
	}
	return nil
}

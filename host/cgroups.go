package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupLinger is how long the cgroup of a process that has ended may be busy.
const cgroupLinger = 5 * time.Second

// KubepodsCgroups are the directories in which the kubelet keeps the cgroups of pods, one in each hierarchy: kubepods, or
// kubepods.slice where systemd manages them.
func (h *Host) KubepodsCgroups() ([]string, error) {
	mounts, err := h.Mounts()
	if err != nil {
		return nil, err
	}
	var dirs []string
	seen := map[string]bool{}
	for _, m := range mounts {
		if m.FSType != "cgroup" && m.FSType != "cgroup2" {
			continue
		}
		for _, name := range []string{"kubepods", "kubepods.slice"} {
			dir := filepath.Join(m.Path, name)
			if info, err := h.Stat(dir); err == nil && info.IsDir() && !seen[dir] {
				seen[dir], dirs = true, append(dirs, dir)
			}
		}
	}
	return dirs, nil
}

// cgroupsBelow are a cgroup and all in it, the lowest first.
func (h *Host) cgroupsBelow(dir string) ([]string, error) {
	names, err := h.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		if info, err := h.Stat(path); err != nil || !info.IsDir() {
			continue
		}
		below, err := h.cgroupsBelow(path)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return append(all, dir), nil
}

// cgroupProcesses are the processes in cgroups and below.
func (h *Host) cgroupProcesses(dirs []string) ([]int, error) {
	var pids []int
	for _, dir := range dirs {
		all, err := h.cgroupsBelow(dir)
		if err != nil {
			return nil, err
		}
		for _, group := range all {
			data, err := h.ReadFile(filepath.Join(group, "cgroup.procs"))
			if err != nil {
				continue // it went meanwhile
			}
			for _, field := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 { // 0 is one of another namespace
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids, nil
}

// KillCgroups ends all processes in cgroups and below, and returns when none is left, or with an error when ctx ends.
func (h *Host) KillCgroups(ctx context.Context, dirs []string) error {
	kill := h.Killer
	if kill == nil {
		kill = func(pid int) error { return unix.Kill(pid, unix.SIGKILL) }
	}
	for {
		pids, err := h.cgroupProcesses(dirs)
		if err != nil || len(pids) == 0 {
			return err
		}
		if err := h.thaw(dirs); err != nil {
			return err
		}
		for _, pid := range pids {
			if err := kill(pid); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("cannot end process %d: %w", pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot end the processes of pods: %d are left", len(pids))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// thaw lets processes go on that were frozen: in version 1 a signal does not reach them.
func (h *Host) thaw(dirs []string) error {
	for _, dir := range dirs {
		all, err := h.cgroupsBelow(dir)
		if err != nil {
			return err
		}
		for _, group := range all {
			state := filepath.Join(group, "freezer.state")
			if data, err := h.ReadFile(state); err == nil && strings.TrimSpace(string(data)) != "THAWED" {
				if err := h.AppendFile(state, []byte("THAWED"), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
	}
	return nil
}

// RemoveCgroups removes cgroups and all below them. One in which a process runs is an error.
func (h *Host) RemoveCgroups(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		for deadline := time.Now().Add(cgroupLinger); ; time.Sleep(50 * time.Millisecond) {
			err := h.removeCgroup(dir)
			if err == nil {
				break
			}
			if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
				errs = append(errs, err)
				break
			}
		}
	}
	return errors.Join(errs...)
}

func (h *Host) removeCgroup(dir string) error {
	all, err := h.cgroupsBelow(dir)
	if err != nil {
		return err
	}
	for _, group := range all {
		p, err := h.at(group, false)
		if err == nil {
			err = h.fault("remove", group)
		}
		if err == nil {
			err = p.removeIfThere(p.full())
			p.Close()
		}
		if err != nil {
			return fmt.Errorf("cannot remove the cgroup %s: %w", group, cause(err))
		}
	}
	return nil
}

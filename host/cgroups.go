package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// KubepodsCgroups returns the directories below which the kubelet puts its pods, as far as they are there: one in each cgroup
// hierarchy that is mounted, by the names of either cgroup driver.
func (h *Host) KubepodsCgroups() ([]string, error) {
	list, err := h.mounts()
	if err != nil {
		return nil, fmt.Errorf("cannot look for the cgroups of pods: %w", err)
	}
	var dirs []string
	for _, m := range list {
		if m.FSType != "cgroup" && m.FSType != "cgroup2" {
			continue
		}
		for _, name := range []string{"kubepods", "kubepods.slice"} {
			dir := filepath.Join(m.Path, name)
			if info, err := h.Stat(dir); err == nil && info.IsDir() && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs, nil
}

// CgroupProcesses returns the IDs of the processes in these cgroups and in those below, sorted. One that this process can't
// see, because it is outside of its PID namespace, is 0.
func (h *Host) CgroupProcesses(dirs []string) ([]int, error) {
	var pids []int
	err := h.walkCgroups(dirs, func(dir string) error {
		text, err := h.ReadFile(dir + "/cgroup.procs")
		if vanished(err) || errors.Is(err, unix.ENOTSUP) { // a threaded cgroup: the one above lists the processes
			return nil
		}
		for field := range strings.FieldsSeq(string(text)) {
			pid, perr := strconv.Atoi(field)
			pids, err = append(pids, pid), errors.Join(err, perr)
		}
		return err
	})
	slices.Sort(pids)
	return slices.Compact(pids), err
}

// cgroupPatience is how long a cgroup may stay busy: processes that have ended linger in it.
const cgroupPatience = 5 * time.Second

// RemoveCgroups removes cgroups and those below. It ends no process: a cgroup that still has one after some seconds stays, the
// others go, and the error names it. Nothing there is no error.
func (h *Host) RemoveCgroups(dirs []string) error { return h.removeCgroups(dirs, cgroupPatience) }

func (h *Host) removeCgroups(dirs []string, patience time.Duration) error {
	for until := time.Now().Add(patience); ; time.Sleep(patience / 50) {
		var busy []string
		for _, dir := range dirs {
			stuck, err := h.removeCgroup(dir)
			if err != nil {
				return fmt.Errorf("cannot remove cgroup %s: %w", dir, cause(err))
			}
			busy = append(busy, stuck...)
		}
		if len(busy) == 0 {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("cannot remove cgroups: %s", few(busy, "; "))
		}
	}
}

// removeCgroup tries once, and returns what stayed and why. An error is only a crash of the Fault hook.
func (h *Host) removeCgroup(dir string) (busy []string, err error) {
	children, err := h.subdirectories(dir)
	if err != nil {
		return []string{err.Error()}, nil
	}
	for _, child := range children {
		stuck, err := h.removeCgroup(child)
		if err != nil {
			return nil, err
		}
		busy = append(busy, stuck...)
	}
	if len(busy) > 0 {
		return busy, nil // it would not go either
	}
	err = h.fault("remove", dir)
	if crashed(err) {
		return nil, err
	}
	if err == nil {
		err = h.removeEntry(dir)
	}
	if err != nil && !vanished(err) {
		return []string{fmt.Sprintf("%s: %s", dir, cause(err))}, nil
	}
	return nil, nil
}

func (h *Host) removeEntry(dir string) error {
	p, err := h.at(dir, false)
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Remove(p.full())
}

// walkCgroups calls f for each of the directories and for those below, parents first.
func (h *Host) walkCgroups(dirs []string, f func(dir string) error) error {
	for _, dir := range dirs {
		children, err := h.subdirectories(dir)
		if err == nil {
			err = f(dir)
		}
		if err == nil {
			err = h.walkCgroups(children, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// subdirectories returns the paths of the directories in a directory, none when it is not there.
func (h *Host) subdirectories(dir string) ([]string, error) {
	d, err := h.open(dir)
	if vanished(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil && !vanished(err) {
		return nil, fmt.Errorf("cannot list %s: %w", dir, cause(err))
	}
	var paths []string
	for _, entry := range entries {
		if entry.IsDir() {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	return paths, nil
}

// vanished says whether a cgroup went while it was looked at.
func vanished(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) }

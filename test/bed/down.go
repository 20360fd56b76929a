package bed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process names a process for good: a number alone is used again after the process died.
type Process struct {
	PID   int
	Start string // field 22 of /proc/PID/stat, in clock ticks since boot
}

// ThisProcess is the calling process.
func ThisProcess() Process { p, _ := processOf(os.Getpid()); return p }

func processOf(pid int) (Process, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, err
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name may hold spaces
	if fields[0] == "Z" || fields[0] == "X" {
		return Process{}, os.ErrProcessDone
	}
	return Process{PID: pid, Start: fields[19]}, nil
}

// Alive says whether that very process still runs; one that died and waits to be collected does not.
func (p Process) Alive() bool {
	now, err := processOf(p.PID)
	return err == nil && p.PID > 0 && now == p
}

// Down ends every process of the lab and removes its network, cgroups and files. It works on what is left of a lab as well.
func (l *Lab) Down() error {
	var errs []error
	for _, m := range l.Machines() {
		errs = append(errs, m.kill())
	}
	errs = append(errs, l.removeCgroups(), removeLinks(l.prefix()))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot take lab %s down: %w", l.Name, err)
	}
	if err := os.RemoveAll(l.dir()); err != nil {
		return fmt.Errorf("cannot take lab %s down: %w", l.Name, err)
	}
	return nil
}

// removeCgroups ends what still runs in the lab's cgroups and removes them. Names, not records, decide: a crash between
// making a cgroup and writing it down leaves no trace but the name.
func (l *Lab) removeCgroups() error {
	var errs []error
	for _, h := range hierarchies() {
		tops, _ := filepath.Glob(filepath.Join(h.path, l.prefix()+"*"))
		for _, top := range tops {
			errs = append(errs, removeCgroup(top))
		}
	}
	return errors.Join(errs...)
}

func removeCgroup(top string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		var groups []string
		busy := false
		filepath.WalkDir(top, func(p string, d os.DirEntry, err error) error { //nolint:errcheck // groups vanish while we walk
			if err != nil || !d.IsDir() {
				return nil
			}
			groups = append(groups, p)
			procs, _ := os.ReadFile(filepath.Join(p, "cgroup.procs"))
			for _, field := range strings.Fields(string(procs)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 1 && pid != os.Getpid() {
					unix.Kill(pid, unix.SIGKILL) //nolint:errcheck // it may be gone by now
					busy = true
				}
			}
			return nil
		})
		if !busy {
			for i := len(groups) - 1; i >= 0; i-- {
				unix.Rmdir(groups[i]) //nolint:errcheck // checked below
			}
		}
		if _, err := os.Stat(top); os.IsNotExist(err) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cgroup %s does not go away", top)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// SweepLabs takes down every lab whose owner died, and all labs if all is set.
func SweepLabs(cache Cache, all bool) error {
	labs, err := ListLabs(cache)
	errs := []error{err}
	for _, l := range labs {
		if all || (l.Owner.PID != 0 && !l.Owner.Alive()) {
			errs = append(errs, l.Down())
		}
	}
	return errors.Join(errs...)
}

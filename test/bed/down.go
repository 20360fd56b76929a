package bed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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

// kill sends a signal that ends the process, and waits until it has ended. One that is dead already is fine. meanwhile, if set, is
// called again and again while it is waited for.
func (p Process) kill(with syscall.Signal, meanwhile func()) error {
	if p.Alive() {
		if err := syscall.Kill(p.PID, with); err != nil && err != syscall.ESRCH {
			return fmt.Errorf("cannot end process %d: %w", p.PID, err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); p.Alive(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot end process %d: it stays", p.PID)
		}
		if meanwhile != nil {
			meanwhile()
		}
	}
	return nil
}

// Down ends every process of the lab and removes its network, cgroups and files. It works on what is left of a lab as well,
// and on one that another process is still making, which ends.
func (l *Lab) Down() error {
	var errs []error
	if l.Maker != ThisProcess() {
		errs = append(errs, l.Maker.kill(syscall.SIGTERM, nil))
	}
	for _, m := range l.Machines() {
		errs = append(errs, m.kill())
	}
	errs = append(errs, l.Balancer().kill(syscall.SIGKILL, nil), l.removeCgroups(), removeLinks(l.prefix()))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot take lab %s down: %w", l.Name, err)
	}
	if err := removeTree(l.dir()); err != nil {
		return fmt.Errorf("cannot take lab %s down: %w", l.Name, err)
	}
	return nil
}

// removeTree removes a folder. A copy that a dead maker began may still be putting files into it.
func removeTree(dir string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := os.RemoveAll(dir)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
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

// removeCgroup removes a group with all below it. A process that is ending has left its group before it is gone, and still has
// namespaces: the end of each is waited for.
func removeCgroup(top string) error {
	deadline := time.Now().Add(10 * time.Second)
	var killed []Process
	for ; ; time.Sleep(20 * time.Millisecond) {
		thaw(top)
		groups, processes := inCgroup(top)
		for _, p := range processes {
			unix.Kill(p.PID, unix.SIGKILL) //nolint:errcheck // it may be gone by now
		}
		killed = slices.DeleteFunc(append(killed, processes...), func(p Process) bool { return !p.Alive() })
		if len(processes) == 0 {
			for i := len(groups) - 1; i >= 0; i-- {
				unix.Rmdir(groups[i]) //nolint:errcheck // checked below
			}
		}
		if _, err := os.Stat(top); os.IsNotExist(err) && len(killed) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cgroup %s does not go away; of its processes %v are left", top, killed)
		}
	}
}

// inCgroup returns a group and all below it, from the top, and the processes in them but this one.
func inCgroup(top string) (groups []string, processes []Process) {
	filepath.WalkDir(top, func(p string, d os.DirEntry, err error) error { //nolint:errcheck // groups vanish while we walk
		if err != nil || !d.IsDir() {
			return nil
		}
		groups = append(groups, p)
		procs, _ := os.ReadFile(filepath.Join(p, "cgroup.procs"))
		for _, field := range strings.Fields(string(procs)) {
			pid, err := strconv.Atoi(field)
			if err != nil || pid <= 1 || pid == os.Getpid() {
				continue
			}
			if process, err := processOf(pid); err == nil {
				processes = append(processes, process)
			}
		}
		return nil
	})
	return groups, processes
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

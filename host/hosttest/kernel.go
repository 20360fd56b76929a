package hosttest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubewright/kubewright/host"
)

// SetMounts makes exactly these be mounted on the host, later ones on top, in the kernel's list and nowhere else; Unmount takes
// them off it. Unmounting a path in busy fails.
func SetMounts(t testing.TB, h *host.Host, list []host.Mount, busy ...string) {
	t.Helper()
	var mu sync.Mutex
	list = slices.Clone(list)
	write := func() error {
		var text strings.Builder
		for i, m := range list {
			fmt.Fprintf(&text, "%d 1 0:%d / %s rw - %s none rw\n", i+2, i+2, strings.ReplaceAll(m.Path, " ", `\040`), m.FSType)
		}
		// Not through the host: what the kernel does is no change that Fault should see.
		return os.WriteFile(filepath.Join(h.Root, "/proc/self/mountinfo"), []byte(text.String()), 0o644)
	}
	err := h.MkdirAll("/proc/self", 0o755)
	if err == nil {
		err = write()
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Unmounter = func(path string, _ int) error {
		mu.Lock()
		defer mu.Unlock()
		if slices.Contains(busy, path) {
			return unix.EBUSY
		}
		for i, m := range slices.Backward(list) {
			if m.Path == path {
				list = slices.Delete(list, i, i+1)
				return write()
			}
		}
		return unix.EINVAL
	}
}

// SetProcesses puts processes, which are but numbers, into the host's cgroups, which it makes; ended by KillCgroup, they leave.
// A cgroup with a process can't be removed.
func SetProcesses(t testing.TB, h *host.Host, cgroups map[string][]int) {
	t.Helper()
	var mu sync.Mutex
	write := func(dir string) error {
		file := filepath.Join(h.Root, dir, "cgroup.procs")
		if len(cgroups[dir]) == 0 {
			return os.RemoveAll(file)
		}
		text := strings.Trim(fmt.Sprint(cgroups[dir]), "[]")
		return os.WriteFile(file, []byte(strings.ReplaceAll(text, " ", "\n")+"\n"), 0o644)
	}
	for dir := range cgroups {
		err := h.MkdirAll(dir, 0o755)
		if err == nil {
			err = write(dir)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	h.Killer = func(pid int) error {
		mu.Lock()
		defer mu.Unlock()
		for dir, pids := range cgroups {
			cgroups[dir] = slices.DeleteFunc(slices.Clone(pids), func(p int) bool { return p == pid })
			if err := write(dir); err != nil {
				return err
			}
		}
		return nil
	}
}

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const (
	freezer = "/sys/fs/cgroup/freezer/kubepods"
	unified = "/sys/fs/cgroup/unified/kubepods.slice"
)

// cgroupHost has cgroups of both versions, in which three processes are, 5000011 in a frozen one. Linux has no such IDs, so that
// none is the test's own.
func cgroupHost(t *testing.T) *Host {
	h := newHost(t)
	plant(t, h, "/proc/self/", "/sys/fs/cgroup/memory/other/", "/sys/fs/cgroup/cpu/kubepods", "/mnt/kubepods/")
	for path, text := range map[string]string{
		mountInfo: "31 1 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 /docker/x /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n" +
			"33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
			"35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n36 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" +
			"37 1 0:33 / /mnt rw - ext4 /dev/vda rw\n",
		freezer + "/cgroup.procs":                             "",
		freezer + "/burstable/pod1/c/cgroup.procs":            "5000012\n5000011\n",
		freezer + "/burstable/pod1/c/freezer.state":           "FROZEN",
		unified + "/cgroup.procs":                             "",
		unified + "/kubepods-besteffort.slice/x/cgroup.procs": "5000012\n5000013\n",
		unified + "/cgroup.kill":                              "",
	} {
		must(t, h.MkdirAll(filepath.Dir(path), 0o755))
		must(t, h.WriteFile(path, FileSpec{Data: []byte(text), Mode: 0o644}))
	}
	return h
}

func TestKubepodsCgroups(t *testing.T) {
	h := cgroupHost(t)
	got, err := h.KubepodsCgroups()
	if diff := cmp.Diff([]string{freezer, unified}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	pids, err := h.CgroupProcesses(append(got, "/none"))
	if diff := cmp.Diff([]int{5000011, 5000012, 5000013}, pids); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got, err := newHost(t).KubepodsCgroups(); len(got) != 0 || err != nil {
		t.Errorf("without mounts: %v, %v", got, err)
	}
}

func TestKillCgroup(t *testing.T) {
	h, dirs := cgroupHost(t), []string{freezer, unified}
	if err := h.KillCgroup(t.Context(), dirs); err == nil {
		t.Error("ends processes below another root")
	}
	killed := map[int]int{}
	h.Killer = func(pid int) error {
		if killed[pid]++; pid == 5000012 {
			return unix.ESRCH
		}
		if state, _ := h.ReadFile(freezer + "/burstable/pod1/c/freezer.state"); string(state) != "THAWED" {
			t.Errorf("still %s", state)
		}
		if killed[5000013] == 2 { // it took a while
			must(t, h.WriteFile(freezer+"/burstable/pod1/c/cgroup.procs", FileSpec{Mode: 0o644}))
			must(t, h.WriteFile(unified+"/kubepods-besteffort.slice/x/cgroup.procs", FileSpec{Mode: 0o644}))
		}
		return nil
	}
	must(t, h.KillCgroup(t.Context(), dirs))
	if killed[5000011] != 2 || killed[5000012] != 2 || killed[5000013] != 2 || len(killed) != 3 {
		t.Errorf("killed %v", killed)
	}
	must(t, h.KillCgroup(t.Context(), append(dirs, "/none")))

	h = cgroupHost(t)
	h.Killer = func(int) error { return nil }
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
	defer cancel()
	err := h.KillCgroup(ctx, dirs)
	if !errors.Is(err, context.DeadlineExceeded) || !containsAll(err.Error(), "still there: 5000011, 5000012, 5000013: ") {
		t.Errorf("%v", err)
	}
	h.Killer = func(int) error { return unix.EPERM }
	if err := h.KillCgroup(t.Context(), dirs); !errors.Is(err, unix.EPERM) || !containsAll(err.Error(), "process 5000011") {
		t.Errorf("%v", err)
	}
	// Nothing is killed when the cgroups are those of a machine around this one.
	must(t, h.AppendFile(unified+"/cgroup.procs", []byte("0\n"), 0o644))
	h.Killer = func(pid int) error { t.Errorf("kills %d", pid); return nil }
	if err := h.KillCgroup(t.Context(), dirs); err == nil {
		t.Error("kills what it can't see")
	}
	if err := killable([]int{1, 2, 3}, 2); err == nil {
		t.Error("kills itself")
	}
}

func TestRemoveCgroups(t *testing.T) {
	h := newHost(t)
	plant(t, h, "/a/kubepods/x/y/", "/a/kubepods/z/", "/b/kubepods/p/q/", "/a/other/")
	must(t, h.RemoveCgroups([]string{"/a/kubepods", "/b/kubepods", "/none"}))
	if got := found(t, h); got != "/a /a/other /b" {
		t.Errorf("left: %s", got)
	}
	// One with something in it stays; the others go.
	plant(t, h, "/a/kubepods/x/busy/file", "/a/kubepods/z/", "/b/kubepods/p/")
	err := h.removeCgroups([]string{"/a/kubepods", "/b/kubepods"}, time.Millisecond)
	if err == nil || err.Error() != "cannot remove cgroups: /a/kubepods/x/busy: directory not empty" {
		t.Errorf("%v", err)
	}
	if got := found(t, h); got != "/a /a/kubepods /a/kubepods/x /a/kubepods/x/busy /a/kubepods/x/busy/file /a/other /b" {
		t.Errorf("left: %s", got)
	}
	// It is not given up at once.
	time.AfterFunc(50*time.Millisecond, func() { os.Remove(h.Root + "/a/kubepods/x/busy/file") })
	must(t, h.RemoveCgroups([]string{"/a/kubepods"}))
	plant(t, h, "/a/kubepods/x/")
	crash := errors.New("power cut")
	h.Fault = func(op, path string) error { return fmt.Errorf("%s %s: %w", op, path, crash) }
	if err := h.RemoveCgroups([]string{"/a/kubepods"}); !errors.Is(err, crash) || !h.Exists("/a/kubepods/x") {
		t.Errorf("%v", err)
	}
}

// TestRealCgroups does it to a process in real cgroups, in each hierarchy in which some can be made.
func TestRealCgroups(t *testing.T) {
	h := &Host{Root: "/"}
	list, err := h.mounts()
	must(t, err)
	for _, m := range list {
		if m.FSType != "cgroup" && m.FSType != "cgroup2" {
			continue
		}
		top := filepath.Join(m.Path, fmt.Sprintf("kubewright-test-%d", os.Getpid()))
		if os.Geteuid() != 0 || os.MkdirAll(top+"/pod/c", 0o755) != nil {
			continue
		}
		t.Run(m.Path, func(t *testing.T) { realCgroup(t, h, top) })
	}
}

func realCgroup(t *testing.T, h *Host, top string) {
	dirs := []string{top}
	defer func() { // whatever fails, nothing stays
		h.KillCgroup(t.Context(), dirs)
		h.RemoveCgroups(dirs)
	}()
	cmd := exec.Command("sleep", "60")
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill()
	if err := os.WriteFile(top+"/pod/c/cgroup.procs", fmt.Append(nil, cmd.Process.Pid), 0); err != nil {
		t.Skip(err) // a cpuset without CPUs takes none
	}
	if state := top + "/pod/freezer.state"; h.Exists(state) {
		must(t, os.WriteFile(state, []byte("FROZEN"), 0))
	}
	pids, err := h.CgroupProcesses(dirs)
	if diff := cmp.Diff([]int{cmd.Process.Pid}, pids); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if err := h.removeCgroups(dirs, time.Millisecond); err == nil || !strings.HasSuffix(err.Error(), "/pod/c: device or resource busy") {
		t.Errorf("remove with a process: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, h.KillCgroup(ctx, dirs))
	<-ended
	must(t, h.RemoveCgroups(dirs))
	if h.Exists(top) {
		t.Errorf("%s is still there", top)
	}
}

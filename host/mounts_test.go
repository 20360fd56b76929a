package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func writeTable(t *testing.T, h *Host, path, text string) {
	t.Helper()
	plant(t, h, strings.TrimPrefix(path, "/"))
	if err := h.WriteFile(path, FileSpec{Data: []byte(text), Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
}

const table = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 254:1 / /var/lib/kubelet rw - ext4 /dev/vdb rw
31 30 0:31 / /var/lib/kubelet/pods/a/volumes/t rw,relatime shared:7 - tmpfs tmpfs rw
32 30 0:32 / /var/lib/kubelet/with\040space\134x rw - tmpfs tmpfs rw
33 31 0:33 / /var/lib/kubelet/pods/a/volumes/t rw - tmpfs tmpfs rw
34 22 0:34 / /var/lib/kubelet-other rw - tmpfs tmpfs rw
40 22 0:40 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
41 22 0:41 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw
`

func TestMountsBelow(t *testing.T) {
	h := &Host{Root: t.TempDir()}
	if mounts, err := h.MountsBelow("/var/lib/kubelet"); err != nil || mounts != nil {
		t.Errorf("without a table: %v, %v", mounts, err)
	}
	writeTable(t, h, mountTable, table)
	mounts, err := h.MountsBelow("/var/lib/kubelet")
	want := []Mount{
		{"/var/lib/kubelet/pods/a/volumes/t", "tmpfs"}, {`/var/lib/kubelet/with space\x`, "tmpfs"}, {"/var/lib/kubelet/pods/a/volumes/t", "tmpfs"},
	}
	if diff := cmp.Diff(want, mounts); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	writeTable(t, h, mountTable, "nonsense\n")
	if _, err := h.MountsBelow("/"); err == nil || !strings.Contains(err.Error(), `no mount in "nonsense"`) {
		t.Errorf("%v", err)
	}
}

func TestUnmount(t *testing.T) {
	h := &Host{Root: t.TempDir()}
	if err := h.Unmount("/a", 0); err == nil {
		t.Error("a host below another root has unmounted something of this machine")
	}
	answers := map[string]error{"/a": nil, "/gone": unix.EINVAL, "/busy": unix.EBUSY}
	h.Unmounter = func(path string, flags int) error {
		if flags != unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW {
			t.Errorf("flags %x", flags)
		}
		return answers[path]
	}
	for path, want := range map[string]string{"/a": "", "/gone": "", "/busy": "cannot unmount /busy: device or resource busy"} {
		if err := h.Unmount(path, unix.MNT_DETACH); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if flags, err := ParseUnmountFlags([]string{"MNT_FORCE", "UMOUNT_NOFOLLOW"}); err != nil || flags != unix.MNT_FORCE|unix.UMOUNT_NOFOLLOW {
		t.Errorf("%x %v", flags, err)
	}
	if _, err := ParseUnmountFlags([]string{"MNT_X"}); err == nil {
		t.Error("MNT_X is no flag")
	}
}

func TestCgroups(t *testing.T) {
	h := &Host{Root: t.TempDir()}
	writeTable(t, h, mountTable, table)
	plant(t, h, "sys/fs/cgroup/cpu/kubepods/burstable/pod1/", "sys/fs/cgroup/unified/kubepods.slice/", "sys/fs/cgroup/cpu/system.slice/")
	dirs, err := h.KubepodsCgroups()
	if diff := cmp.Diff([]string{"/sys/fs/cgroup/cpu/kubepods", "/sys/fs/cgroup/unified/kubepods.slice"}, dirs); diff != "" || err != nil {
		t.Fatalf("%v %s", err, diff)
	}
	procs := "/sys/fs/cgroup/cpu/kubepods/burstable/pod1/cgroup.procs"
	writeTable(t, h, procs, "17\n18\n")
	var killed []int
	h.Killer = func(pid int) error {
		killed = append(killed, pid)
		if pid == 18 { // then both have ended
			return h.Remove(procs)
		}
		return unix.ESRCH
	}
	if err := h.KillCgroups(context.Background(), dirs); err != nil || !slices.Equal(killed, []int{17, 18}) {
		t.Errorf("killed %v, %v", killed, err)
	}
	if err := h.RemoveCgroups(dirs); err != nil {
		t.Error(err)
	}
	if dirs, err := h.KubepodsCgroups(); err != nil || len(dirs) != 0 {
		t.Errorf("left: %v, %v", dirs, err)
	}
	if !h.Exists("/sys/fs/cgroup/cpu/system.slice") {
		t.Error("another cgroup went")
	}
	writeTable(t, h, "/sys/fs/cgroup/cpu/kubepods/cgroup.procs", "19\n")
	h.Killer = func(int) error { return nil }
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := h.KillCgroups(ctx, []string{"/sys/fs/cgroup/cpu/kubepods"}); err == nil || !strings.Contains(err.Error(), "1 are left") {
		t.Errorf("a process that stays: %v", err)
	}
	h.Killer = func(int) error { return unix.EPERM }
	if err := h.KillCgroups(t.Context(), []string{"/sys/fs/cgroup/cpu/kubepods"}); !errors.Is(err, unix.EPERM) {
		t.Errorf("%v", err)
	}
}

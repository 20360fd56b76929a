package hosttest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/host"
)

func TestSetMounts(t *testing.T) {
	h := New(t)
	SetMounts(t, h, []host.Mount{{Path: "/k/a b", FSType: "tmpfs"}, {Path: "/k/c", FSType: "nfs"}, {Path: "/k/c", FSType: "ext4"}, {Path: "/k/d", FSType: "x"}}, "/k/d")
	list, err := h.MountsBelow("/k")
	if err != nil || len(list) != 4 || list[1] != (host.Mount{Path: "/k/c", FSType: "ext4"}) {
		t.Fatalf("%v, %v", list, err)
	}
	for _, m := range list {
		if err := h.Unmount(m.Path, 0); (err != nil) != (m.Path == "/k/d") {
			t.Error(m.Path, err)
		}
	}
	if err := h.Unmount("/k/c", 0); err != nil {
		t.Error(err)
	}
	list, err = h.MountsBelow("/k")
	if diff := cmp.Diff([]host.Mount{{Path: "/k/d", FSType: "x"}}, list); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestSetProcesses(t *testing.T) {
	h := New(t)
	SetMounts(t, h, []host.Mount{{Path: "/sys/fs/cgroup", FSType: "cgroup2"}})
	SetProcesses(t, h, map[string][]int{"/sys/fs/cgroup/kubepods/pod1": {5000001, 5000002}, "/sys/fs/cgroup/system.slice": {5000003}})
	dirs, err := h.KubepodsCgroups()
	if diff := cmp.Diff([]string{"/sys/fs/cgroup/kubepods"}, dirs); diff != "" || err != nil {
		t.Fatalf("%v %s", err, diff)
	}
	if pids, err := h.CgroupProcesses(dirs); !cmp.Equal(pids, []int{5000001, 5000002}) || err != nil {
		t.Errorf("%v, %v", pids, err)
	}
	if err := h.KillCgroup(t.Context(), dirs); err != nil {
		t.Error(err)
	}
	if err := h.RemoveCgroups(dirs); err != nil || h.Exists(dirs[0]) {
		t.Errorf("left: %v", err)
	}
	if pids, err := h.CgroupProcesses([]string{"/sys/fs/cgroup/system.slice"}); len(pids) != 1 || err != nil {
		t.Errorf("%v, %v", pids, err)
	}
}

package phases

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// TestEndCgroups: a process of a container that the runtime does not know any more is ended, once it has had time to end by itself.
func TestEndCgroups(t *testing.T) {
	const slice = "/sys/fs/cgroup/kubepods.slice"
	for name, endsByItself := range map[string]bool{"by itself": true, "left behind": false} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.New(t)
			for path, text := range map[string]string{
				"/proc/self/mountinfo":             "31 1 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
				slice + "/x.scope/cgroup.procs":    "5000011\n",
				slice + "/x.scope/cgroup.controls": "",
			} {
				for _, dir := range []string{"/proc/self", slice + "/x.scope"} {
					if err := h.MkdirAll(dir, 0o755); err != nil {
						t.Fatal(err)
					}
				}
				if err := h.WriteFile(path, host.FileSpec{Data: []byte(text), Mode: 0o644}); err != nil {
					t.Fatal(err)
				}
			}
			end := func() {
				for _, file := range []string{"/cgroup.controls", "/cgroup.procs"} { // the kernel's go with the directory
					if err := h.Remove(slice + "/x.scope" + file); err != nil {
						t.Error(err)
					}
				}
			}
			var killed []int
			h.Killer = func(pid int) error { killed = append(killed, pid); end(); return nil }
			synctest.Test(t, func(t *testing.T) {
				if endsByItself {
					time.AfterFunc(time.Second, end)
				}
				step := endCgroups(&Resetting{})
				if err := step.Apply(t.Context(), &plan.Target{Host: h, Runtime: &hosttest.Runtime{}}); err != nil {
					t.Fatal(err)
				}
			})
			if endsByItself != (len(killed) == 0) || !endsByItself && !slices.Equal(killed, []int{5000011}) {
				t.Errorf("killed %v", killed)
			}
			if h.Exists(slice) {
				t.Error("the cgroup is left")
			}
		})
	}
}

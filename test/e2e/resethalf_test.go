package e2e

import (
	"strings"
	"testing"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/test/bed"
)

// TestResetHalfMade gives a machine back that an init has left anywhere.
func TestResetHalfMade(t *testing.T) {
	bed.Need(t)
	cp := bed.NewLab(t).Machine(t, bed.Spec{Name: "cp1"})
	cp.WriteFile(t, configPath, bed.InitConfig(cp), 0o600)
	before := cp.Inventory(t)
	for _, step := range []string{"+ directory /etc/kubernetes", "/etc/kubernetes/pki/sa.key", "/etc/kubernetes/manifests/kube-scheduler.yaml",
		"unit kubelet.service", "ok   wait-control-plane"} {
		t.Run("init until "+strings.TrimLeft(step, "+ "), func(t *testing.T) {
			killCommandAfter(t, cp, step, []string{"init", "--config", configPath})
			resets(t, cp)
			givenBack(t, cp, before, mayLeave()...)
		})
	}
}

// part lets something happen to a machine that is not known to the cluster, and gives it back.
func (r *resetting) part(t *testing.T, m *bed.Machine, name string, happens func(t *testing.T), except ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		r.cp.Kubectl(t, "delete", "node", m.Name, "--ignore-not-found") // an earlier part may have left it
		happens(t)
		resets(t, m)
		givenBack(t, m, r.before[m], mayLeave(except...)...)
	})
}

// killed gives a machine back that a join has left anywhere.
func (r *resetting) killed(t *testing.T, worker, controlPlane []string) {
	for _, step := range []string{"/etc/kubernetes/bootstrap-kubelet.conf", "/var/lib/kubelet/config.yaml", "unit kubelet.service"} {
		r.part(t, r.known, "join until "+step, func(t *testing.T) { killAfter(t, r.known, step, worker) })
	}
	for _, step := range []string{"add etcd member", "its vote"} {
		r.part(t, r.known, "join of a control plane until "+step, func(t *testing.T) { killAfter(t, r.known, step, controlPlane) })
		voters(t, r.cp, 1)
	}
}

// restarted is the port that containerd takes when it starts.
const restarted = `* port tcp 127.0.0.1:* users:(("containerd"))`

// broken takes something away from a worker that the reset would use. It ends the cluster.
func (r *resetting) broken(t *testing.T) {
	w := r.known
	r.part(t, w, "files removed by hand", func(t *testing.T) {
		r.joined(t, w)
		w.Remove(t, "/etc/kubernetes")
	})
	r.part(t, w, "unit removed", func(t *testing.T) {
		r.joined(t, w)
		w.MustRun(t, "sh", "-c", "rm -r /etc/systemd/system/kubelet.service* && systemctl daemon-reload")
	}, "+ unit kubelet.service") // systemd forgets it later
	r.part(t, r.packaged, "unit masked", func(t *testing.T) {
		r.joined(t, r.packaged)
		r.packaged.MustRun(t, "systemctl", "mask", "--runtime", "--now", "kubelet")
	}, "* /run/systemd/system*", "~ unit* kubelet.service: *masked*", "+ unit kubelet.service")
	r.part(t, w, "no runtime", func(t *testing.T) {
		r.joined(t, w)
		w.MustRun(t, "systemctl", "stop", "containerd")
		if r := run(w, "kubewright", "reset", "-f"); r.code != cause.Incomplete.Exit() || !strings.Contains(r.err, "runtime") {
			t.Errorf("with pods that nobody can end: exit code %d\n%s%s", r.code, r.out, r.err)
		}
		if _, err := w.Stat("/etc/kubernetes/kubelet.conf"); err == nil {
			t.Error("the parts that need no runtime were left out")
		}
		w.MustRun(t, "systemctl", "start", "containerd")
	}, restarted)
	r.part(t, w, "no API server", func(t *testing.T) {
		r.joined(t, w)
		off(t, r.cp)
	}, restarted)
}

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// TestResetHalfMade gives machines back that an init or a join has left anywhere, or from which something is missing that the
// reset would use.
func TestResetHalfMade(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1"}, bed.Spec{Name: "w1"}, bed.Spec{Name: "w2", KubeletUnit: true})
	cp, w, packaged := machines[0], machines[1], machines[2]
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	before := cp.Inventory(t)
	for _, step := range []string{"+ directory /etc/kubernetes", "/etc/kubernetes/pki/sa.key", "/etc/kubernetes/manifests/kube-scheduler.yaml",
		"unit kubelet.service", "ok   wait-control-plane"} {
		t.Run("init until "+strings.TrimLeft(step, "+ "), func(t *testing.T) {
			killCommandAfter(t, cp, step, []string{"init", "--config", configPath})
			resets(t, cp)
			givenBack(t, cp, before, mayLeave()...)
		})
	}
	cp.MustRun(t, "kubewright", "init", "--config", configPath)
	ready(t, cp)
	args := strings.Fields(cp.MustRun(t, "kubewright", "token", "create", "--print-join-command"))[2:]
	h := halfMade{cp: cp, join: args, before: map[*bed.Machine]bed.Inventory{w: w.Inventory(t), packaged: packaged.Inventory(t)}}
	for _, step := range []string{"/etc/kubernetes/bootstrap-kubelet.conf", "/var/lib/kubelet/config.yaml", "unit kubelet.service"} {
		h.part(t, w, "join until "+step, func(t *testing.T) { killCommandAfter(t, w, step, append([]string{"join"}, args...)) })
	}
	second := append(slices.Clone(args), "--control-plane", "--certificate-key", certificateKey(t, cp, "kubewright"))
	for _, step := range []string{"add etcd member", "its vote"} {
		h.part(t, w, "join of a control plane until "+step, func(t *testing.T) { killCommandAfter(t, w, step, append([]string{"join"}, second...)) })
		voters(t, cp, 1)
	}
	h.broken(t, w, packaged)
}

// halfMade is a cluster that machines join.
type halfMade struct {
	cp     *bed.Machine
	join   []string
	before map[*bed.Machine]bed.Inventory
}

// part lets something happen to a machine that is not known to the cluster, and gives it back.
func (h halfMade) part(t *testing.T, m *bed.Machine, name string, happens func(t *testing.T), except ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		h.forget(t, m)
		happens(t)
		resets(t, m)
		givenBack(t, m, h.before[m], mayLeave(except...)...)
	})
}

// forget deletes a Node that an earlier part has left.
func (h halfMade) forget(t *testing.T, m *bed.Machine) {
	t.Helper()
	h.cp.Kubectl(t, "delete", "node", m.Name, "--ignore-not-found")
}

// restarted is the port that containerd takes when it starts.
const restarted = `* port tcp 127.0.0.1:* users:(("containerd"))`

// broken joins workers, and takes something away from each before it is given back.
func (h halfMade) broken(t *testing.T, w, packaged *bed.Machine) {
	joined := func(m *bed.Machine, then func(t *testing.T)) func(t *testing.T) {
		return func(t *testing.T) {
			joinNow(t, m, h.join...)
			nodeReady(t, h.cp, m.Name)
			visit(t, h.cp, "visitor-"+m.Name, m.Name)
			then(t)
		}
	}
	h.part(t, w, "files removed by hand", joined(w, func(t *testing.T) { w.Remove(t, "/etc/kubernetes") }))
	h.part(t, w, "unit removed", joined(w, func(t *testing.T) {
		w.MustRun(t, "sh", "-c", "rm -r /etc/systemd/system/kubelet.service* && systemctl daemon-reload")
	}), "+ unit kubelet.service") // systemd forgets it later
	h.part(t, packaged, "unit masked", joined(packaged, func(t *testing.T) {
		packaged.MustRun(t, "systemctl", "mask", "--runtime", "--now", "kubelet")
	}), "* /run/systemd/system*", "~ unit* kubelet.service: *masked*", "+ unit kubelet.service")
	t.Run("no runtime", func(t *testing.T) {
		h.forget(t, w)
		joined(w, func(t *testing.T) { w.MustRun(t, "systemctl", "stop", "containerd") })(t)
		if r := run(w, "kubewright", "reset", "-f"); r.code != 1 || !strings.Contains(r.err, "runtime") {
			t.Errorf("with pods that nobody can end: exit code %d\n%s%s", r.code, r.out, r.err)
		}
		if _, err := w.Stat("/etc/kubernetes/kubelet.conf"); err == nil {
			t.Error("the parts that need no runtime were left out")
		}
		w.MustRun(t, "systemctl", "start", "containerd")
		resets(t, w)
		givenBack(t, w, h.before[w], mayLeave(restarted)...)
	})
	h.part(t, w, "no API server", joined(w, func(t *testing.T) {
		if err := h.cp.PowerOff(); err != nil { // the last part: nobody needs it any more
			t.Fatal(err)
		}
	}), restarted)
}

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// TestJoinByKubeadm makes a cluster of three control planes half by each tool, with a worker of real kubeadm.
func TestJoinByKubeadm(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	cp := lab.Machine(t, bed.Spec{Name: "cp1"})
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	cp.MustRun(t, "kubewright", "init", "--config", configPath)
	ready(t, cp)
	key := certificateKey(t, cp, "kubewright")
	args := strings.Fields(cp.MustRun(t, "kubewright", "token", "create", "--print-join-command"))[2:]

	w := lab.Machine(t, bed.Spec{Name: "w1", KubeletUnit: true})
	w.MustRun(t, append(append([]string{"kubeadm", "join"}, args...), "--ignore-preflight-errors=SystemVerification")...)
	second := lab.Machine(t, bed.Spec{Name: "cp2", KubeletUnit: true})
	second.MustRun(t, append(append([]string{"kubeadm", "join"}, args...), "--control-plane", "--certificate-key", key,
		"--ignore-preflight-errors=SystemVerification")...)
	third := lab.Machine(t, bed.Spec{Name: "cp3"})
	joinNow(t, third, append(args, "--control-plane", "--certificate-key", key)...)
	for _, name := range []string{"w1", "cp2", "cp3"} {
		nodeReady(t, cp, name)
	}
	voters(t, cp, 3)
	if dry := run(cp, "kubewright", "init", "--config", configPath, "--dry-run"); !strings.Contains(dry.out, "Nothing to do") {
		t.Errorf("a dry run on the first control plane would change something:\n%s%s", dry.out, dry.err)
	}
}

// voters waits until etcd has so many members that vote, and none else.
func voters(t *testing.T, m *bed.Machine, want int) {
	t.Helper()
	eventually(t, time.Minute, func() string {
		out, ok := kubectl(m, "-n", "kube-system", "exec", "etcd-"+m.Name, "--", "etcdctl", "--endpoints=https://127.0.0.1:2379",
			"--cacert=/etc/kubernetes/pki/etcd/ca.crt", "--cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt",
			"--key=/etc/kubernetes/pki/etcd/healthcheck-client.key", "member", "list")
		if !ok || strings.Count(out, "started") != want || strings.Count(out, "false") != want {
			return "members of etcd:\n" + out
		}
		return ""
	})
}

// TestJoinInterrupted kills the join of a control plane at several moments; the last one goes on to the end. etcd has no member
// too many, and another control plane joins after it.
func TestJoinInterrupted(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	cp := lab.Machine(t, bed.Spec{Name: "cp1"})
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	cp.MustRun(t, "kubewright", "init", "--config", configPath)
	ready(t, cp)
	key := certificateKey(t, cp, "kubewright")
	args := append(joinArgs(t, cp), "--control-plane", "--certificate-key", key)
	second := lab.Machine(t, bed.Spec{Name: "cp2"})
	for _, after := range []string{"0.5", "1", "1.5", "2.5", "4"} {
		r := run(second, append([]string{"timeout", "-s", "KILL", after, "kubewright", "join"}, args...)...)
		t.Logf("killed after %s s: exit code %d\n%s", after, r.code, r.err)
	}
	joinNow(t, second, args...)
	nodeReady(t, cp, "cp2")
	voters(t, cp, 2)
	// Its data is lost, with all else: the machine comes again under its name.
	third := lab.Machine(t, bed.Spec{Name: "cp3"})
	joinNow(t, third, args...)
	voters(t, cp, 3)
}

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// numbered makes machines with the program that can be killed, of the same name and a number.
func numbered(lab *bed.TestLab, name string, first int) func(t *testing.T) *bed.Machine {
	n := first - 1
	return func(t *testing.T) *bed.Machine {
		n++
		return lab.Machine(t, bed.Spec{Name: fmt.Sprint(name, n), Binaries: map[string]string{faultyKubewright: bed.Faulty(t)}})
	}
}

// givesBack resets a machine and expects it to be as it was.
func givesBack(t *testing.T, m *bed.Machine, before bed.Inventory, args ...string) {
	t.Helper()
	r := run(m, append([]string{"kubewright", "reset", "-f"}, args...)...)
	if r.code != 0 {
		t.Fatalf("kubewright reset on %s: exit code %d\n%s%s", m.Name, r.code, r.out, r.err)
	}
	givenBack(t, m, before, mayLeave()...)
}

// TestFaultsInit kills init at many points, and carries on or goes back.
func TestFaultsInit(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	command := []string{"init", "--config", configPath, "--upload-certs"}
	next := numbered(lab, "cp", 1)
	x := &matrix{name: "init", count: 44, sample: "kill@rename:/etc/kubernetes/manifests/kube-apiserver.yaml+2s"}
	x.command = func(*bed.Machine) []string { return command }
	x.machine = func(t *testing.T) *bed.Machine {
		m := next(t)
		m.WriteFile(t, configPath, bed.InitConfig(m, bed.WithEndpoint(m.IP()+":6443")), 0o600)
		return m
	}
	x.prepare = func(*testing.T, *bed.Machine) {}
	x.back = func(t *testing.T, m *bed.Machine) { givesBack(t, m, x.s.before, "--wipe-etcd") }
	x.undone = x.prepare
	x.done = func(t *testing.T, m *bed.Machine, s *state) {
		s.sameObjects(t, m)
		s.sameTree(t, m)
		registered(t, m, m.Name)
		voters(t, m, 1)
		untouched(t, m, command)
	}
	x.run(t)
}

// TestFaultsJoin does the same with joins of a worker and of a control plane, and with the reset of one.
func TestFaultsJoin(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	cp := lab.Machine(t, bed.Spec{Name: "cp1"})
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	worker, controlPlane := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath, "--upload-certs"))
	ready(t, cp)
	t.Run("worker", func(t *testing.T) { faultsWorker(t, lab, cp, worker) })
	t.Run("control-plane", func(t *testing.T) { faultsControlPlane(t, lab, cp, controlPlane) })
	t.Run("reset", func(t *testing.T) { faultsReset(t, lab, cp, controlPlane) })
}

// withAdmin lets machines have an administrator's credentials, with which a worker may delete its Node.
func withAdmin(cp *bed.Machine, machine func(*testing.T) *bed.Machine) func(*testing.T) *bed.Machine {
	return func(t *testing.T) *bed.Machine {
		m := machine(t)
		m.WriteFile(t, adminPath, cp.ReadFile(t, bed.AdminConf), 0o600)
		return m
	}
}

func faultsWorker(t *testing.T, lab *bed.TestLab, cp *bed.Machine, join []string) {
	command := append([]string{"join"}, join...)
	x := &matrix{name: "join worker", count: 22, sample: "kill@rename:/var/lib/kubelet/config.yaml"}
	x.command = func(*bed.Machine) []string { return command }
	x.machine = withAdmin(cp, numbered(lab, "w", 1))
	x.prepare = func(t *testing.T, m *bed.Machine) { // a rollback without an administrator's credentials may not
		cp.Kubectl(t, "delete", "node", m.Name, "--ignore-not-found")
		cp.Kubectl(t, "delete", "pods", "-A", "--field-selector", "spec.nodeName="+m.Name, "--force")
	}
	x.back = func(t *testing.T, m *bed.Machine) {
		givesBack(t, m, x.s.before, "--kubeconfig", adminPath)
		gone(t, cp, m.Name)
	}
	x.undone = func(t *testing.T, m *bed.Machine) {
		x.prepare(t, m)
		gone(t, cp, m.Name)
	}
	x.done = func(t *testing.T, m *bed.Machine, s *state) {
		registered(t, cp, cp.Name, m.Name)
		nodeReady(t, cp, m.Name)
		s.sameTree(t, m)
		untouched(t, m, command)
	}
	x.run(t)
}

func faultsControlPlane(t *testing.T, lab *bed.TestLab, cp *bed.Machine, join []string) {
	command := append([]string{"join"}, join...)
	x := &matrix{name: "join control plane", count: 24, sample: "kill@syncdir:/etc/kubernetes/manifests/etcd.yaml+300ms"}
	x.command = func(*bed.Machine) []string { return command }
	x.machine = numbered(lab, "cp", 20)
	x.prepare = func(*testing.T, *bed.Machine) {}
	x.undone = func(t *testing.T, m *bed.Machine) {
		gone(t, cp, m.Name)
		voters(t, cp, 1)
	}
	x.back = func(t *testing.T, m *bed.Machine) {
		givesBack(t, m, x.s.before, "--wipe-etcd")
		x.undone(t, m)
	}
	x.done = func(t *testing.T, m *bed.Machine, s *state) {
		registered(t, cp, cp.Name, m.Name)
		nodeReady(t, cp, m.Name)
		voters(t, cp, 2)
		s.sameTree(t, m)
		untouched(t, m, command)
	}
	x.run(t)
}

func faultsReset(t *testing.T, lab *bed.TestLab, cp *bed.Machine, join []string) {
	command := []string{"reset", "-f"}
	x := &matrix{name: "reset", count: 22, sample: "kill@remove:/etc/kubernetes/pki/ca.key"}
	x.command = func(*bed.Machine) []string { return command }
	x.machine = numbered(lab, "cp", 40)
	x.prepare = func(t *testing.T, m *bed.Machine) {
		r := run(m, append([]string{"kubewright", "join"}, join...)...)
		if r.code != 0 {
			t.Fatalf("join before a reset: exit code %d\n%s%s", r.code, r.out, r.err)
		}
		nodeReady(t, cp, m.Name)
		voters(t, cp, 2)
	}
	x.back = func(t *testing.T, m *bed.Machine) {
		kept, err := filepath.Glob(m.Path("/var/lib/etcd.reset-*"))
		if err != nil || len(kept) != 1 {
			t.Errorf("want etcd's data in one place: %v %v", kept, err)
		}
		m.MustRun(t, "sh", "-c", "rm -rf /var/lib/etcd.reset-*")
	}
	x.done = func(t *testing.T, m *bed.Machine, s *state) {
		givenBack(t, m, s.before, mayLeave()...)
		goneWithin(t, 2*time.Minute, cp, m.Name) // a run may have ended the API server before it was killed
		voters(t, cp, 1)
		untouched(t, m, command)
	}
	x.run(t)
}

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// joinArgs are the arguments of the join command that real kubeadm prints for a new token.
func joinArgs(t *testing.T, m *bed.Machine) []string {
	t.Helper()
	words := strings.Fields(m.MustRun(t, "kubeadm", "token", "create", "--print-join-command"))
	if len(words) < 5 || words[1] != "join" {
		t.Fatalf("kubeadm token create: %v", words)
	}
	return words[2:]
}

// nodeReady waits until a node is Ready.
func nodeReady(t *testing.T, m *bed.Machine, name string) {
	t.Helper()
	eventually(t, 2*time.Minute, func() string {
		state, _ := kubectl(m, "get", "node", name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		if state != "True" {
			return "node " + name + " is not ready: " + state
		}
		return ""
	})
}

// joinNow runs kubewright join, expects that a dry run has nothing to do afterwards, and returns all that both have said.
func joinNow(t *testing.T, m *bed.Machine, args ...string) string {
	t.Helper()
	args = append([]string{"kubewright", "join"}, args...)
	began := time.Now()
	r := run(m, args...)
	if r.code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", strings.Join(args[:2], " "), r.code, r.out, r.err)
	}
	t.Logf("the join of %s took %s", m.Name, time.Since(began).Round(10*time.Millisecond))
	return r.out + r.err + nothingToDo(t, m, args...)
}

// nothingToDo expects that a dry run of a command that was run has nothing to do, and returns all that it has said.
func nothingToDo(t *testing.T, m *bed.Machine, command ...string) string {
	t.Helper()
	dry := run(m, append(command, "--dry-run")...)
	if dry.code != 0 || !strings.Contains(dry.out, "Nothing to do") {
		t.Errorf("a dry run on %s after %s: exit code %d\n%s%s", m.Name, strings.Join(command[:2], " "), dry.code, dry.out, dry.err)
	}
	return dry.out + dry.err
}

// TestJoin joins a worker and a control plane to a cluster that kubewright made.
func TestJoin(t *testing.T) { testJoin(t, "kubewright") }

// TestJoinKubeadmCluster joins the same to a cluster that real kubeadm made.
func TestJoinKubeadmCluster(t *testing.T) { testJoin(t, "kubeadm") }

func testJoin(t *testing.T, tool string) {
	bed.Need(t)
	lab := bed.NewLab(t)
	cp := lab.Machine(t, bed.Spec{Name: "cp1", KubeletUnit: tool == "kubeadm"})
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	first := []string{tool, "init", "--config", configPath, "--upload-certs"}
	if tool == "kubeadm" {
		first = append(first, "--ignore-preflight-errors=SystemVerification")
	}
	cp.MustRun(t, first...)
	if info, _ := kubectl(cp, "-n", "kube-public", "get", "configmap", "cluster-info", "-o", "yaml"); tool == "kubewright" && !strings.Contains(info, "jws-kubeconfig-") {
		t.Errorf("init left cluster-info without the signature of its token, for which a join would wait:\n%s", info)
	}
	ready(t, cp)
	args := joinArgs(t, cp)

	w := lab.Machine(t, bed.Spec{Name: "w1"})
	joinNow(t, w, args...)
	nodeReady(t, cp, "w1")

	key := certificateKey(t, cp, tool)
	second := lab.Machine(t, bed.Spec{Name: "cp2"})
	joinNow(t, second, append(args, "--control-plane", "--certificate-key", key)...)
	nodeReady(t, cp, "cp2")
	eventually(t, time.Minute, func() string {
		out, ok := kubectl(cp, "-n", "kube-system", "get", "pods", "-l", "component=etcd", "-o", "jsonpath={range .items[*]}{.status.phase} {end}")
		if !ok || strings.Count(out, "Running") != 2 {
			return "etcd pods: " + out
		}
		return ""
	})
	// Only the first control plane has super-admin.conf.
	if expiry := second.MustRun(t, "kubeadm", "certs", "check-expiration"); strings.Count(expiry, "MISSING") != 1 ||
		!strings.Contains(expiry, "!MISSING! super-admin.conf") {
		t.Errorf("kubeadm certs check-expiration on the second control plane:\n%s", expiry)
	}
}

// certificateKey uploads the certificates again and returns the key that opens them.
func certificateKey(t *testing.T, m *bed.Machine, tool string) string {
	t.Helper()
	out := m.MustRun(t, tool, "init", "phase", "upload-certs", "--upload-certs", "--config", configPath)
	for _, line := range strings.Split(out, "\n") {
		if line = strings.TrimSpace(line); len(line) == 64 {
			return line
		}
	}
	t.Fatalf("no certificate key in:\n%s", out)
	return ""
}

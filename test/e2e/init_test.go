package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/test/bed"
)

// TestInit is the life of a first control plane: made, used by pods, by its owner and by real kubeadm.
func TestInit(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	m, first := initialized(t, lab, bed.Spec{Name: "cp1"})
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"output", func(t *testing.T) { checkOutput(t, first) }},
		{"what next", func(t *testing.T) { checkNext(t, m) }},
		{"control plane", func(t *testing.T) { checkControlPlane(t, m) }},
		{"again is a no-op", func(t *testing.T) { checkAgain(t, m) }},
		{"tokens", func(t *testing.T) { checkTokens(t, m) }},
		{"configuration", func(t *testing.T) { checkConfig(t, m) }},
		{"role of the controller manager", func(t *testing.T) { checkManagerRole(t, m) }},
		{"accounts of controllers", func(t *testing.T) { checkAccounts(t, m) }},
		{"static pods", func(t *testing.T) { checkStaticPods(t, m) }},
		{"workload", func(t *testing.T) { checkWorkload(t, m) }},
		{"real kubeadm", func(t *testing.T) { checkKubeadm(t, m, lab, first) }},
		{"second folder", func(t *testing.T) { secondFolder(t, m) }},
	} {
		if !t.Run(part.name, part.test) {
			return
		}
	}
}

func checkOutput(t *testing.T, r result) {
	for _, want := range []string{"kubewright join", "--discovery-token-ca-cert-hash sha256:", "/etc/kubernetes/admin.conf"} {
		if strings.Contains(r.out, want) {
			continue
		}
		t.Errorf("the end of init does not say %q:\n%s", want, r.out)
	}
	for _, phase := range []string{"preflight", "certs", "kubelet-start", "wait-control-plane", "addon"} {
		if !strings.Contains(r.err, phase) {
			t.Errorf("no line about phase %s:\n%s", phase, r.err)
		}
	}
}

// checkNext asks for the join command later, for people and for machines.
func checkNext(t *testing.T, m *bed.Machine) {
	text := m.MustRun(t, "kubewright", "init", "phase", "show-join-command")
	var event struct {
		Next struct{ JoinWorker []string }
	}
	if err := json.Unmarshal([]byte(m.MustRun(t, "kubewright", "init", "phase", "show-join-command", "-o", "json")), &event); err != nil {
		t.Fatal(err)
	}
	join := event.Next.JoinWorker
	if len(join) != 1 || !strings.Contains(join[0], " --token ") || !strings.Contains(text, "\n  "+join[0]+"\n") {
		t.Errorf("%q is not the command in:\n%s", join, text)
	}
}

func checkControlPlane(t *testing.T, m *bed.Machine) {
	if got := m.Kubectl(t, "get", "--raw", "/readyz"); got != "ok" {
		t.Errorf("readyz: %s", got)
	}
	for _, component := range controlPlane {
		phase := m.Kubectl(t, "-n", "kube-system", "get", "pod", component+"-cp1", "-o", "jsonpath={.status.phase}")
		if phase != "Running" {
			t.Errorf("%s is %q", component, phase)
		}
	}
	node := m.Kubectl(t, "get", "node", "cp1", "-o", "jsonpath={.metadata.labels}{.spec.taints}")
	for _, want := range []string{"node-role.kubernetes.io/control-plane", "node.kubernetes.io/exclude-from-external-load-balancers", "NoSchedule"} {
		if !strings.Contains(node, want) {
			t.Errorf("the node lacks %s: %s", want, node)
		}
	}
	for path, mode := range map[string]fs.FileMode{
		"/etc/kubernetes/manifests/etcd.yaml": 0o600, "/etc/kubernetes/manifests/kube-apiserver.yaml": 0o600,
		"/etc/kubernetes/admin.conf": 0o600, "/etc/kubernetes/super-admin.conf": 0o600, "/etc/kubernetes/pki/ca.key": 0o600,
		"/etc/kubernetes/pki/ca.crt": 0o644, "/var/lib/kubelet/config.yaml": 0o644, "/var/lib/etcd": fs.ModeDir | 0o700,
	} {
		if info, err := m.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: want mode %v, have %v, %v", path, mode, info, err)
		}
	}
	if m.MustRun(t, "systemctl", "is-enabled", "kubelet"); t.Failed() {
		return
	}
	status := m.MustRun(t, "systemctl", "status", "kubelet", "--no-pager", "-n0")
	if !strings.Contains(status, "10-kubeadm.conf") {
		t.Errorf("systemctl status does not show the drop-in:\n%s", status)
	}
}

// snapshot is inode and time of change of every file that kubewright writes.
func snapshot(t *testing.T, m *bed.Machine) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, root := range []string{"/etc/kubernetes", "/etc/systemd/system", "/var/lib/kubelet/config.yaml",
		"/var/lib/kubelet/instance-config.yaml", "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/pki"} {
		err := filepath.WalkDir(m.Path(root), func(p string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Lstat(p)
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			seen[strings.TrimPrefix(p, m.Path("/"))] = fmt.Sprintf("inode %d %v modified %v", st.Ino, info.Mode(), info.ModTime())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return seen
}

func checkAgain(t *testing.T, m *bed.Machine) {
	before := snapshot(t, m)
	kubelet := m.MustRun(t, "systemctl", "show", "kubelet", "-p", "MainPID", "--value")
	tokens := m.Kubectl(t, "-n", "kube-system", "get", "secrets", "-o", "name")
	versions := m.Kubectl(t, "-n", "kube-system", "get", "configmaps,daemonsets,deployments,roles,rolebindings", "-o",
		`jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {.metadata.managedFields[0].time}{"\n"}{end}`)
	r := run(m, "kubewright", "init", "--config", configPath)
	if r.code != 0 || !strings.Contains(r.err, "Nothing to do") {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if diff := cmp.Diff(before, snapshot(t, m)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
	if again := m.MustRun(t, "systemctl", "show", "kubelet", "-p", "MainPID", "--value"); again != kubelet {
		t.Error("the kubelet was restarted")
	}
	if diff := cmp.Diff(tokens, m.Kubectl(t, "-n", "kube-system", "get", "secrets", "-o", "name")); diff != "" {
		t.Errorf("secrets changed:\n%s", diff)
	}
	after := m.Kubectl(t, "-n", "kube-system", "get", "configmaps,daemonsets,deployments,roles,rolebindings", "-o",
		`jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {.metadata.managedFields[0].time}{"\n"}{end}`)
	if diff := cmp.Diff(versions, after); diff != "" {
		t.Errorf("objects changed:\n%s", diff)
	}
	if dry := run(m, "kubewright", "init", "--config", configPath, "--dry-run"); !strings.Contains(dry.out, "Nothing to do") {
		t.Errorf("a dry run would change something:\n%s%s", dry.out, dry.err)
	}
}

// checkKubeadm lets real kubeadm work on a cluster of ours: it reads the certificates, makes a token and joins a worker.
func checkKubeadm(t *testing.T, m *bed.Machine, lab *bed.TestLab, first result) {
	expiry := m.MustRun(t, "kubeadm", "certs", "check-expiration")
	if strings.Contains(expiry, "MISSING") || !strings.Contains(expiry, "apiserver-kubelet-client") {
		t.Errorf("kubeadm certs check-expiration:\n%s", expiry)
	}
	join := strings.Fields(m.MustRun(t, "kubeadm", "token", "create", "--print-join-command"))
	if len(join) < 5 || join[0] != "kubeadm" {
		t.Fatalf("kubeadm token create: %v", join)
	}
	w := lab.Machine(t, bed.Spec{Name: "w1", KubeletUnit: true})
	w.MustRun(t, append(join, "--ignore-preflight-errors=SystemVerification")...)
	eventually(t, time.Minute, func() string {
		state, _ := kubectl(m, "get", "node", "w1", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		if state != "True" {
			return "the worker that kubeadm joined is not ready: " + state
		}
		return ""
	})
	// The token of init's own words is good, too.
	var own []string
	for _, line := range strings.Split(first.out, "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "join" && strings.Contains(line, "--token") {
			own = append([]string{"kubeadm"}, f[1:]...)
			break
		}
	}
	if own == nil {
		t.Fatalf("init printed no join command:\n%s", first.out)
	}
	w2 := lab.Machine(t, bed.Spec{Name: "w2", KubeletUnit: true})
	w2.MustRun(t, append(own, "--ignore-preflight-errors=SystemVerification")...)
}

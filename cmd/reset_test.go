package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
)

// tree is what is on the machine, by path, but for our own records.
func (m *fakeMachine) tree() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(m.host.Root, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, m.host.Root)
		if err != nil || strings.HasPrefix(name, "/var/lib/kubewright") || name == "/run/kubewright.lock" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		text := fmt.Sprintf("%s %d:%d", info.Mode(), owner.Uid, owner.Gid)
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(data)
		}
		found[name] = text
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return found
}

// reset runs a reset that has to work.
func (m *fakeMachine) reset(more ...string) (stderr string) {
	m.t.Helper()
	code, _, stderr := m.run(append([]string{"reset", "--force"}, more...)...)
	if code != 0 {
		m.t.Fatalf("reset: exit code %d\n%s", code, stderr)
	}
	return stderr
}

// same fails the test when the machine is not as it was.
func (m *fakeMachine) same(before map[string]string) {
	m.t.Helper()
	if now := m.tree(); !maps.Equal(before, now) {
		m.t.Errorf("the machine is not as it was (-before +after):\n%s", cmp.Diff(before, now))
	}
}

// emptyLists lets the cluster say that it is ready, and that nothing hangs on any node.
func (c *fakeCluster) emptyLists() {
	c.objects["/readyz"] = map[string]any{}
	for path, kind := range map[string]string{"/api/v1/pods": "PodList", "/apis/certificates.k8s.io/v1/certificatesigningrequests": "CertificateSigningRequestList"} {
		c.objects[path] = map[string]any{"kind": kind, "apiVersion": "v1", "items": []any{}}
	}
}

// newWorker is a machine on which others have put something, and the arguments with which it joins.
func newWorker(t *testing.T) (m *fakeMachine, args []string) {
	t.Helper()
	c := newCluster(t)
	c.emptyLists()
	m = newMachine(t, c, "w1")
	m.write("/etc/kubernetes-audit.yaml", []byte("others'"))
	m.write("/etc/systemd/system/kubelet.service.d/20-own.conf", []byte("[Service]\n"))
	return m, c.joins()
}

func TestResetWorker(t *testing.T) {
	t.Parallel()
	m, args := newWorker(t)
	before := m.tree()
	joined(t, m, args...)
	m.done.Wait()
	m.runtime.SetPods(host.Pod{ID: "1", Namespace: "default", Name: "web"}, host.Pod{ID: "2", Namespace: "kube-system", Name: "x", Static: true})
	code, stdout, stderr := m.run("reset", "--dry-run")
	for _, want := range []string{"pod default/web", "Node w1", "- file /etc/kubernetes/kubelet.conf", "- directory /var/lib/kubelet", "- directory /etc/kubernetes\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the plan does not have %q", want)
		}
	}
	if code != 0 || t.Failed() {
		t.Fatalf("dry run: exit code %d\n%s%s", code, stdout, stderr)
	}
	m.reset()
	m.same(before)
	if pods, _ := m.runtime.KubeletPods(t.Context()); len(pods) > 0 {
		t.Errorf("pods are left: %v", pods)
	}
	if m.cluster.objects["/api/v1/nodes/w1"] != nil {
		t.Error("the Node is left")
	}
	if u, err := m.systemd.Unit(t.Context(), config.KubeletService); err != nil || u.ActiveState == "active" || u.LoadState == "loaded" {
		t.Errorf("the kubelet's unit: %+v, %v", u, err)
	}
	if stderr := m.reset(); !strings.Contains(stderr, "Nothing to do") {
		t.Errorf("the second time:\n%s", stderr)
	}
	joined(t, m, args...) // and back again
}

// A machine that no tool has made a node is left as it is.
func TestResetNothing(t *testing.T) {
	m := newMachine(t, newCluster(t), "w1")
	before := m.tree()
	if stderr := m.reset(); !strings.Contains(stderr, "Nothing to do") {
		t.Errorf("stderr:\n%s", stderr)
	}
	m.same(before)
	m.write("/etc/reset.yaml", []byte(v1beta4+"kind: ResetConfiguration\n"))
	before = m.tree()
	m.reset("--config", m.host.Root+"/etc/reset.yaml") // and --force
	m.same(before)
}

// Where the user has removed the kubelet's unit, its link is taken away nevertheless: systemd does not do it.
func TestResetUnitGone(t *testing.T) {
	t.Parallel()
	m, args := newWorker(t)
	before := m.tree()
	joined(t, m, args...)
	m.done.Wait()
	for _, path := range []string{config.KubeletUnitFile, config.KubeletDropIn} {
		if err := m.host.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	wants := "/etc/systemd/system/multi-user.target.wants"
	if err := errors.Join(m.host.MkdirAll(wants, 0o755), m.host.Symlink(config.KubeletUnitFile, wants+"/kubelet.service")); err != nil {
		t.Fatal(err)
	}
	m.reset()
	if err := m.host.RemoveEmptyDir(wants); err != nil { // systemd's
		t.Fatal(err)
	}
	m.same(before)
}

// Keys without a node may be a user's, for an init to come. With a sign of kubeadm's work they are what kubeadm has made.
func TestResetKeysOfUsers(t *testing.T) {
	whole := []string{"ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "etcd/ca.crt", "etcd/ca.key"}
	for name, c := range map[string]struct {
		pki    []string
		beside []string // other files
		stays  bool
	}{
		"own CA":                     {pki: whole[:2], stays: true},
		"external CA":                {pki: []string{"ca.crt", "apiserver.crt", "apiserver.key"}, beside: []string{"admin.conf", "scheduler.conf"}, stays: true},
		"kubeadm's certs phase":      {pki: whole},
		"kubeadm's kubeconfig phase": {pki: whole, beside: []string{"admin.conf", "kubelet.conf"}},
		"kubeadm's join":             {pki: whole[:1], beside: []string{"bootstrap-kubelet.conf"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := newWorker(t)
			bare := m.tree()
			for _, file := range c.pki {
				m.write("/etc/kubernetes/pki/"+file, []byte(file))
			}
			for _, file := range c.beside {
				m.write("/etc/kubernetes/"+file, []byte(file))
			}
			want := bare
			if c.stays {
				want = m.tree()
			}
			for range 2 {
				m.reset()
				m.same(want)
			}
		})
	}
}

// Without an answer of y nothing is changed.
func TestResetAsks(t *testing.T) {
	m, args := newWorker(t)
	joined(t, m, args...)
	m.done.Wait()
	before := m.tree()
	for _, m.answers = range []string{"", "n\n", "\n", "yikes\n"} {
		code, _, stderr := m.run("reset")
		if code != cause.Refused.Exit() || !strings.Contains(stderr, "Are you sure? [y/N]") || !strings.Contains(stderr, "nothing was changed") {
			t.Errorf("%q: exit code %d\n%s", m.answers, code, stderr)
		}
		m.same(before)
	}
	m.answers = "Y\n"
	if code, _, stderr := m.run("reset"); code != 0 || m.host.Exists(config.KubeletKubeconfig) {
		t.Errorf("with consent: exit code %d\n%s", code, stderr)
	}
}

// What a kubelet may not remove is told, with what to do, and the machine is reset nevertheless.
func TestResetForbidden(t *testing.T) {
	m, args := newWorker(t)
	before := m.tree()
	joined(t, m, args...)
	m.done.Wait()
	m.cluster.refuse = func(r *http.Request) int {
		if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/nodes/w1") {
			return http.StatusForbidden
		}
		return 0
	}
	if stderr := m.reset(); !strings.Contains(stderr, "kubectl delete node w1") {
		t.Errorf("stderr:\n%s", stderr)
	}
	m.same(before)
}

// A part that fails is told, the others are done, and the exit code tells.
func TestResetFailures(t *testing.T) {
	m, args := newWorker(t)
	joined(t, m, args...)
	m.done.Wait()
	m.systemd.Fail("stop", config.KubeletService, "timeout")
	m.host.Unmounter = func(path string, _ int) error { return fmt.Errorf("%s is busy", path) }
	m.write("/proc/self/mountinfo", []byte(fmt.Sprintf("40 30 0:35 / %s rw - tmpfs tmpfs rw\n", config.KubeletDir+"/pods/a/volumes/v")))
	code, _, stderr := m.run("reset", "--force")
	for _, want := range []string{"parts failed", "volumes/v is busy", "kubelet.service"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr does not have %q", want)
		}
	}
	left := slices.DeleteFunc(slices.Sorted(maps.Keys(m.tree())), func(path string) bool { return !strings.HasPrefix(path, "/etc/kubernetes/") })
	if code != cause.Incomplete.Exit() || len(left) > 0 || t.Failed() {
		t.Errorf("exit code %d, left: %v\n%s", code, left, stderr)
	}
	m.systemd.Fail("stop", config.KubeletService, "")
	m.host.Unmounter = func(string, int) error { return m.host.Remove("/proc/self/mountinfo") }
	m.reset()
}

// A damaged journal is told, and nobody guesses what was there before.
func TestResetDamagedJournal(t *testing.T) {
	m, args := newWorker(t)
	joined(t, m, args...)
	m.done.Wait()
	m.write("/var/lib/kubewright/runs/20200102T030405.000Z-init/journal.jsonl", []byte("{\n{}\n"))
	before := m.tree()
	code, _, stderr := m.run("reset", "-f")
	if code != cause.Refused.Exit() || !strings.Contains(stderr, "20200102T030405.000Z-init/journal.jsonl: line 1 is damaged") || !strings.Contains(stderr, "move /var/lib/kubewright/runs away") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	m.same(before)
}

// Each mistake in the command line is told, and changes nothing.
func TestResetErrors(t *testing.T) {
	m, args := newWorker(t)
	joined(t, m, args...)
	m.done.Wait()
	before := m.tree()
	for name, c := range map[string]struct {
		args []string
		want string
		why  cause.Cause
	}{
		"skip":       {[]string{"--skip-phases", "cleanup"}, `cannot skip phase "cleanup"`, cause.Usage},
		"root":       {[]string{"--root", "/x"}, "cannot use --root with reset", cause.Usage},
		"cert-dir":   {[]string{"--cert-dir", "pki"}, "certificatesDir", cause.Usage},
		"kubeconfig": {[]string{"--kubeconfig", "/none"}, "/none", cause.Other},
		"json":       {[]string{"-o", "json"}, "--force", cause.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"reset"}, c.args...)
			if name != "json" {
				args = append(args, "-f")
			}
			code, stdout, stderr := m.run(args...)
			if code != c.why.Exit() || !strings.Contains(stdout+stderr, c.want) {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			m.same(before)
		})
	}
}

// keys are the private keys on the machine, by path.
func (m *fakeMachine) keys() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(m.host.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".key" {
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = string(data)
		return err
	})
	if err != nil {
		m.t.Error(err)
	}
	return found
}

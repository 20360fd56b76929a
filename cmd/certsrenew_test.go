package cmd

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// newNode is a control plane that init has made, whose components all answer where their manifests say.
func newNode(t *testing.T) (m *fakeMachine, initArgs []string) {
	t.Helper()
	m, initArgs = newUnborn(t)
	m.pods.parts[config.Etcd] = newComponent(t, func(http.ResponseWriter, *http.Request) {}, nil)
	joined(t, m, initArgs...)
	return m, initArgs
}

// started is when each component was started.
func (m *fakeMachine) started() map[string]int64 {
	m.t.Helper()
	list, err := m.runtime.Containers(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	at := map[string]int64{}
	for _, c := range list {
		at[c.Name] = c.StartedAt
	}
	return at
}

// restarts are the components that were started since, in that order.
func (m *fakeMachine) restarts(before map[string]int64) []string {
	now := m.started()
	names := slices.DeleteFunc(slices.Collect(maps.Keys(now)), func(name string) bool { return now[name] == before[name] })
	slices.SortFunc(names, func(a, b string) int { return int(now[a] - now[b]) })
	return names
}

func manifestOf(component string) string { return config.ManifestsDir + "/" + component + ".yaml" }

// changedPaths are those of two trees that differ.
func changedPaths(before, after map[string]string) []string {
	var paths []string
	for path, text := range after {
		if before[path] != text {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// changedLines are those of two texts that differ, if there are as many of them.
func changedLines(before, after string) (lines []string) {
	was := strings.Split(before, "\n")
	for i, line := range strings.Split(after, "\n") {
		if i >= len(was) || was[i] != line {
			lines = append(lines, line)
		}
	}
	return lines
}

var inOrder = []string{config.Etcd, config.APIServer, config.ControllerManager, config.Scheduler}

// All certificates are renewed, one component after the other is restarted, init finds nothing to do, and all of it can be taken back.
func TestRenewAll(t *testing.T) {
	m, initArgs := newNode(t)
	before, started := m.tree(), m.started()
	output := joined(t, m, "certs", "renew", "all")
	for _, want := range []string{"admin.conf               renewed, good until ", "etcd-peer                renewed", "~/.kube/config"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	if diff := cmp.Diff(inOrder, m.restarts(started)); diff != "" {
		t.Errorf("restarted: %s", diff)
	}
	after := m.tree()
	var files []string
	for _, path := range changedPaths(before, after) {
		if !strings.HasPrefix(path, config.ManifestsDir) {
			files = append(files, strings.TrimPrefix(path, config.KubernetesDir+"/"))
			continue
		}
		if lines := changedLines(before[path], after[path]); len(lines) != 1 || !strings.Contains(lines[0], "kubewright.io/mounted-files-hash: ") {
			t.Errorf("%s has changed more than the hash: %q", path, lines)
		}
	}
	want := []string{"admin.conf", "controller-manager.conf"}
	for _, name := range []string{"apiserver-etcd-client", "apiserver-kubelet-client", "apiserver", "etcd/healthcheck-client", "etcd/peer", "etcd/server", "front-proxy-client"} {
		want = append(want, "pki/"+name+".crt", "pki/"+name+".key")
	}
	if diff := cmp.Diff(append(want, "scheduler.conf", "super-admin.conf"), files); diff != "" {
		t.Errorf("changed: %s", diff)
	}
	if output := joined(t, m, initArgs...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("init again:\n%s", output)
	}
	m.same(after)
	runs := m.past()
	if last := runs[len(runs)-1]; last.Command != "certs-renew" || last.Result != plan.Finished || last.Changes != 22 {
		t.Errorf("history: %+v", last)
	}
	started = m.started()
	if output := m.rollback(); !strings.Contains(output, "as it was before certs-renew of") {
		t.Errorf("rollback:\n%s", output)
	}
	m.same(before)
	if got := m.restarts(started); len(got) != 4 {
		t.Errorf("the rollback has restarted %v", got)
	}
}

// One certificate concerns the components that read it, and no other.
func TestRenewOne(t *testing.T) {
	m, _ := newNode(t)
	for _, tc := range []struct {
		name string
		want []string
	}{
		{"etcd-server", []string{config.Etcd}},
		{"apiserver-etcd-client", []string{config.APIServer}},
		{"front-proxy-client", []string{config.APIServer}},
		{"scheduler.conf", []string{config.Scheduler}},
		{"etcd-healthcheck-client", nil},
		{"admin.conf", nil},
	} {
		started := m.started()
		before := m.tree()
		joined(t, m, "certificates", "renew", tc.name)
		if diff := cmp.Diff(tc.want, m.restarts(started), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s restarted: %s", tc.name, diff)
		}
		paths := changedPaths(before, m.tree())
		for _, component := range inOrder {
			if slices.Contains(paths, manifestOf(component)) != slices.Contains(tc.want, component) {
				t.Errorf("%s changed %v", tc.name, paths)
			}
		}
	}
}

// The manifests of others are changed by one line, which does not make them ours.
func TestRenewOthersManifests(t *testing.T) {
	m, initArgs := newNode(t)
	for _, component := range inOrder {
		text, err := m.host.ReadFile(manifestOf(component))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, line := range strings.SplitAfter(string(text), "\n") {
			if !strings.Contains(line, "mounted-files-hash") {
				lines = append(lines, line)
			}
		}
		m.write(manifestOf(component), []byte("# by hand\n"+strings.Join(lines, "")))
	}
	before := m.tree()
	started := m.started()
	joined(t, m, "certs", "renew", "all")
	if diff := cmp.Diff(inOrder, m.restarts(started)); diff != "" {
		t.Errorf("restarted: %s", diff)
	}
	after := m.tree()
	for _, component := range inOrder {
		var without []string
		for _, line := range strings.SplitAfter(after[manifestOf(component)], "\n") {
			if !strings.Contains(line, "kubewright.io/renewed-files-hash: ") {
				without = append(without, line)
			}
		}
		if diff := cmp.Diff(before[manifestOf(component)], strings.Join(without, "")); diff != "" {
			t.Errorf("%s has changed otherwise:\n%s", component, diff)
		}
	}
	// Only the annotation of ours lets init take a manifest for its own.
	if strings.Contains(after[manifestOf(config.APIServer)], "mounted-files-hash") {
		t.Errorf("the manifest claims to be ours, so that %v would go on with it", initArgs)
	}
}

// What must not happen does not: a dry run changes nothing, and --no-restart no manifest.
func TestRenewLeavesAlone(t *testing.T) {
	m, _ := newNode(t)
	before, started := m.tree(), m.started()
	code, stdout, stderr := m.run("certs", "renew", "all", "--dry-run")
	if code != 0 || !strings.Contains(stdout, "~ file /etc/kubernetes/pki/apiserver.crt: a new one until ") || strings.Contains(stdout, "BEGIN") ||
		!strings.Contains(stdout, "has the kubelet restart it") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	m.same(before)
	code, stdout, _ = m.run("certs", "renew", "all", "--no-restart", "-o", "json")
	var last event
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || code != 0 || len(last.Certificates) != 11 ||
		last.Certificates[1].Name != "apiserver" || last.Certificates[1].Outcome != "renewed" || last.Certificates[1].Expires == "" {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
	for _, path := range changedPaths(before, m.tree()) {
		if strings.HasPrefix(path, config.ManifestsDir) {
			t.Errorf("%s has changed", path)
		}
	}
	if got := m.restarts(started); len(got) > 0 {
		t.Errorf("%v were restarted", got)
	}
	if strings.Contains(stdout, "PRIVATE KEY") || strings.Contains(stdout, "client-key-data") {
		t.Error("the events have keys in them")
	}
}

// What is renewed keeps its mode and its owner, and is written where a link leads.
func TestRenewInPlace(t *testing.T) {
	m, _ := newNode(t)
	const key, crt, conf, moved = "/etc/kubernetes/pki/apiserver.key", "/etc/kubernetes/pki/apiserver.crt", "/etc/kubernetes/scheduler.conf", "/data/apiserver.crt"
	if err := errors.Join(os.Chmod(m.host.Root+key, 0o640), os.Chmod(m.host.Root+conf, 0o640), os.Chmod(m.host.Root+manifestOf(config.Scheduler), 0o644),
		os.Mkdir(m.host.Root+"/data", 0o755), os.Rename(m.host.Root+crt, m.host.Root+moved), os.Symlink("../../../data/apiserver.crt", m.host.Root+crt)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(m.host.Root+key, 0, 2000); err != nil {
			t.Fatal(err)
		}
	}
	before := m.tree()
	joined(t, m, "certs", "renew", "all")
	after := m.tree()
	for _, path := range []string{key, conf, moved, manifestOf(config.Scheduler)} {
		was, _, _ := strings.Cut(before[path], " ")
		is, _, _ := strings.Cut(after[path], " ")
		if owner := strings.Fields(before[path])[1]; is != was || strings.Fields(after[path])[1] != owner || before[path] == after[path] {
			t.Errorf("%s is %.30q now, and was %.30q", path, after[path], before[path])
		}
	}
	if before[crt] != after[crt] || !strings.HasPrefix(after[crt], "L") {
		t.Errorf("the link is %.30q now", after[crt])
	}
	m.rollback()
	m.same(before)
}

// Nothing is renewed where nobody would restart what reads it.
func TestRenewWithoutKubelet(t *testing.T) {
	m, _ := newNode(t)
	before := m.tree()
	if err := m.systemd.Stop(t.Context(), config.KubeletService); err != nil {
		t.Fatal(err)
	}
	refused(t, m, []string{"cannot restart etcd, kube-apiserver, kube-controller-manager, kube-scheduler", "the kubelet does not run", "--no-restart"}, "certs", "renew", "all")
	m.noRuntime = errors.New("no such socket")
	refused(t, m, []string{"no such socket"}, "certs", "renew", "apiserver")
	m.same(before)
	joined(t, m, "certs", "renew", "admin.conf") // nobody reads it
	joined(t, m, "certs", "renew", "all", "--no-restart")
}

// A control plane that does not answer, as when its certificates have expired, is renewed and replaced as a whole.
func TestRenewWithoutAPIServer(t *testing.T) {
	m, _ := newNode(t)
	m.pods.parts[config.APIServer].runs(false)
	started := m.started()
	output := joined(t, m, "certs", "renew", "all")
	if !strings.Contains(output, "warning: the cluster can't be asked for its configuration") || !strings.Contains(output, "wait-control-plane") {
		t.Errorf("output:\n%s", output)
	}
	if got := m.restarts(started); len(got) != 4 {
		t.Errorf("restarted: %v", got)
	}
	if code, _, stderr := m.run("token", "list", "--kubeconfig", m.host.Root+config.AdminKubeconfig); code == 0 || !strings.Contains(stderr, ownAddress) {
		t.Errorf("exit code %d\n%s", code, stderr) // there is no such address here, but the file is good
	}
}

// What the CA of this machine can't sign, and what is not there, is told and no error.
func TestRenewOutcomes(t *testing.T) {
	m, _ := newNode(t)
	if err := errors.Join(m.host.Remove("/etc/kubernetes/pki/front-proxy-ca.key"), m.host.Remove("/etc/kubernetes/super-admin.conf")); err != nil {
		t.Fatal(err)
	}
	output := joined(t, m, "certs", "renew", "all")
	for _, want := range []string{
		"front-proxy-client       not renewed: the key of its CA front-proxy-ca is not here", "super-admin.conf         MISSING", "apiserver                renewed",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	before := m.tree()
	if err := m.host.Remove("/etc/kubernetes/pki/ca.crt"); err != nil {
		t.Fatal(err)
	}
	refused(t, m, []string{"cannot renew admin.conf: the CA /etc/kubernetes/pki/ca.crt is not there"}, "certs", "renew", "all")
	if diff := changedPaths(before, m.tree()); len(diff) != 0 {
		t.Errorf("changed: %v", diff)
	}
}

// The directory, the kind of keys and the life of certificates are the cluster's.
func TestRenewByCluster(t *testing.T) {
	m, _ := newNode(t)
	m.cluster.mu.Lock()
	m.cluster.objects["/api/v1/namespaces/kube-system/configmaps/kubeadm-config"] = configMap("ClusterConfiguration", "apiVersion: kubeadm.k8s.io/v1beta4\n"+
		"kind: ClusterConfiguration\nkubernetesVersion: v1.37.2\ncertificateValidityPeriod: 48h0m0s\netcd: {external: {endpoints: [\"https://192.0.2.1:2379\"]}}\n")
	m.cluster.mu.Unlock()
	output := joined(t, m, "certs", "check-expiration")
	if strings.Contains(output, "etcd") {
		t.Errorf("etcd is somebody else's:\n%s", output)
	}
	joined(t, m, "certs", "renew", "scheduler.conf")
	output = joined(t, m, "certs", "check-expiration", "-o", `jsonpath={.certificates[?(@.name=="scheduler.conf")].residualTime}`)
	if len(output) != len("172799") || output[:2] != "17" {
		t.Errorf("the certificate is good for %s seconds", output)
	}
}

// After a renewal, reset leaves as little as without it, whoever has made the node.
func TestResetAfterRenewal(t *testing.T) {
	t.Parallel()
	for _, maker := range []string{"kubewright", "kubeadm", "kubeadm, and a reset that was interrupted"} {
		t.Run(maker, func(t *testing.T) {
			m, args := newUnborn(t)
			m.cluster.emptyLists()
			m.pods.parts[config.Etcd] = newComponent(t, func(http.ResponseWriter, *http.Request) {}, nil)
			before := m.tree()
			joined(t, m, args...)
			if maker != "kubewright" { // it leaves no record
				if err := os.RemoveAll(m.host.Root + "/var/lib/kubewright"); err != nil {
					t.Fatal(err)
				}
			}
			joined(t, m, "certs", "renew", "all")
			if strings.Contains(maker, "interrupted") {
				if err := errors.Join(m.host.Remove(config.KubeletFlagsFile), m.host.Remove(manifestOf(config.APIServer))); err != nil {
					t.Fatal(err)
				}
				for m.pods.parts[config.APIServer].door.open.Load() { // one that ends while it is asked is waited for, for a minute
					time.Sleep(every)
				}
			}
			if code, _, stderr := m.run("reset", "--force", "--force-data-loss"); code != 0 {
				t.Fatalf("exit code %d\n%s", code, stderr)
			}
			for _, path := range changedPaths(before, m.tree()) {
				if strings.HasPrefix(path, config.KubernetesDir+"/") {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

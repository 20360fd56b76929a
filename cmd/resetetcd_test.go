package cmd

import (
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/etcd/etcdtest"
	"github.com/kubewright/kubewright/host"
)

const etcdDB = "/var/lib/etcd/member/snap/db"

// newControlPlane is a machine that joined as a control plane, with data of etcd, what was on it before, and the cluster's etcd.
func newControlPlane(t *testing.T) (m *fakeMachine, before map[string]string, e *etcdtest.Fake) {
	t.Helper()
	c, e := newStacked(t)
	c.emptyLists()
	m = newMachine(t, c, "cp2")
	m.write("/etc/kubernetes-audit.yaml", []byte("others'"))
	before = m.tree()
	runEtcd(t, m, e)
	joined(t, m, c.controlPlane(c.upload(t))...)
	m.write(etcdDB, []byte("data"))
	m.onLoopback(ownMember(e).ClientURLs[0])
	return m, before, e
}

// onLoopback lets all that a reset asks be on this machine's loopback.
func (m *fakeMachine) onLoopback(ownEtcd string) {
	m.t.Helper()
	for path, texts := range map[string][]string{
		etcdManifest:             {"https://10.9.0.2:2379", ownEtcd, "http://p1:2380", "http://127.0.0.1:2380"},
		config.KubeletKubeconfig: {"https://10.9.0.2:6443", "https://127.0.0.1:1"},
	} {
		data, err := m.host.ReadFile(path)
		if err != nil {
			m.t.Fatal(err)
		}
		m.write(path, []byte(strings.NewReplacer(texts...).Replace(string(data))))
	}
}

// withoutData is a tree without the data of etcd that was moved aside, which has to be in one place.
func withoutData(t *testing.T, tree map[string]string) map[string]string {
	t.Helper()
	places := 0
	for path, text := range tree {
		if strings.HasPrefix(path, "/var/lib/etcd.reset-") {
			delete(tree, path)
			if strings.HasSuffix(path, "/member/snap/db") && strings.HasSuffix(text, " data") {
				places++
			}
		}
	}
	if places != 1 {
		t.Errorf("etcd's data is in %d places", places)
	}
	return tree
}

// The member leaves through the others, its data is moved aside, and all else goes.
func TestResetControlPlane(t *testing.T) {
	m, before, e := newControlPlane(t)
	m.cluster.asked()
	m.cluster.objects[leases+"/kubewright-etcd"] = map[string]any{ // of a join that was killed here
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": "kubewright-etcd", "namespace": "kube-system", "resourceVersion": "1"},
		"spec": map[string]any{"holderIdentity": "kubewright on cp2 (0000abcd)", "leaseDurationSeconds": int64(600), "leaseTransitions": int64(0)},
	}
	stderr := m.reset()
	if asked := m.cluster.asked(); !slices.Contains(asked, "PUT "+leases+"/kubewright-etcd") || m.cluster.objects[leases+"/kubewright-etcd"] != nil {
		t.Errorf("the lock of etcd's members was not taken, or is left:\n%s", strings.Join(asked, "\n"))
	}
	if ownMember(e) != nil || len(e.Members) != 1 || !slices.Equal(e.Calls, []string{"add", "promote", "remove"}) {
		t.Errorf("members %v, calls %v", e.Members, e.Calls)
	}
	if !strings.Contains(stderr, "etcd's data is in /var/lib/etcd.reset-") || strings.Contains(stderr, "last control plane") {
		t.Errorf("stderr:\n%s", stderr)
	}
	if after := withoutData(t, m.tree()); !maps.Equal(before, after) {
		t.Errorf("the machine is not as it was: %v, then %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
	if stderr := m.reset(); !strings.Contains(stderr, "Nothing to do") {
		t.Errorf("the second time:\n%s", stderr)
	}
}

// The API server ends while its etcd still works: later, its clients would wait for answers that do not come.
func TestResetAPIServerFirst(t *testing.T) {
	m, _, e := newControlPlane(t)
	static := func(component string) host.Pod {
		return host.Pod{ID: component, Namespace: "kube-system", Name: component + "-cp2", Static: true}
	}
	m.runtime.SetPods(static("etcd"), static("kube-apiserver"))
	var last []host.Pod // when the members were asked for the last time while this one was among them
	e.OnList = func() {
		if ownMember(e) != nil {
			last, _ = m.runtime.KubeletPods(t.Context())
		}
	}
	m.reset()
	if len(last) != 1 || last[0].ID != "etcd" || ownMember(e) != nil {
		t.Errorf("when the member left there were %v", last)
	}
}

// --wipe-etcd deletes the data.
func TestResetWipe(t *testing.T) {
	m, before, _ := newControlPlane(t)
	m.reset("--wipe-etcd")
	m.same(before)
}

// joinedWithOwnCA is a control plane whose keys the user has brought, and its tree before the join.
func joinedWithOwnCA(t *testing.T) (m *fakeMachine, before map[string]string) {
	t.Helper()
	c, e := newStacked(t)
	c.emptyLists()
	m = newMachine(t, c, "cp2")
	for path, data := range c.pki {
		m.write(path, data)
	}
	before = m.tree()
	runEtcd(t, m, e)
	joined(t, m, c.controlPlane("")...)
	m.onLoopback(ownMember(e).ClientURLs[0])
	return m, before
}

// Keys that the user has brought are the user's.
func TestResetOwnCA(t *testing.T) {
	m, before := joinedWithOwnCA(t)
	stderr := m.reset()
	if !strings.Contains(stderr, "Left alone: /etc/kubernetes/pki") {
		t.Errorf("stderr:\n%s", stderr)
	}
	m.same(before)
	m.reset() // it knows no journal any more
	m.same(before)
}

// The cluster's own directory of certificates is the one that counts, also where no journal tells what was made.
func TestResetCertificatesDir(t *testing.T) {
	c, e := newStacked(t)
	c.emptyLists()
	path := "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
	stored := c.objects[path].(*corev1.ConfigMap)
	c.objects[path] = configMap("ClusterConfiguration", stored.Data["ClusterConfiguration"]+"certificatesDir: /srv/pki\n")
	for path, data := range maps.Clone(c.pki) {
		c.pki[strings.Replace(path, config.DefaultCertificatesDir, "/srv/pki", 1)] = data
	}
	m := newMachine(t, c, "cp2")
	runEtcd(t, m, e)
	joined(t, m, c.controlPlane(c.upload(t))...)
	m.onLoopback(ownMember(e).ClientURLs[0])
	m.write("/srv/pki/others.crt", []byte("others'"))
	m.write(config.DefaultCertificatesDir+"/others.crt", []byte("others'"))
	if err := m.host.RemoveTree("/var/lib/kubewright"); err != nil || len(m.keys()) < 8 {
		t.Fatalf("%v, keys: %v", err, slices.Sorted(maps.Keys(m.keys())))
	}
	m.reset("--wipe-etcd")
	if keys := m.keys(); len(keys) > 0 {
		t.Errorf("keys are left: %v", slices.Sorted(maps.Keys(keys)))
	}
	for _, path := range []string{"/srv/pki/others.crt", config.DefaultCertificatesDir + "/others.crt"} {
		if !m.host.Exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if m.host.Exists("/srv/pki/ca.crt") {
		t.Error("the cluster's CA is left")
	}
}

// What would cost the others their quorum is refused before anything is changed, unless the user says so.
func TestResetRefused(t *testing.T) {
	m, _, e := newControlPlane(t)
	before := m.tree()
	e.Lock()
	e.Stop[1]()
	e.Unlock()
	for name, args := range map[string][]string{"all": {"reset", "-f"}, "phase": {"reset", "phase", "remove-etcd-member"}} {
		code, _, stderr := m.run(args...)
		if code != cause.Refused.Exit() || !strings.Contains(stderr, "no quorum") || !strings.Contains(stderr, "--force-data-loss") {
			t.Errorf("%s: exit code %d\n%s", name, code, stderr)
		}
		m.same(before)
	}
	code, stdout, stderr := m.run("reset", "--dry-run")
	if code != 0 || !strings.Contains(stderr, "a real run would stop here: cannot reset this machine") || !strings.Contains(stdout, "move etcd's data") {
		t.Errorf("dry run: exit code %d\n%s%s", code, stdout, stderr)
	}
	if stderr := m.reset("--force-data-loss"); !strings.Contains(stderr, "because of --force-data-loss") {
		t.Errorf("stderr:\n%s", stderr)
	}
	withoutData(t, m.tree())
	if m.host.Exists(etcdManifest) || m.host.Exists(etcdDB) || len(e.Calls) != 2 {
		t.Errorf("calls %v", e.Calls)
	}
}

// Where nobody answers, the machine's own data decides; data that can't be read is a doubt.
func TestResetSilence(t *testing.T) {
	m, _, e := newControlPlane(t)
	before := m.tree()
	e.Lock()
	for _, stop := range e.Stop {
		stop()
	}
	e.Unlock()
	code, _, stderr := m.run("reset", "-f")
	if code != cause.Refused.Exit() || !strings.Contains(stderr, "cannot tell what this machine's member is") || !strings.Contains(stderr, "--force-data-loss") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	m.same(before)
	// Left out, the member stays as it is.
	m.reset("--skip-phases", "remove-etcd-member")
	if !m.host.Exists(etcdDB) || len(e.Calls) != 2 {
		t.Errorf("calls %v", e.Calls)
	}
}

// A data directory that is a disk of its own, or a link to one, stays; what is in it is moved aside there, and another init or join
// goes through.
func TestResetDataDisk(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(m *fakeMachine){
		"mount": func(m *fakeMachine) {
			m.write("/var/lib/etcd/lost+found/x", nil)
			m.write("/proc/self/mountinfo", []byte("40 30 8:1 / /var/lib/etcd rw - ext4 /dev/sdb rw\n"))
		},
		"link": func(m *fakeMachine) {
			m.write("/srv/etcd/lost+found/x", nil)
			if err := m.host.Symlink("/srv/etcd", "/var/lib/etcd"); err != nil {
				m.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, e := newStacked(t)
			c.emptyLists()
			m := newMachine(t, c, "cp2")
			prepare(m)
			runEtcd(t, m, e)
			joined(t, m, c.controlPlane(c.upload(t))...)
			m.write(etcdDB, []byte("data"))
			m.onLoopback(ownMember(e).ClientURLs[0])
			m.reset()
			names, err := m.host.ReadDir("/var/lib/etcd")
			if err != nil || len(names) != 2 || names[0] != "lost+found" || !strings.HasPrefix(names[1], "member.reset-") {
				t.Errorf("in the data directory: %v, %v", names, err)
			}
			joined(t, m, c.controlPlane(c.upload(t))...)
			m.write(etcdDB, []byte("data"))
			m.onLoopback(ownMember(e).ClientURLs[0])
			m.reset("--wipe-etcd")
			if names, err := m.host.ReadDir("/var/lib/etcd"); err != nil || len(names) != 0 {
				t.Errorf("wiped: %v, %v", names, err)
			}
		})
	}
}

package cmd

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/etcd/etcdtest"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/pki"
)

const (
	etcdManifest = "/etc/kubernetes/manifests/etcd.yaml"
	leases       = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
	ownPeer      = "https://10.9.0.2:2380"
)

// newStacked is a cluster whose control planes run etcd, with one member.
func newStacked(t *testing.T) (*fakeCluster, *etcdtest.Fake) {
	t.Helper()
	c, e := newCluster(t), etcdtest.New(t, 1)
	text, _, _ := strings.Cut(fmt.Sprintf(clusterConfig, c.endpoint()), "etcd:")
	c.objects["/api/v1/namespaces/kube-system/configmaps/kubeadm-config"] = configMap("ClusterConfiguration", text)
	set := pki.Plan(pki.Input{Config: c.configuration(t, "cp1"), Now: time.Now(), Rand: rand.Reader, Read: readFrom(c.pki)})
	files, err := set.Files("etcd-ca")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		c.pki[f.Path] = f.Data
	}
	c.objects["/api/v1/namespaces/kube-system/pods"] = &corev1.PodList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"},
		Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{
			Name: "etcd-cp1", Annotations: map[string]string{cluster.EtcdEndpointAnnotation: e.Members[0].ClientURLs[0]},
		}}},
	}
	return c, e
}

// own is the member of the machine that joins; nil when there is none.
func ownMember(e *etcdtest.Fake) *pb.Member {
	for _, m := range e.Members {
		if slices.Contains(m.PeerURLs, ownPeer) {
			return m
		}
	}
	return nil
}

// runEtcd starts the machine's member once its manifest is there.
func runEtcd(t *testing.T, m *fakeMachine, e *etcdtest.Fake) {
	t.Helper()
	m.etcd = e
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
			e.Lock()
			if own := ownMember(e); own != nil && own.Name == "" && m.host.Exists(etcdManifest) {
				own.Name = m.name
				e.Start(own)
			}
			e.Unlock()
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

// TestJoinStacked adds a member, gives it its vote, and holds the lock no longer; a second run does not take it.
func TestJoinStacked(t *testing.T) {
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	runEtcd(t, m, e)
	key := c.upload(t)
	// While the lock is waited for, somebody else joins.
	c.refuse = func(r *http.Request) int {
		if strings.HasPrefix(r.URL.Path, leases) {
			e.Lock()
			defer e.Unlock()
			if len(e.Members) == 1 {
				e.Start(e.Learner(false))
			}
		}
		return 0
	}
	output := joined(t, m, c.controlPlane(key)...)
	asked := c.asked()
	if own := ownMember(e); own == nil || own.IsLearner || len(e.Members) != 3 {
		t.Errorf("members %v\n%s", e.Members, output)
	}
	data, err := m.host.ReadFile(etcdManifest)
	if want := "--initial-cluster=m1=http://p1:2380,m2=http://p2:2380,cp2=" + ownPeer; err != nil || !sameMembers(string(data), want) {
		t.Errorf("the manifest does not name the members of now: %v\n%s", err, data)
	}
	if c.objects[leases+"/kubewright-etcd"] != nil || !slices.Contains(asked, "POST "+leases) {
		t.Errorf("the lock: %s", strings.Join(asked, "\n"))
	}
	if output := joined(t, m, c.controlPlane(key)...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("a second run:\n%s", output)
	}
	for _, request := range c.asked() {
		if strings.Contains(request, "leases") && !strings.HasPrefix(request, "GET ") {
			t.Errorf("a second run takes the lock: %s", request)
		}
	}
}

// sameMembers compares --initial-cluster, in any order.
func sameMembers(manifest, want string) bool {
	sorted := func(flag string) string {
		_, list, _ := strings.Cut(flag, "--initial-cluster=")
		list, _, _ = strings.Cut(list, "\n")
		members := strings.Split(list, ",")
		slices.Sort(members)
		return strings.Join(members, ",")
	}
	return sorted(manifest) == sorted(want)
}

// TestJoinAbandoned: a run that is stopped while its member has not started takes it away, and the next one goes through.
func TestJoinAbandoned(t *testing.T) {
	t.Parallel()
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	key := c.upload(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	e.OnList = func() {
		if ownMember(e) != nil && m.host.Exists(etcdManifest) {
			time.AfterFunc(100*time.Millisecond, stop)
		}
	}
	code, _, stderr := m.runFor(ctx, c.controlPlane(key)...)
	if code == 0 || !strings.Contains(stderr, "is taken away again") || !strings.Contains(stderr, "stopped: etcd-join") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if ownMember(e) != nil || m.host.Exists(etcdManifest) || c.objects[leases+"/kubewright-etcd"] != nil {
		t.Errorf("left: members %v", e.Members)
	}
	e.Lock()
	e.OnList = nil
	e.Unlock()
	// Its etcd had begun to write; the directory is a new member's now.
	m.write("/var/lib/etcd/member/wal/0.wal", []byte("old"))
	runEtcd(t, m, e)
	joined(t, m, c.controlPlane(key)...)
	names, err := m.host.ReadDir("/var/lib/etcd")
	if err != nil || len(names) != 1 || !strings.HasPrefix(names[0], "member.removed-") {
		t.Errorf("in the data directory: %v, %v", names, err)
	}
}

// TestJoinStackedRefusals: what etcd would refuse is told before anything is written.
func TestJoinStackedRefusals(t *testing.T) {
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	e.Members[0].Name = "cp2"
	const want = "the name belongs to etcd member cp2"
	refused(t, m, []string{want, "member remove 1"}, c.controlPlane(c.upload(t))...)
	if m.host.Exists("/etc/kubernetes/pki") || len(e.Calls) > 0 {
		t.Error("something was written")
	}
	// A dry run shows the plan, and says it, too.
	output := joined(t, m, c.controlPlane(c.upload(t), "--dry-run")...)
	if !strings.Contains(output, want) || !strings.Contains(output, etcdManifest) {
		t.Errorf("a dry run:\n%s", output)
	}
}

// TestJoinWithoutShared: where the phase is left out that asks for the shared files, those that need them say so.
func TestJoinWithoutShared(t *testing.T) {
	c, _ := newStacked(t)
	args := c.joins("--control-plane", "--skip-phases", "control-plane-prepare/certs,control-plane-prepare/kubeconfig,control-plane-prepare/control-plane")
	m := newMachine(t, c, "cp2")
	refused(t, m, []string{"/etc/kubernetes/pki/ca.crt"}, args...)
	m.write("/etc/kubernetes/admin.conf", c.kubeconfig(t, m))
	for _, phase := range []string{"check-etcd", "etcd-join"} {
		refused(t, m, []string{"which all control-plane nodes share, are not here"}, "join", "phase", phase, "--control-plane")
	}
}

// TestJoinResumed: what an earlier run of join left in etcd is gone on from.
func TestJoinResumed(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, c *fakeCluster, e *etcdtest.Fake, m *fakeMachine, key string){
		"added, not started": func(_ *testing.T, _ *fakeCluster, e *etcdtest.Fake, _ *fakeMachine, _ string) {
			e.Lock()
			defer e.Unlock()
			e.Learner(true).PeerURLs = []string{ownPeer}
		},
		"started, without its vote": func(t *testing.T, c *fakeCluster, e *etcdtest.Fake, m *fakeMachine, key string) {
			e.Lock()
			e.Promote = []error{rpctypes.ErrGRPCPermissionDenied}
			e.Unlock()
			refused(t, m, []string{"cannot make etcd member " + ownPeer + " a voting member"}, c.controlPlane(key)...)
			if own := ownMember(e); own == nil || own.Name == "" || !own.IsLearner || !m.host.Exists(etcdManifest) {
				t.Errorf("left: %v", own)
			}
		},
		"with its vote, then somebody else joined": func(t *testing.T, c *fakeCluster, e *etcdtest.Fake, m *fakeMachine, key string) {
			joined(t, m, c.controlPlane(key)...)
			e.Lock()
			defer e.Unlock()
			e.Start(e.Learner(false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, e := newStacked(t)
			m := newMachine(t, c, "cp2")
			key := c.upload(t)
			runEtcd(t, m, e)
			before(t, c, e, m, key)
			joined(t, m, c.controlPlane(key)...)
			if own := ownMember(e); own == nil || own.IsLearner {
				t.Errorf("own member: %v", own)
			}
			if output := joined(t, m, c.controlPlane(key)...); !strings.Contains(output, "Nothing to do") {
				t.Errorf("one more run:\n%s", output)
			}
		})
	}
}

// TestJoinEtcdEnds: an etcd that ends again and again ends the join with its last words, and leaves no member.
func TestJoinEtcdEnds(t *testing.T) {
	t.Parallel()
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	ctx, cancel := context.WithCancel(t.Context())
	m.done.Go(func() {
		for ctx.Err() == nil && !m.host.Exists(etcdManifest) {
			time.Sleep(10 * time.Millisecond)
		}
		var loop []host.Container
		for n := range 3 {
			at := time.Now().Add(time.Duration(n) * time.Millisecond).UnixNano()
			loop = append(loop, host.Container{ID: fmt.Sprint("c", n), Name: "etcd", PodName: "etcd-cp2", Attempt: uint32(n + 1),
				PodCreatedAt: at, StartedAt: at, FinishedAt: at + 1, ExitCode: 2})
			m.runtime.SetLogs(fmt.Sprint("c", n), "panic: the disk is broken")
		}
		m.runtime.SetContainers(loop...)
	})
	t.Cleanup(cancel)
	refused(t, m, []string{"etcd exited", "the disk is broken", "is taken away again"}, c.controlPlane(c.upload(t))...)
	if ownMember(e) != nil || m.host.Exists(etcdManifest) {
		t.Errorf("left: %v", e.Members)
	}
}

// TestJoinLost: a machine that was made anew takes its dead member away, under the lock, and becomes another one.
func TestJoinLost(t *testing.T) {
	t.Parallel()
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	e.Start(e.Learner(false))
	own := e.Learner(false)
	own.PeerURLs, own.Name = []string{ownPeer}, "cp2"
	e.Start(own)
	e.Stop[own.ID]()
	key := c.upload(t)
	runEtcd(t, m, e)
	joined(t, m, c.controlPlane(key)...)
	if now := ownMember(e); now == nil || now == own || now.IsLearner || !slices.Equal(e.Calls, []string{"remove", "add", "promote"}) {
		t.Errorf("%v, calls %v", now, e.Calls)
	}
	if !slices.Contains(c.asked(), "POST "+leases) {
		t.Error("without the lock")
	}
}

// TestJoinReplaces: the name of a control plane that is dead is taken only when the user says so, and its member goes before ours comes.
func TestJoinReplaces(t *testing.T) {
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	e.Start(e.Learner(false))
	dead := e.Learner(false)
	e.Start(dead)
	dead.Name = "cp2"
	e.Stop[dead.ID]()
	c.register("cp2", corev1.ConditionUnknown)
	key := c.upload(t)
	refused(t, m, []string{"which does not answer", "--replace-node cp2"}, c.controlPlane(key)...)
	refused(t, m, []string{"cannot replace node cp9: this machine joins as cp2"}, c.controlPlane(key, "--replace-node", "cp9")...)
	consent := c.controlPlane(key, "--replace-node", "cp2")
	output := joined(t, m, append(consent, "--dry-run")...)
	if !strings.Contains(output, "remove the etcd member cp2 of the machine that is replaced") || strings.Contains(output, "p3:2380") {
		t.Errorf("a dry run:\n%s", output)
	}
	if len(e.Calls) > 0 || m.host.Exists(etcdManifest) {
		t.Fatalf("changed without consent: %v", e.Calls)
	}
	runEtcd(t, m, e)
	joined(t, m, consent...)
	if own := ownMember(e); own == nil || own.IsLearner || !slices.Equal(e.Calls, []string{"remove", "add", "promote"}) {
		t.Errorf("%v, calls %v", own, e.Calls)
	}
	data, err := m.host.ReadFile(etcdManifest)
	if err != nil || !sameMembers(string(data), "--initial-cluster=m1=http://p1:2380,m2=http://p2:2380,cp2="+ownPeer) {
		t.Errorf("%v\n%s", err, data)
	}
	if !slices.Contains(c.asked(), "POST "+leases) {
		t.Error("without the lock")
	}
	if output := joined(t, m, consent...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("a second run:\n%s", output)
	}
}

// TestJoinReplacesNone: a member that answers is not replaced, consent or not.
func TestJoinReplacesNone(t *testing.T) {
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	alive := e.Learner(false)
	e.Start(alive)
	alive.Name = "cp2"
	refused(t, m, []string{"only a dead one is replaced"}, c.controlPlane(c.upload(t), "--replace-node", "cp2")...)
	if len(e.Calls) > 0 {
		t.Errorf("calls %v", e.Calls)
	}
}

// TestJoinLockLost: a lock that somebody else took ends the run wherever it is, here while the member is waited for, and gives no vote.
func TestJoinLockLost(t *testing.T) {
	t.Parallel()
	c, e := newStacked(t)
	m := newMachine(t, c, "cp2")
	e.OnList = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if lease, ok := c.objects[leases+"/kubewright-etcd"].(map[string]any); ok && ownMember(e) != nil {
			lease["spec"].(map[string]any)["holderIdentity"] = "another run"
			lease["metadata"].(map[string]any)["resourceVersion"] = "another"
		}
	}
	refused(t, m, []string{"the lock kubewright-etcd was lost: it is held by another run", "is taken away again"}, c.controlPlane(c.upload(t))...)
	if ownMember(e) != nil || slices.Contains(e.Calls, "promote") {
		t.Errorf("members %v, calls %v", e.Members, e.Calls)
	}
}

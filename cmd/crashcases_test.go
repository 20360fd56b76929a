package cmd

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

// crashCases are the commands of the crash matrix.
func crashCases() []crashCase {
	return []crashCase{
		{name: "init", before: beforeInit, picks: oneOfEachStep, chain: 12, backs: 11},
		{name: "join worker", before: beforeJoin, chain: 3, backs: 4},
		{name: "join control plane", before: beforeStackedJoin, picks: oneOfEachStep, chain: 9, backs: 11},
		{name: "reset worker", before: beforeReset, chain: 4},
		{name: "reset control plane", before: beforeStackedReset, picks: oneOfEachStep, chain: 6},
		{name: "reset with an own CA", before: beforeOwnCAReset, picks: ofRecords, chain: 2},
		{name: "certs renew", before: beforeRenewal, picks: onceRecorded, chain: 9, backs: 5, node: true},
		{name: "rollback of join", before: beforeRollback, chain: 6},
		{name: "rollback of a second join", before: beforeSecondRollback, picks: untilPutAway, chain: 5},
	}
}

// oneOfEachStep picks each call, before it and before its answer, and one boundary of each file: that of the first is before its
// record is written, that of the second before anything of it is there, that of the third before it gets its name, and so on.
func oneOfEachStep(boundary string, before []string) bool {
	op, _, _ := strings.Cut(boundary, " ")
	if op == "before" || op == "answer" {
		return true
	}
	files := 0
	for _, b := range before {
		if strings.HasPrefix(b, "rename ") || strings.HasPrefix(b, "remove ") || strings.HasPrefix(b, "mkdir ") {
			files++
		}
	}
	kinds := [][]string{{"record"}, {"create", "remove", "mkdir"}, {"rename", "remove"}, {"syncdir"}, {"sync"}}
	return slices.Contains(kinds[files%len(kinds)], op) && !strings.Contains(boundary, "record after record")
}

// untilPutAway leaves out what comes after the end of a rollback: one more would go back further then.
func untilPutAway(_ string, before []string) bool {
	return !slices.Contains(before, "rename /var/lib/kubewright/runs/<run>Z-rollback")
}

// onceRecorded is oneOfEachStep without what comes before the first record: a rollback would be about the run before then.
func onceRecorded(boundary string, before []string) bool {
	recorded := slices.ContainsFunc(before, func(b string) bool { return strings.HasPrefix(b, "record") })
	return recorded && oneOfEachStep(boundary, before)
}

// beforeRenewal is a node. What a renewal leaves is whole where init finds nothing to do.
func beforeRenewal(t *testing.T) *victim {
	m, initArgs := newNode(t)
	return &victim{m: m, args: []string{"certs", "renew", "all"}, once: true, check: func(t *testing.T) {
		if code, _, stderr := m.run(initArgs...); code != 0 || !strings.Contains(stderr, "Nothing to do") {
			t.Errorf("init after the renewal: exit code %d\n%s", code, stderr)
		}
	}}
}

func beforeInit(t *testing.T) *victim {
	m, args := newUnborn(t)
	// The checks count: they must know what an earlier run has left for their own.
	text, err := m.host.ReadFile("/etc/init.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m.write("/etc/init.yaml", bytes.Replace(text, []byte("[all]"), []byte("[FileContent--proc-sys-net-ipv4-ip_forward]"), 1))
	return &victim{m: m, args: args, check: func(t *testing.T) {
		tokens := m.cluster.tokens()
		if len(tokens) != 1 {
			t.Errorf("tokens %v", tokens)
			return
		}
		m.cluster.mu.Lock()
		info := m.cluster.content("/api/v1/namespaces/kube-public/configmaps/cluster-info")["data"].(map[string]any)
		m.cluster.mu.Unlock()
		if len(info) != 2 || info["jws-kubeconfig-"+tokens[0]] == nil {
			t.Errorf("cluster-info is not signed with %s: %v", tokens[0], slices.Sorted(maps.Keys(info)))
		}
	}}
}

func beforeJoin(t *testing.T) *victim {
	m, args := newWorker(t)
	return &victim{m: m, args: args}
}

func beforeReset(t *testing.T) *victim {
	v := beforeJoin(t)
	before := v.m.tree()
	joined(t, v.m, v.args...)
	v.m.settle()
	v.args = []string{"reset", "--force"}
	v.check = func(t *testing.T) {
		v.m.same(before)
		if v.m.cluster.has("/api/v1/nodes/w1") {
			t.Error("the Node is left")
		}
	}
	return v
}

// stacked is a machine that is to join as a control plane with a member of etcd, whose components answer.
func stacked(t *testing.T) (m *fakeMachine, args []string) {
	t.Helper()
	c, e := newStacked(t)
	c.emptyLists()
	m = newMachine(t, c, "cp2")
	pods := m.runsPods(c.serve, func(func(string) ([]byte, error)) error { return nil })
	cluster, kubelet := pods.settings()
	const system = "/api/v1/namespaces/kube-system/configmaps/"
	stored := c.objects[system+"kubeadm-config"].(*corev1.ConfigMap)
	stored.Data["ClusterConfiguration"] += cluster
	c.objects[system+"kubelet-config"] = configMap("kubelet", strings.Replace(kubeletConfig, "healthzPort: 0\n", kubelet, 1))
	runEtcd(t, m, e)
	port := fmt.Sprint(pods.parts[config.APIServer].port())
	return m, c.joins("--control-plane", "--certificate-key", c.upload(t), "--apiserver-bind-port", port)
}

func beforeStackedJoin(t *testing.T) *victim {
	m, args := stacked(t)
	return &victim{m: m, args: args, check: m.hasMembers(2, "add", "promote")}
}

// hasMembers makes sure that etcd has so many members, after these changes, and that nobody holds the lock.
func (m *fakeMachine) hasMembers(n int, calls ...string) func(t *testing.T) {
	return func(t *testing.T) {
		m.etcd.Lock()
		defer m.etcd.Unlock()
		learns := slices.ContainsFunc(m.etcd.Members, func(e *pb.Member) bool { return e.IsLearner })
		if learns || len(m.etcd.Members) != n || !slices.Equal(m.etcd.Calls, calls) {
			t.Errorf("members %v, calls %v", m.etcd.Members, m.etcd.Calls)
		}
		if m.cluster.has(leases + "/kubewright-etcd") {
			t.Error("the lock of etcd's members is held")
		}
	}
}

func beforeStackedReset(t *testing.T) *victim {
	m, args := stacked(t)
	before := m.normal()
	joined(t, m, args...)
	m.write(etcdDB, []byte("data"))
	m.onLoopback(ownMember(m.etcd).ClientURLs[0])
	members := m.hasMembers(1, "add", "promote", "remove")
	return &victim{m: m, args: []string{"reset", "--force"}, check: func(t *testing.T) {
		members(t)
		if diff := gocmp.Diff(before, withoutData(t, m.normal())); diff != "" {
			t.Errorf("the machine is not as it was before the join (-before +after):\n%s", diff)
		}
		if m.cluster.has("/api/v1/nodes/cp2") {
			t.Error("the Node is left")
		}
	}}
}

// ofRecords picks where the records of runs are put away.
func ofRecords(boundary string, _ []string) bool {
	return strings.Contains(boundary, "/var/lib/kubewright/past")
}

// beforeOwnCAReset has keys of the user, of which only the records know that they were there before.
func beforeOwnCAReset(t *testing.T) *victim {
	m, before := joinedWithOwnCA(t)
	return &victim{m: m, args: []string{"reset", "--force"}, check: func(*testing.T) { m.same(before) }}
}

func beforeRollback(t *testing.T) *victim {
	m, before := joinedTwice(t, false)
	return &victim{m: m, args: []string{"rollback", "--force"}, check: func(*testing.T) { m.same(before) }}
}

// beforeSecondRollback goes back to the first join, and no further.
func beforeSecondRollback(t *testing.T) *victim {
	m, before := joinedTwice(t, true)
	return &victim{m: m, args: []string{"rollback", "--force"}, check: func(*testing.T) { m.same(before) }, once: true}
}

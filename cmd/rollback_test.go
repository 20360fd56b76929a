package cmd

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
)

// rollback runs a rollback that has to work.
func (m *fakeMachine) rollback(more ...string) (stderr string) {
	m.t.Helper()
	code, _, stderr := m.run(append([]string{"rollback", "--force"}, more...)...)
	if code != 0 {
		m.t.Fatalf("rollback: exit code %d\n%s", code, stderr)
	}
	return stderr
}

// past is what history prints as JSON.
func (m *fakeMachine) past(args ...string) (runs []pastRun) {
	m.t.Helper()
	code, stdout, stderr := m.run(append([]string{"history", "-o", "json"}, args...)...)
	var err error
	if len(args) == 0 {
		err = json.Unmarshal([]byte(stdout), &runs)
	} else {
		runs = make([]pastRun, 1)
		err = json.Unmarshal([]byte(stdout), &runs[0])
	}
	if code != 0 || err != nil {
		m.t.Fatalf("history: exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	return runs
}

// A join that has made the machine a node is taken back with all that came of it.
func TestRollbackJoin(t *testing.T) {
	m, args := newWorker(t)
	before := m.tree()
	joined(t, m, args...)
	m.done.Wait()
	m.runtime.SetPods(host.Pod{ID: "1", Namespace: "default", Name: "web"})
	node := m.tree()
	m.answers = "n\n"
	if code, _, stderr := m.run("rollback"); code != cause.Refused.Exit() || !strings.Contains(stderr, "This takes back join of ") || !strings.Contains(stderr, "answer was not y") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	code, stdout, stderr := m.run("rollback", "--dry-run")
	for _, want := range []string{"pod default/web", "Node w1", "- file /etc/kubernetes/kubelet.conf", "- directory /var/lib/kubelet"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, the plan does not have %q\n%s%s", code, want, stdout, stderr)
		}
	}
	m.same(node)
	m.rollback()
	m.same(before)
	if pods, _ := m.runtime.KubeletPods(t.Context()); len(pods) > 0 || m.cluster.objects["/api/v1/nodes/w1"] != nil {
		t.Errorf("left: pods %v, Node %v", pods, m.cluster.objects["/api/v1/nodes/w1"])
	}
	if stderr := m.rollback(); !strings.Contains(stderr, "Nothing to do") {
		t.Errorf("the second time:\n%s", stderr)
	}
	runs := m.past()
	if len(runs) != 2 || runs[0].Command != "join" || runs[0].Result != plan.Finished || !runs[0].TakenBack || runs[0].Changes == 0 ||
		runs[1].Command != "rollback" || len(runs[1].Of) != 1 || runs[1].Of[0] != runs[0].Run {
		t.Errorf("history: %+v", runs)
	}
	steps := m.past("last")[0].Steps
	if len(steps) == 0 || steps[0].Seconds == nil {
		t.Errorf("steps of the rollback: %+v", steps)
	}
	joined(t, m, args...) // and back again
}

// A run on a node that was one before is taken back alone; one that has come to its end is not touched.
func TestRollbackSecondRun(t *testing.T) {
	m, before := joinedTwice(t, true)
	if text := m.tree()[config.KubeletConfigFile]; !strings.Contains(text, "maxPods") {
		t.Fatalf("the second join has changed nothing: %s", text)
	}
	if stderr := m.rollback(); !strings.Contains(stderr, "as it was before join of") {
		t.Errorf("stderr:\n%s", stderr)
	}
	m.same(before)
	if u, err := m.systemd.Unit(t.Context(), config.KubeletService); err != nil || u.ActiveState != "active" {
		t.Errorf("the kubelet: %+v, %v", u, err)
	}
	if runs := m.past(); len(runs) != 3 || runs[0].TakenBack || !runs[1].TakenBack {
		t.Errorf("history: %+v", runs)
	}
}

// What the first run has made is not taken for what somebody wants to keep, because the second was taken back.
func TestRollbackBoth(t *testing.T) {
	c, e := newStacked(t)
	c.emptyLists()
	m := newMachine(t, c, "cp2")
	runEtcd(t, m, e)
	args := c.controlPlane(c.upload(t))
	before := m.tree()
	joined(t, m, args...)
	c.mu.Lock()
	c.objects["/api/v1/namespaces/kube-system/configmaps/kubelet-config"] = configMap("kubelet", kubeletConfig+"maxPods: 50\n")
	c.mu.Unlock()
	joined(t, m, args...)
	m.rollback()
	m.rollback("--wipe-etcd")
	m.same(before)
}

// What others have changed since is not overwritten.
func TestRollbackForeign(t *testing.T) {
	m, _ := joinedTwice(t, true)
	m.write(config.KubeletConfigFile, []byte("maxPods: 60\n"))
	before := m.tree()
	code, _, stderr := m.run("rollback", "--force")
	if code != cause.Refused.Exit() || !strings.Contains(stderr, "others have changed "+config.KubeletConfigFile) {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	m.same(before)
}

// A run that died before the kubelet was started is taken back file by file, and the kubelet of others is left alone.
func TestRollbackKilled(t *testing.T) {
	m, args := newWorker(t)
	before := m.tree()
	v := &victim{m: m, args: args}
	v.kill(t, "rename "+config.KubeletConfigFile)
	runs := m.past()
	if len(runs) != 1 || runs[0].Result != plan.Unfinished || runs[0].Seconds != nil {
		t.Errorf("history: %+v", runs)
	}
	steps := m.past("last")[0].Steps
	if last := steps[len(steps)-1]; last.Step != "file "+config.KubeletConfigFile || last.Seconds != nil {
		t.Errorf("the last step: %+v", last)
	}
	m.rollback()
	m.same(before)
}

// joinedTwice is a worker that has joined once, or a second time with another configuration, and its tree before the last time.
func joinedTwice(t *testing.T, twice bool) (m *fakeMachine, before map[string]string) {
	t.Helper()
	m, args := newWorker(t)
	before = m.tree()
	joined(t, m, args...)
	m.done.Wait()
	if twice {
		before = m.tree()
		m.cluster.mu.Lock()
		m.cluster.objects["/api/v1/namespaces/kube-system/configmaps/kubelet-config"] = configMap("kubelet", kubeletConfig+"maxPods: 50\n")
		m.cluster.mu.Unlock()
		joined(t, m, args...)
		m.done.Wait()
	}
	return m, before
}

// What can't be looked at is told, and nothing is changed.
func TestRollbackUnreadable(t *testing.T) {
	m, _ := joinedTwice(t, false)
	before := m.tree()
	m.write("/var/lib/kubewright/past", []byte("no directory"))
	code, _, stderr := m.run("rollback", "--force")
	if code != 1 || !strings.Contains(stderr, "cannot read the journals of earlier runs") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	m.same(before)
}

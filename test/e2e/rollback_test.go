package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/test/bed"
)

// rollsBack runs rollback with consent, expects that it gets all the way, and returns what it has said.
func rollsBack(t *testing.T, m *bed.Machine, args ...string) string {
	t.Helper()
	r := run(m, append([]string{"kubewright", "rollback", "-f"}, args...)...)
	if r.code != 0 {
		t.Fatalf("kubewright rollback on %s: exit code %d\n%s%s", m.Name, r.code, r.out, r.err)
	}
	t.Logf("rollback of %s:\n%s", m.Name, r.err)
	return r.out + r.err
}

// results are how the runs on a machine ended, by history: "init done".
func results(t *testing.T, m *bed.Machine) []string {
	t.Helper()
	r := run(m, "kubewright", "history", "-o", "json")
	var runs []struct{ Command, Result string }
	if err := json.Unmarshal([]byte(r.out), &runs); err != nil || r.code != 0 {
		t.Fatalf("history: exit code %d, %v\n%s%s", r.code, err, r.out, r.err)
	}
	var list []string
	for _, run := range runs {
		list = append(list, run.Command+" "+run.Result)
	}
	return list
}

// TestRollback takes back inits that died anywhere, one on a node that works, and one that came to its end.
func TestRollback(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	cp := lab.Machine(t, bed.Spec{Name: "cp1"})
	config := bed.InitConfig(cp)
	cp.WriteFile(t, configPath, config, 0o600)
	before := cp.Inventory(t)
	for _, step := range []string{"/etc/kubernetes/pki/sa.key", "/etc/kubernetes/manifests/etcd.yaml", "unit kubelet.service", "ok   wait-control-plane"} {
		t.Run("init until "+strings.TrimLeft(step, "+ "), func(t *testing.T) {
			killCommandAfter(t, cp, step, []string{"init", "--config", configPath})
			rollsBack(t, cp, "--wipe-etcd")
			givenBack(t, cp, before, mayLeave()...)
			if got := results(t, cp); !slices.Equal(got[len(got)-2:], []string{"init unfinished", "rollback done"}) {
				t.Errorf("history: %q", got)
			}
		})
	}
	cp.MustRun(t, "kubewright", "init", "--config", configPath)
	ready(t, cp)
	t.Run("a mistake on a node that works", func(t *testing.T) { rollBackMistake(t, cp, config) })
	t.Run("what others depend on", func(t *testing.T) { rollBackJoin(t, lab, cp) })
	t.Run("init", func(t *testing.T) {
		rollsBack(t, cp)
		givenBack(t, cp, before, mayLeave("~ file /etc/hosts: *", "+ route * via *")...) // the bed's, because of the worker
	})
}

// rollBackMistake breaks the API server with a second init, and gets the first one's back.
func rollBackMistake(t *testing.T, cp *bed.Machine, config string) {
	t.Helper()
	const path = "/root/mistake.yaml"
	was := cp.MustRun(t, "cat", "/etc/kubernetes/manifests/kube-apiserver.yaml")
	defer cp.Remove(t, path)
	cp.WriteFile(t, path, strings.Replace(config, "kind: ClusterConfiguration\n",
		"kind: ClusterConfiguration\napiServer: {extraArgs: [{name: no-such-flag, value: x}]}\n", 1), 0o600)
	r := run(cp, "kubewright", "init", "--config", path)
	if r.code != cause.Incomplete.Exit() || !strings.Contains(r.err, "no-such-flag") || !strings.Contains(r.err, "kubewright rollback") {
		t.Fatalf("init with a mistake: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if got := results(t, cp); got[len(got)-1] != "init failed" {
		t.Errorf("history: %q", got)
	}
	rollsBack(t, cp)
	if now := cp.MustRun(t, "cat", "/etc/kubernetes/manifests/kube-apiserver.yaml"); now != was {
		t.Errorf("the manifest is not that of before:\n%s", now)
	}
	ready(t, cp)
	if r := run(cp, "kubewright", "init", "--config", configPath); r.code != 0 || !strings.Contains(r.err, "Nothing to do") {
		t.Errorf("init of before: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// rollBackJoin lets a worker join. It keeps init from being taken back, until its own join is.
func rollBackJoin(t *testing.T, lab *bed.TestLab, cp *bed.Machine) {
	t.Helper()
	w := lab.Machine(t, bed.Spec{Name: "w1", KubeletUnit: true})
	before := w.Inventory(t)
	w.MustRun(t, strings.Fields(cp.MustRun(t, "kubewright", "token", "create", "--print-join-command"))...)
	ready(t, cp)
	r := run(cp, "kubewright", "rollback", "-f")
	if r.code != cause.Refused.Exit() || !strings.Contains(r.err, "point of no return") || !strings.Contains(r.err, "w1") {
		t.Errorf("init with a worker: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	rollsBack(t, w)
	givenBack(t, w, before, mayLeave()...)
	cp.Kubectl(t, "delete", "node", "w1") // a kubelet may not do so itself
}

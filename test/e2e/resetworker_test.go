package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

const adminPath = "/root/admin.conf"

// gone waits until a node is no longer in the cluster, with what hangs on it.
func gone(t *testing.T, cp *bed.Machine, node string) {
	t.Helper()
	eventually(t, 30*time.Second, func() string {
		nodes, _ := kubectl(cp, "get", "nodes", "-o", "name")
		pods, _ := kubectl(cp, "get", "pods", "-A", "--field-selector", "spec.nodeName="+node, "-o", "name")
		leases, _ := kubectl(cp, "-n", "kube-node-lease", "get", "leases", "-o", "name")
		all := nodes + pods + leases
		if strings.Contains(all, "node/"+node+"\n") || strings.Contains(all, "/"+node+"\n") || strings.Contains(pods, "pod/") {
			return node + " is still in the cluster:\n" + all
		}
		return ""
	})
}

// TestResetWorker gives workers back that kubewright joined: with an administrator's kubeconfig the Node goes, too; without it the
// user is told what to do.
func TestResetWorker(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1"}, bed.Spec{Name: "w1"}, bed.Spec{Name: "w2", KubeletUnit: true})
	cp, workers := machines[0], machines[1:]
	cp.WriteFile(t, configPath, bed.InitConfig(cp), 0o600)
	args, _ := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath))
	resetWorkers(t, cp, workers, func(w *bed.Machine) { joinNow(t, w, args...) })
}

// TestResetKubeadm gives the machines of a cluster back that real kubeadm made.
func TestResetKubeadm(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1", KubeletUnit: true}, bed.Spec{Name: "w1", KubeletUnit: true}, bed.Spec{Name: "w2", KubeletUnit: true})
	cp, workers := machines[0], machines[1:]
	cp.WriteFile(t, configPath, bed.InitConfig(cp), 0o600)
	before := cp.Inventory(t)
	const ignored = "--ignore-preflight-errors=SystemVerification"
	args, _ := bed.ReadJoin(cp.MustRun(t, "kubeadm", "init", "--config", configPath, ignored))
	resetWorkers(t, cp, workers, func(w *bed.Machine) { w.MustRun(t, append([]string{"kubeadm", "join", ignored}, args...)...) })
	ready(t, cp)
	resets(t, cp)
	givenBack(t, cp, before, mayLeave()...)
}

// resetWorkers joins two workers, runs a pod on each, and gives them back.
func resetWorkers(t *testing.T, cp *bed.Machine, workers []*bed.Machine, join func(*bed.Machine)) {
	t.Helper()
	workers[0].WriteFile(t, adminPath, cp.ReadFile(t, bed.AdminConf), 0o600)
	before := map[*bed.Machine]bed.Inventory{}
	for _, w := range workers {
		before[w] = w.Inventory(t)
		join(w)
		nodeReady(t, cp, w.Name)
		visit(t, cp, "visitor-"+w.Name, w.Name)
	}
	known, unknown := workers[0], workers[1]
	resets(t, known, "--kubeconfig", adminPath)
	gone(t, cp, known.Name)

	said := resets(t, unknown)
	if !strings.Contains(said, "kubectl delete node "+unknown.Name) {
		t.Errorf("no word about the Node that stays:\n%s", said)
	}
	if out, ok := kubectl(cp, "get", "node", unknown.Name); !ok {
		t.Errorf("the credentials of a kubelet have deleted a Node: %s", out)
	}
	for _, w := range workers {
		givenBack(t, w, before[w], mayLeave()...)
	}
}

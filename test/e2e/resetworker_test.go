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
	goneWithin(t, 30*time.Second, cp, node)
}

// goneWithin is gone with a patience. Pods of a Node that is gone are deleted by the cluster itself, in about a minute.
func goneWithin(t *testing.T, patience time.Duration, cp *bed.Machine, node string) {
	t.Helper()
	eventually(t, patience, func() string {
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

// TestResetWorker gives workers back that kubewright joined: at their best, after a join that was killed, and with something missing.
func TestResetWorker(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1"}, bed.Spec{Name: "w1"}, bed.Spec{Name: "w2", KubeletUnit: true})
	cp := machines[0]
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	args, controlPlane := bed.ReadJoin(cp.MustRun(t, "kubewright", "init", "--config", configPath, "--upload-certs"))
	r := newResetting(t, cp, machines[1], machines[2])
	r.join = func(t *testing.T, w *bed.Machine) { joinNow(t, w, args...) }
	r.workers(t)
	r.killed(t, args, controlPlane)
	r.broken(t)
}

// TestResetKubeadm gives the machines of a cluster back that real kubeadm made.
func TestResetKubeadm(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	machines := lab.MachinesAtOnce(t, bed.Spec{Name: "cp1", KubeletUnit: true}, bed.Spec{Name: "w1", KubeletUnit: true}, bed.Spec{Name: "w2", KubeletUnit: true})
	cp := machines[0]
	cp.WriteFile(t, configPath, bed.InitConfig(cp), 0o600)
	before := cp.Inventory(t)
	const ignored = "--ignore-preflight-errors=SystemVerification"
	args, _ := bed.ReadJoin(cp.MustRun(t, "kubeadm", "init", "--config", configPath, ignored))
	r := newResetting(t, cp, machines[1], machines[2])
	r.join = func(t *testing.T, w *bed.Machine) {
		w.MustRun(t, append([]string{"kubeadm", "join", ignored}, args...)...)
	}
	r.workers(t)
	resets(t, cp)
	givenBack(t, cp, before, mayLeave()...)
}

// resetting is a cluster with two machines that join it and are given back, again and again.
type resetting struct {
	cp, known, packaged *bed.Machine
	before              map[*bed.Machine]bed.Inventory
	join                func(*testing.T, *bed.Machine)
}

// newResetting takes a machine on which an administrator's kubeconfig is put, and one whose kubelet has a unit of a package.
func newResetting(t *testing.T, cp, known, packaged *bed.Machine) *resetting {
	t.Helper()
	known.WriteFile(t, adminPath, cp.ReadFile(t, bed.AdminConf), 0o600)
	return &resetting{cp: cp, known: known, packaged: packaged,
		before: map[*bed.Machine]bed.Inventory{known: known.Inventory(t), packaged: packaged.Inventory(t)}}
}

// joined is a worker with a pod on it.
func (r *resetting) joined(t *testing.T, w *bed.Machine) {
	t.Helper()
	r.join(t, w)
	nodeReady(t, r.cp, w.Name)
	visit(t, r.cp, "visitor-"+w.Name, w.Name)
}

// workers resets both: with an administrator's kubeconfig the Node goes, too; without it the user is told what to do.
func (r *resetting) workers(t *testing.T) {
	t.Helper()
	for _, w := range []*bed.Machine{r.known, r.packaged} {
		r.joined(t, w)
	}
	resets(t, r.known, "--kubeconfig", adminPath)
	gone(t, r.cp, r.known.Name)

	said := resets(t, r.packaged)
	if !strings.Contains(said, "kubectl delete node "+r.packaged.Name) {
		t.Errorf("no word about the Node that stays:\n%s", said)
	}
	if out, ok := kubectl(r.cp, "get", "node", r.packaged.Name); !ok {
		t.Errorf("the credentials of a kubelet have deleted a Node: %s", out)
	}
	for w, before := range r.before {
		givenBack(t, w, before, mayLeave()...)
	}
}

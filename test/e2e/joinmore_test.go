package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// TestJoinByKubeadm makes a cluster of three control planes half by each tool, with a worker of real kubeadm.
func TestJoinByKubeadm(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	cp := lab.Machine(t, bed.Spec{Name: "cp1"})
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	cp.MustRun(t, "kubewright", "init", "--config", configPath)
	ready(t, cp)
	key := certificateKey(t, cp, "kubewright")
	args := strings.Fields(cp.MustRun(t, "kubewright", "token", "create", "--print-join-command"))[2:]

	w := lab.Machine(t, bed.Spec{Name: "w1", KubeletUnit: true})
	w.MustRun(t, append(append([]string{"kubeadm", "join"}, args...), "--ignore-preflight-errors=SystemVerification")...)
	second := lab.Machine(t, bed.Spec{Name: "cp2", KubeletUnit: true})
	second.MustRun(t, append(append([]string{"kubeadm", "join"}, args...), "--control-plane", "--certificate-key", key,
		"--ignore-preflight-errors=SystemVerification")...)
	third := lab.Machine(t, bed.Spec{Name: "cp3"})
	joinNow(t, third, append(args, "--control-plane", "--certificate-key", key)...)
	for _, name := range []string{"w1", "cp2", "cp3"} {
		nodeReady(t, cp, name)
	}
	voters(t, cp, 3)
	nothingToDo(t, cp, "kubewright", "init", "--config", configPath)
}

// voters waits until etcd has so many members that vote, and none else.
func voters(t *testing.T, m *bed.Machine, want int) {
	t.Helper()
	etcdMembers(t, m, map[string]int{"started": want, "false": want})
}

// etcdMembers waits until etcd's list of members has these words so often: started and unstarted for what they are, true for learners
// and false for those that vote. It asks the etcd of a machine. It is patient: a kubelet whose API server has lost etcd's quorum looks
// at its manifests only when it has given up to delete the mirror pod, after 34 seconds each time.
func etcdMembers(t *testing.T, m *bed.Machine, want map[string]int) {
	t.Helper()
	eventually(t, 3*time.Minute, func() string {
		out, ok := kubectl(m, "-n", "kube-system", "exec", "etcd-"+m.Name, "--", "etcdctl", "--endpoints=https://127.0.0.1:2379",
			"--cacert=/etc/kubernetes/pki/etcd/ca.crt", "--cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt",
			"--key=/etc/kubernetes/pki/etcd/healthcheck-client.key", "member", "list")
		have := strings.FieldsFunc(out, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
		for word, times := range want {
			if count := len(slices.DeleteFunc(slices.Clone(have), func(w string) bool { return w != word })); !ok || count != times {
				return fmt.Sprintf("%d times %s, want %d, among the members of etcd:\n%s", count, word, times, out)
			}
		}
		return ""
	})
}

// TestJoinInterrupted kills the join of a control plane right after the steps that matter most; the same command goes on each time.
// etcd has no member too many in the end, and another control plane joins after it.
func TestJoinInterrupted(t *testing.T) {
	bed.Need(t)
	lab := bed.NewLab(t)
	cp := lab.Machine(t, bed.Spec{Name: "cp1"})
	cp.WriteFile(t, configPath, bed.InitConfig(cp, bed.WithEndpoint(cp.IP()+":6443")), 0o600)
	cp.MustRun(t, "kubewright", "init", "--config", configPath)
	ready(t, cp)
	key := certificateKey(t, cp, "kubewright")
	args := append(joinArgs(t, cp), "--control-plane", "--certificate-key", key)
	second := lab.Machine(t, bed.Spec{Name: "cp2"})
	killAfter(t, second, "/etc/kubernetes/pki/sa.key", args)
	killAfter(t, second, "add etcd member", args)          // added, not started
	if run(second, "test", "-e", etcdManifest).code != 0 { // else it was faster than its killer
		etcdMembers(t, cp, map[string]int{"unstarted": 1, "started": 1})
		killAfter(t, second, etcdManifest, args)
	}
	etcdMembers(t, cp, map[string]int{"started": 2, "true": 1}) // the kubelet goes on: started, not promoted
	killAfter(t, second, "its vote", args)                      // promoted, the node not marked
	etcdMembers(t, cp, map[string]int{"started": 2, "false": 2})
	joinNow(t, second, args...)
	nodeReady(t, cp, "cp2")
	voters(t, cp, 2)
	if roles := cp.Kubectl(t, "get", "node", "cp2", "--show-labels"); !strings.Contains(roles, "node-role.kubernetes.io/control-plane") {
		t.Errorf("cp2 is not marked: %s", roles)
	}
	third := lab.Machine(t, bed.Spec{Name: "cp3"})
	joinNow(t, third, args...)
	voters(t, cp, 3)
}

// killAfter kills a join right after a step that it tells of.
func killAfter(t *testing.T, m *bed.Machine, step string, args []string) {
	t.Helper()
	killCommandAfter(t, m, step, append([]string{"join"}, args...))
}

// killCommandAfter kills a command right after a step that it tells of. One that ends before has not come so far, or was done already.
func killCommandAfter(t *testing.T, m *bed.Machine, step string, command []string) {
	t.Helper()
	const script = `step=$1; shift; "$@" >/run/events 2>&1 & pid=$!
until grep -qF "$step" /run/events; do kill -0 $pid || { cat /run/events; exit 9; }; sleep 0.02; done
kill -KILL $pid; wait $pid; cat /run/events; rm /run/events; exit 0`
	r := run(m, append([]string{"sh", "-c", script, "sh", step, "kubewright", command[0], "-v", "1"}, command[1:]...)...)
	if r.code != 0 {
		t.Fatalf("%s was over before %q: exit code %d\n%s%s", command[0], step, r.code, r.out, r.err)
	}
	t.Logf("killed after %q:\n%s", step, r.out)
}

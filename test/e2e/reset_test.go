package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/test/bed"
)

// left is what a reset of a control plane leaves, and why. Anything else is a mistake.
var left = []string{
	"+ * /var/log/pods*", "+ * /var/log/containers*", // the last words of what ran here
	"+ * /var/lib/kubewright*", // the journal
	"+ file /run/kubewright.lock",
	"+ file /run/xtables.lock", // belongs to all who use iptables
	// Folders of the runtime itself.
	"+ dir /run/containerd/*", "+ dir /var/lib/containerd/*", "?+ dir /run/netns",
	// The kubelet and kube-proxy set these, and nobody wrote down what they were before.
	"~ sysctl kernel.panic*", "~ sysctl vm.overcommit_memory*", "~ sysctl net.*",
	// systemd makes these for itself where a controller is used, and starts what the kubelet wants.
	"?+ dir /run/systemd/transient", "?~ cgroup /init.scope: *", "?~ cgroup /system.slice*: *", "?~ cgroup /user.slice*: *",
	"?~ unit network-online.target: ActiveState inactive -> active, SubState dead -> active",
	// A kubelet tries umount on a folder of its own when it starts, and leaves it when it is ended in that moment.
	"?+ dir /tmp/kubelet-detect-safe-umount*",
}

// moved is etcd's data without --wipe-etcd.
const moved = "+ * /var/lib/etcd.reset-*"

// network is what the pod network leaves without --cni.
var network = []string{"+ link cni0", "+ address * cni0", "+ route * dev cni0 *", "+ * /var/lib/cni*", "?~ file /var/lib/cni/*", "?+ * nat *CNI-*",
	// The tables with these chains in them, which are made to take a pod's rules away, too.
	"?+ ip*tables nat :* ACCEPT", "?+ nft table ip* nat", "?+ nft table ip* nat chain *ING", "?+ nft table ip* nat chain *PUT",
	"?+ nft table ip* nat chain *: type nat hook * policy accept;"}

// mayLeave is all that any reset may leave, and more; none of it has to be there.
func mayLeave(more ...string) []string {
	all := slices.Concat(left, network, []string{moved}, more)
	for i, p := range all {
		all[i] = "?" + strings.TrimPrefix(p, "?")
	}
	return all
}

// resets runs reset with consent, expects that all parts succeed, and returns all that it has said.
func resets(t *testing.T, m *bed.Machine, args ...string) string {
	t.Helper()
	began := time.Now()
	r := run(m, append([]string{"kubewright", "reset", "-f"}, args...)...)
	if r.code != 0 {
		t.Fatalf("kubewright reset on %s: exit code %d\n%s%s", m.Name, r.code, r.out, r.err)
	}
	t.Logf("the reset of %s took %s:\n%s", m.Name, time.Since(began).Round(10*time.Millisecond), r.err)
	return r.out + r.err
}

// givenBack expects that a machine is as it was, but for exceptions. The runtime collects what is no longer used a moment later.
func givenBack(t *testing.T, m *bed.Machine, before bed.Inventory, except ...string) {
	t.Helper()
	var wrong bed.Difference
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		wrong = bed.Diff(before, m.Inventory(t)).Except(except...)
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s is not as it was:\n%s", m.Name, wrong)
			return
		}
	}
}

// visitor is a pod on a node, with a volume that is a mount and a port of the node. It ends when it is asked to.
func visitor(name, node string) string {
	return strings.NewReplacer("spec:\n", "spec:\n  nodeName: "+node+"\n  volumes: [{name: memory, emptyDir: {medium: Memory}}]\n",
		`[/bin/sleep, "3600"]`, `[/bin/tool, serve, ":80"]`).Replace(staticPod(name)) +
		"    volumeMounts: [{name: memory, mountPath: /memory}]\n    ports: [{containerPort: 80, hostPort: 8088}]\n"
}

// visit runs a pod on a node, and waits until it runs.
func visit(t *testing.T, cp *bed.Machine, name, node string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pod.yaml")
	writeFile(t, path, visitor(name, node))
	eventually(t, time.Minute, func() string { // the account of the namespace is made a moment after it
		if out, ok := kubectl(cp, "apply", "-f", path); !ok {
			return out
		}
		return ""
	})
	waitPod(t, cp, name, "Running")
}

// inhabited is a control plane that init makes, with a pod on it.
func inhabited(t *testing.T, m *bed.Machine, config string) {
	t.Helper()
	m.MustRun(t, "kubewright", "init", "--config", config)
	ready(t, m)
	visit(t, m, "visitor", m.Name)
}

// TestReset gives a control plane back, twice, and makes another one of it in between, whose kube-proxy has its rules elsewhere.
func TestReset(t *testing.T) {
	bed.Need(t)
	m := bed.NewLab(t).Machine(t, bed.Spec{Name: "cp1"})
	const nftables = "/root/nftables.yaml"
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	m.WriteFile(t, nftables, strings.Replace(bed.InitConfig(m), "kind: KubeProxyConfiguration\n", "kind: KubeProxyConfiguration\nmode: nftables\n", 1), 0o600)
	before := m.Inventory(t)
	inhabited(t, m, configPath)
	checkNoReset(t, m)

	said := resets(t, m)
	if !strings.Contains(said, "/var/lib/etcd.reset-") {
		t.Errorf("no word about where etcd's data is:\n%s", said)
	}
	givenBack(t, m, before, slices.Concat(left, network, []string{moved})...)

	after := m.Inventory(t)
	if said := resets(t, m); !strings.Contains(said, "othing to do") {
		t.Errorf("the second reset did something:\n%s", said)
	}
	givenBack(t, m, after, "?* /var/lib/kubewright/*")

	inhabited(t, m, nftables)
	if _, there := m.Inventory(t)[bed.Item{Kind: "nft", Name: "table ip kube-proxy"}]; !there {
		t.Error("kube-proxy has no table of its own")
	}
	resets(t, m, "--cni", "--wipe-etcd")
	givenBack(t, m, before, append(slices.Clone(left), moved, "- file /etc/cni/net.d/10-kw.conflist")...)
	if kept, err := filepath.Glob(m.Path("/var/lib/etcd.reset-*")); err != nil || len(kept) != 1 {
		t.Errorf("want the data of the first cluster only: %v %v", kept, err)
	}
}

// checkNoReset asks for what is no reset: a dry run, and one that nobody agrees to.
func checkNoReset(t *testing.T, m *bed.Machine) {
	t.Helper()
	before := m.Inventory(t)
	dry := run(m, "kubewright", "reset", "--dry-run")
	for _, want := range []string{"/etc/kubernetes/admin.conf", "/etc/kubernetes/pki", "/etc/kubernetes/manifests", "/var/lib/etcd", "/var/lib/kubelet", "kubelet.service"} {
		if !strings.Contains(dry.out, want) {
			t.Errorf("a dry run does not say %s", want)
		}
	}
	if dry.code != 0 || t.Failed() {
		t.Errorf("dry run: exit code %d\n%s%s", dry.code, dry.out, dry.err)
	}
	if r := run(m, "kubewright", "reset"); r.code == 0 {
		t.Fatalf("reset without consent:\n%s%s", r.out, r.err)
	}
	lives := []string{"?~ file /var/log/*", "?~ file /var/lib/etcd/*", "?+ file /var/lib/etcd/*", "?+ file /run/kubewright.lock", "?* port udp *"}
	if d := bed.Diff(before, m.Inventory(t)).Except(lives...); len(d) > 0 {
		t.Errorf("something was changed:\n%s", d)
	}
	nodeReady(t, m, m.Name)
}

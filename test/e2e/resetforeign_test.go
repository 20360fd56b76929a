package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/test/bed"
)

// mingled is what mingle has added and a reset leaves; what it put into the kubelet's folder goes with that, and not what is behind.
var mingled = []string{
	"+ iptables nat -A PREROUTING *--dport 82 *", "+ iptables nat -A PREROUTING *--dport 83 *", "+ iptables filter -A FORWARD -s 10.9.8.0/24 *",
	"+ nft table ip nat chain PREROUTING: tcp dport 82 *", "+ nft table ip nat chain PREROUTING: tcp dport 83 *",
	"+ nft table ip filter chain FORWARD: ip saddr 10.9.8.0/24 *",
}

// baseChains are those of iptables in the tables that others use, too: empty, they do nothing, and whose they are nobody knows.
func baseChains() (patterns []string) {
	for _, chain := range []string{"INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING"} {
		name := "?+ nft table ip* chain " + chain
		patterns = append(patterns, name, name+": type * policy accept;")
	}
	return patterns
}

// TestResetForeign gives machines back on which there is more than Kubernetes. All of it survives, byte for byte.
func TestResetForeign(t *testing.T) {
	bed.Need(t)
	m := bed.NewLab(t).Machine(t, bed.Spec{Name: "cp1"})
	m.WriteFile(t, configPath, bed.InitConfig(m), 0o600)
	settle(t, m)
	before := m.Inventory(t)
	inhabited(t, m, configPath)
	mingle(t, m)
	m.MustRun(t, "systemctl", "stop", "kubelet") // it ends all pods that it does not know
	foreign := runSandbox(t, m)
	resets(t, m)
	if state := foreign.state(t); state != "SANDBOX_READY" {
		t.Errorf("the pod that is not the kubelet's: %s", state)
	}
	foreign.remove(t)
	own := mayLeave("* foreign.slice*", "* /var/log/foreign*", "* /*foreign.slice*",
		"~ cgroup /other*: in *,blkio,*") // systemd puts processes together when nobody needs a controller any more
	resets(t, m) // once more, when no journal tells any more what was there before
	givenBack(t, m, before, slices.Concat(own, mingled, baseChains())...)
	t.Run("external CA", func(t *testing.T) { externalCA(t, m) })
	t.Run("data of nobody", func(t *testing.T) { unclaimedData(t, m) })
}

// externalCA makes a control plane with certificates and kubeconfigs that were there before, without the CA's key.
func externalCA(t *testing.T, m *bed.Machine) {
	m.MustRun(t, "sh", "-ec", `
kubewright init phase certs all --config `+configPath+`
kubewright init phase kubeconfig all --config `+configPath+`
rm -r /etc/kubernetes/pki/ca.key /var/lib/kubewright
`) // as if others had made them
	before := m.Inventory(t)
	m.MustRun(t, "kubewright", "init", "--config", configPath)
	resets(t, m)
	// The kubelet's own credentials make a node of the machine: they go.
	givenBack(t, m, before, mayLeave("- * /var/lib/kubelet/pki*", "- file /etc/kubernetes/kubelet.conf")...)
}

// unclaimedData is what an etcd of somebody else has where the cluster's would have it.
func unclaimedData(t *testing.T, m *bed.Machine) {
	m.WriteFile(t, "/var/lib/etcd/member/snap/db", "precious", 0o600)
	before := m.Inventory(t)
	if r := run(m, "kubewright", "reset", "-f", "--wipe-etcd"); r.code != 0 || strings.Contains(r.out+r.err, "panic") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	givenBack(t, m, before, "?* /var/lib/kubewright*")
}

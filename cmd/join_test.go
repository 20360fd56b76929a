package cmd

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
)

// joined runs join and expects that it works.
func joined(t *testing.T, m *fakeMachine, args ...string) (output string) {
	t.Helper()
	code, stdout, stderr := m.run(args...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	return stdout + stderr
}

// refused runs join and expects an error with these words.
func refused(t *testing.T, m *fakeMachine, words []string, args ...string) {
	t.Helper()
	code, stdout, stderr := m.run(args...)
	for _, word := range words {
		if code == 0 || !strings.Contains(stderr, word) {
			t.Errorf("exit code %d, no %q in:\n%s%s", code, word, stdout, stderr)
		}
	}
}

// TestJoinWorker joins, and looks again: each with as few requests as it takes.
func TestJoinWorker(t *testing.T) {
	c := newCluster(t)
	m := newMachine(t, c, "w1")
	joined(t, m, c.joins()...)
	asked := c.asked()
	slices.Sort(asked)
	want := []string{
		"GET /api/v1/namespaces/kube-public/configmaps/cluster-info", "GET /api/v1/namespaces/kube-system/configmaps/kubeadm-config",
		"GET /api/v1/namespaces/kube-system/configmaps/kubelet-config", "GET /api/v1/nodes", "GET /api/v1/nodes/w1",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("requests:\n%s", strings.Join(asked, "\n"))
	}
	// For machines, the last word names the node.
	if output := joined(t, m, c.joins("-o", "json")...); !strings.HasSuffix(output, `{"event":"result","changes":0,"node":"w1"}`+"\n") {
		t.Errorf("as JSON:\n%s", output)
	}
	c.asked()
	// The token is good no more; the node's own credentials are.
	args := c.joins()
	args[3] = "aaaaaa.0123456789abcdef"
	if output := joined(t, m, args...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("a second run:\n%s", output)
	}
	if asked := c.asked(); len(asked) != 4 {
		t.Errorf("requests of a second run:\n%s", strings.Join(asked, "\n"))
	}
	// It has a name in the cluster, and there is another cluster.
	refused(t, m, []string{"this machine is node w1 of that cluster already", "--node-name w1"}, append(args, "--node-name", "w2")...)
	other := newCluster(t)
	args = other.joins()
	args = args[:len(args)-2] // with all checks
	refused(t, m, []string{"[ERROR FileAvailable--etc-kubernetes-kubelet.conf]", "is not of the cluster that is joined"}, args...)
}

// TestJoinByFile: the machine that joined by a file without credentials needs no token again. The file names the CA beside it.
func TestJoinByFile(t *testing.T) {
	c := newCluster(t)
	m := newMachine(t, c, "w1")
	m.write("/root/ca.pem", c.pki["/etc/kubernetes/pki/ca.crt"])
	m.write("/root/cluster.conf", fmt.Appendf(nil, "apiVersion: v1\nkind: Config\nclusters:\n- name: ''\n  cluster: {server: %q, certificate-authority: ca.pem}\n", c.URL))
	args := []string{"join", "--discovery-file", m.host.Root + "/root/cluster.conf", "--ignore-preflight-errors", "all", "--tls-bootstrap-token"}
	joined(t, m, append(args, joinToken)...)
	if output := joined(t, m, append(args, "aaaaaa.0123456789abcdef")...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("a second run:\n%s", output)
	}
}

// TestJoinAgain: credentials that the cluster refuses are replaced, and a kubelet whose Node was deleted is started again.
func TestJoinAgain(t *testing.T) {
	c := newCluster(t)
	m := newMachine(t, c, "w1")
	joined(t, m, c.joins()...)
	m.credentials("w1", -time.Second)
	before, err := m.host.ReadFile(config.KubeletKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	args := c.joins()
	args[3] = tokenID + ".fedcba9876543210"
	refused(t, m, []string{"the part after the dot of token abcdef is misspelt", "nor do the credentials do that are on this machine already"}, args...)
	joined(t, m, c.joins()...)
	if after, err := m.host.ReadFile(config.KubeletKubeconfig); err != nil || string(after) == string(before) {
		t.Errorf("the credentials are the old ones: %v", err)
	}
	c.mu.Lock()
	delete(c.objects, "/api/v1/nodes/w1")
	c.mu.Unlock()
	if output := joined(t, m, append(c.joins(), "-v", "1")...); !strings.Contains(output, "its Node is gone") {
		t.Errorf("no restart of the kubelet:\n%s", output)
	}
}

// TestJoinRefusals: what the cluster says is explained, soon, and nothing is written.
func TestJoinRefusals(t *testing.T) {
	status := func(code int) func(r *http.Request) int {
		return func(r *http.Request) int {
			if strings.HasSuffix(r.URL.Path, "/kubeadm-config") {
				return code
			}
			return 0
		}
	}
	for name, test := range map[string]struct {
		change func(c *fakeCluster)
		want   []string
	}{
		"signing only": {func(c *fakeCluster) { c.refuse = status(401) },
			[]string{"lacks the usage authentication", "kubewright token create --print-join-command"}},
		"no etcd": {func(c *fakeCluster) { c.refuse = status(500) }, []string{"cannot read the configuration of the cluster: ", "have a quorum?"}},
		"no group": {func(c *fakeCluster) { c.refuse = status(403) },
			[]string{"lacks the group system:bootstrappers:kubeadm:default-node-token", "kubewright init phase bootstrap-token"}},
		"unreachable": {func(c *fakeCluster) { c.clusterInfo = "https://127.0.0.1:1" },
			[]string{"this machine must reach https://127.0.0.1:1", "kube-public/cluster-info"}},
		"another's": {func(c *fakeCluster) { c.clusterInfo = newCluster(t).URL },
			[]string{"is not signed by the CA in cluster-info", "kubewright init phase bootstrap-token"}},
		"not its name": {func(c *fakeCluster) { c.clusterInfo = strings.Replace(c.URL, "127.0.0.1", "localhost", 1) },
			[]string{"is the address that the cluster gives for itself, and its certificate is not for it", "certSANs"}},
		"taken": {func(c *fakeCluster) { c.register("w1", corev1.ConditionTrue) },
			[]string{"has a node of that name, and it is Ready", "--node-name", "kubectl delete node w1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			test.change(c)
			m := newMachine(t, c, "w1")
			args := c.joins()
			m.write("/etc/join.yaml", fmt.Appendf(nil, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\ntimeouts: {kubernetesAPICall: 1s}\n"+
				"discovery: {bootstrapToken: {token: %s, apiServerEndpoint: %q, caCertHashes: [%q]}}\n", args[3], args[1], args[5]))
			began := time.Now()
			refused(t, m, test.want, "join", "--config", m.host.Root+"/etc/join.yaml")
			if past := time.Since(began); past > 10*time.Second {
				t.Errorf("it took %s", past)
			}
			if m.host.Exists(config.BootstrapKubeletKubeconfig) || m.host.Exists("/var/lib/kubelet") {
				t.Error("something was written")
			}
		})
	}
}

// TestJoinWarns of what the user has to know, and goes on.
func TestJoinWarns(t *testing.T) {
	c := newCluster(t)
	c.register("w1", corev1.ConditionUnknown)
	c.ahead = 400 * time.Second
	c.objects["/api/v1/namespaces/kube-system/configmaps/kubelet-config"] = configMap("kubelet", kubeletConfig+"resolvConf: /run/systemd/resolve/resolv.conf\n")
	output := joined(t, newMachine(t, c, "w1"), c.joins()...)
	for _, want := range []string{
		"the cluster has a node w1 already, which is not Ready: this machine takes its place", "[WARNING ClockSkew]: this machine's clock is 4",
		" seconds behind the API server's", "the cluster's kubelets read /run/systemd/resolve/resolv.conf",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
}

// TestJoinPhases: a phase may be told the cluster like join itself, and after others it knows it.
func TestJoinPhases(t *testing.T) {
	c := newCluster(t)
	m := newMachine(t, c, "w1")
	refused(t, m, []string{"cannot run phase kubelet-wait-bootstrap: no cluster was named", "--print-join-command"}, "join", "phase", "kubelet-wait-bootstrap")
	args := c.joins("--node-name", "worker")
	m.name = "worker" // so the kubelet calls itself
	args = slices.DeleteFunc(args, func(s string) bool { return s == "--ignore-preflight-errors" || s == "all" })
	joined(t, m, append([]string{"join", "phase", "kubelet-start"}, args[1:]...)...)
	m.done.Wait()
	m.name = "w1"
	c.asked()
	joined(t, m, "join", "phase", "kubelet-wait-bootstrap")
	if asked := c.asked(); !slices.Contains(asked, "GET /api/v1/nodes/worker") || slices.Contains(asked, "GET /api/v1/nodes/w1") {
		t.Errorf("it takes itself for another node:\n%s", strings.Join(asked, "\n"))
	}
	if m.host.Exists(config.BootstrapKubeletKubeconfig) {
		t.Error("the token is still there")
	}
}

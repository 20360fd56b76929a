package cmd

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/config"
)

// newUnborn is a machine on which init makes a cluster, with the arguments for it. The API server is the machine's own.
func newUnborn(t *testing.T) (m *fakeMachine, args []string) {
	t.Helper()
	c := &fakeCluster{unborn: true, objects: map[string]any{}, applied: map[string]map[string]any{}, pki: map[string][]byte{}}
	m = newMachine(t, c, "cp1")
	pods := m.runsPods(c.serve, func(read func(string) ([]byte, error)) error {
		for _, name := range []string{"ca.crt", "ca.key"} {
			path := config.DefaultCertificatesDir + "/" + name
			data, err := read(path)
			if err != nil {
				return err
			}
			c.pki[path] = data
		}
		return c.trust()
	})
	c.Server = pods.parts[config.APIServer].Server
	cluster, kubelet := pods.settings()
	m.write("/etc/init.yaml", fmt.Appendf(nil, `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {bindPort: %d}
nodeRegistration: {ignorePreflightErrors: [all]}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.2
encryptionAlgorithm: ECDSA-P256
%s---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
%s`, pods.parts[config.APIServer].port(), cluster, kubelet))
	return m, []string{"init", "--config", m.host.Root + "/etc/init.yaml"}
}

// tokens are the bootstrap tokens of the cluster, by ID.
func (c *fakeCluster) tokens() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	const at = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-"
	var found []string
	for _, path := range slices.Sorted(maps.Keys(c.objects)) {
		if id, ok := strings.CutPrefix(path, at); ok {
			found = append(found, id)
		}
	}
	return found
}

// stamps are the inode and the time of the last change of each file on the machine, but for our own records.
func (m *fakeMachine) stamps() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	for path := range m.tree() {
		var st syscall.Stat_t
		if err := syscall.Lstat(m.host.Root+path, &st); err != nil {
			m.t.Fatal(err)
		}
		if st.Mode&syscall.S_IFMT == syscall.S_IFREG {
			found[path] = fmt.Sprint(st.Ino, st.Mtim, st.Ctim)
		}
	}
	return found
}

// TestInit makes a cluster whole, and a second run has nothing to do and asks for nothing to be changed.
func TestInit(t *testing.T) {
	m, args := newUnborn(t)
	output := joined(t, m, args...)
	for _, want := range []string{"kubewright join 10.9.0.2:", "export KUBECONFIG=/etc/kubernetes/admin.conf"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in:\n%s", want, output)
		}
	}
	const system = "/api/v1/namespaces/kube-system/"
	for _, path := range []string{
		adminBinding, system + "configmaps/kubeadm-config", system + "configmaps/kubelet-config", system + "serviceaccounts/coredns",
		"/api/v1/namespaces/kube-public/configmaps/cluster-info", "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
	} {
		if m.cluster.objects[path] == nil {
			t.Errorf("there is no %s", path)
		}
	}
	node := m.cluster.content("/api/v1/nodes/cp1")
	if text := fmt.Sprint(node); !strings.Contains(text, "node-role.kubernetes.io/control-plane") || !strings.Contains(text, "NoSchedule") {
		t.Errorf("the node is not marked: %s", text)
	}
	if tokens := m.cluster.tokens(); len(tokens) != 1 {
		t.Errorf("tokens %v", tokens)
	}
	m.cluster.asked()
	before, stamps := m.tree(), m.stamps()
	if output := joined(t, m, args...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("a second run:\n%s", output)
	}
	m.same(before)
	if diff := cmp.Diff(stamps, m.stamps()); diff != "" {
		t.Errorf("files were written again:\n%s", diff)
	}
	for _, request := range m.cluster.asked() {
		verb, _, _ := strings.Cut(request, " ")
		if verb != http.MethodGet && verb != http.MethodPatch && !strings.Contains(request, "accessreviews") {
			t.Errorf("a second run sends %s", request)
		}
	}
}

// TestFirstWriteWaits: what an API server answers while it starts is waited for as long as each trouble may last, the first write
// included, and not for that time in all.
func TestFirstWriteWaits(t *testing.T) {
	t.Parallel()
	m, args := newUnborn(t)
	text, err := m.host.ReadFile("/etc/init.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m.write("/etc/init.yaml", []byte(strings.Replace(string(text), "nodeRegistration:", "timeouts: {kubernetesAPICall: 1s}\nnodeRegistration:", 1)))
	var began, over time.Time
	m.cluster.disturb = func(r *http.Request) disturbance {
		if r.Method != http.MethodPatch || r.URL.Path != adminBinding {
			return nil
		}
		if began.IsZero() {
			began = time.Now()
		}
		switch past := time.Since(began); {
		case past < 700*time.Millisecond:
			return says(http.StatusServiceUnavailable, "ServiceUnavailable", "etcd does not answer")
		case past < 1400*time.Millisecond:
			return says(http.StatusInternalServerError, "InternalError", "the authorizer is not there")
		case past < 2100*time.Millisecond:
			return says(http.StatusServiceUnavailable, "ServiceUnavailable", "no controller")
		}
		over = time.Now()
		return nil
	}
	joined(t, m, args...)
	if past := over.Sub(began); past < 2*time.Second {
		t.Errorf("the first write had to wait for %s only", past)
	}
}

package cmd

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

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
	before := m.tree()
	if output := joined(t, m, args...); !strings.Contains(output, "Nothing to do") {
		t.Errorf("a second run:\n%s", output)
	}
	m.same(before)
	for _, request := range m.cluster.asked() {
		verb, _, _ := strings.Cut(request, " ")
		if verb != http.MethodGet && verb != http.MethodPatch && !strings.Contains(request, "accessreviews") {
			t.Errorf("a second run sends %s", request)
		}
	}
}

package cmd

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/config"
)

// TestRenewDirectory: the certificates are looked for where the cluster says, or the components of this machine, or the flag, which
// wins over a file.
func TestRenewDirectory(t *testing.T) {
	const dir, stored = "/srv/pki", "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
	m, _ := newNode(t)
	renews := func(about, want string, args ...string) {
		t.Helper()
		before := m.tree()
		joined(t, m, append([]string{"certs", "renew", "apiserver", "--no-restart"}, args...)...)
		got := changedPaths(before, m.tree())
		if !slices.Equal(got, []string{want + "/apiserver.crt", want + "/apiserver.key"}) {
			t.Errorf("%s: changed %v", about, got)
		}
	}
	renews("the cluster says nothing else", config.DefaultCertificatesDir)
	if err := os.MkdirAll(m.host.Root+"/srv", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(m.host.Root+dir, os.DirFS(m.host.Root+config.DefaultCertificatesDir)); err != nil {
		t.Fatal(err)
	}
	file := configFile(t, v1beta4+"kind: ClusterConfiguration\ncertificatesDir: /nowhere\n")
	renews("the flag beside a file", dir, "--config", file, "--cert-dir", dir)
	m.cluster.mu.Lock()
	text := m.cluster.content(stored)["data"].(map[string]any)["ClusterConfiguration"].(string)
	m.cluster.objects[stored] = configMap("ClusterConfiguration", strings.Replace(text, config.DefaultCertificatesDir, dir, 1))
	m.cluster.mu.Unlock()
	renews("the cluster", dir)
	m.pods.parts[config.APIServer].runs(false)
	renews("the API server of before, as the cluster does not answer", config.DefaultCertificatesDir)
	manifest, err := m.host.ReadFile(manifestOf(config.APIServer))
	if err != nil {
		t.Fatal(err)
	}
	m.write(manifestOf(config.APIServer), []byte(strings.ReplaceAll(string(manifest), config.DefaultCertificatesDir, dir)))
	m.pods.parts[config.APIServer].runs(false)
	renews("the API server", dir)
}

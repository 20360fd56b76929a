package cmd

import (
	"testing"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/pki"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://lb.example:6443"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: t}}]
`

// TestServerOfKubeconfig: init's own credentials mean this machine's API server; those of the user mean what they say.
func TestServerOfKubeconfig(t *testing.T) {
	h := hosttest.New(t)
	if err := h.MkdirAll(config.KubernetesDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ path, local, want string }{
		{config.AdminKubeconfig, "https://10.0.0.5:6443", "https://10.0.0.5:6443"},
		{config.SuperAdminKubeconfig, "https://10.0.0.5:6443", "https://10.0.0.5:6443"},
		{"/etc/my.conf", "https://10.0.0.5:6443", "https://lb.example:6443"},
		{config.AdminKubeconfig, "", "https://lb.example:6443"},
	} {
		if err := h.WriteFile(tc.path, host.FileSpec{Data: []byte(kubeconfig), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		f := &phases.Facts{Config: config.New(), Host: h, PKI: pki.Plan(pki.Input{Config: config.New(), Read: h.ReadFile})}
		client, err := clients(f, tc.local)(tc.path)
		if err != nil || client.Server() != tc.want {
			t.Errorf("%s talks to %v, %v; want %s", tc.path, client, err, tc.want)
		}
	}
}

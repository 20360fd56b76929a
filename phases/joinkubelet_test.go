package phases

import (
	"slices"
	"testing"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// TestKubeletCredentials: what the kubelet joins with, on machines where it has something already.
func TestKubeletCredentials(t *testing.T) {
	shared := sharedFiles(t)
	external := sharedFiles(t)
	delete(external, "/etc/kubernetes/pki/ca.key")
	for name, tc := range map[string]struct {
		controlPlane bool
		externalCA   bool
		set          func(f *Facts)
		bootstrap    bool // it gets a kubeconfig to ask for credentials
		removed      bool // its own is taken away
		restarts     bool // although nothing that it reads changed
	}{
		"worker":                        {bootstrap: true},
		"worker, member":                {set: func(f *Facts) { has(t, f.Host); f.Joining.BootstrapKubeconfig = nil }},
		"worker, refused":               {set: func(f *Facts) { has(t, f.Host); f.Joining.Refused = true }, bootstrap: true, removed: true},
		"worker, Node gone":             {set: func(f *Facts) { has(t, f.Host); f.Joining.BootstrapKubeconfig, f.Joining.Unregistered = nil, true }, restarts: true},
		"control plane":                 {controlPlane: true},
		"control plane, external CA":    {controlPlane: true, externalCA: true, bootstrap: true},
		"the same, has its credentials": {controlPlane: true, externalCA: true, set: func(f *Facts) { has(t, f.Host) }},
	} {
		t.Run(name, func(t *testing.T) {
			files := shared
			if tc.externalCA {
				files = external
			}
			f := joinFacts(t, hosttest.New(t), tc.controlPlane, files, externalEtcd)
			if tc.set != nil {
				tc.set(f)
			}
			steps, err := kubeletStartJoin().Steps(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			file := func(path string, absent bool) bool {
				return slices.ContainsFunc(steps, func(s plan.Step) bool {
					file, ok := s.(plan.File)
					return ok && file.Path == path && file.Absent == absent && (absent || file.Secret)
				})
			}
			if got := file(config.BootstrapKubeletKubeconfig, false); got != tc.bootstrap {
				t.Errorf("%s is written: %v", config.BootstrapKubeletKubeconfig, got)
			}
			if got := file(config.KubeletKubeconfig, true); got != tc.removed {
				t.Errorf("%s is removed: %v", config.KubeletKubeconfig, got)
			}
			if unit, ok := steps[len(steps)-1].(plan.Unit); !ok || !unit.StartedAfter.IsZero() != tc.restarts {
				t.Errorf("unit %+v", steps[len(steps)-1])
			}
		})
	}
}

// has gives a machine a kubelet.conf.
func has(t *testing.T, h *host.Host) {
	t.Helper()
	if err := h.MkdirAll(config.KubernetesDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteFile(config.KubeletKubeconfig, host.FileSpec{Data: []byte("x"), Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
}

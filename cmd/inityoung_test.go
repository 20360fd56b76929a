package cmd

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// TestInitYoungAPIServer: init goes on while the API server makes its own roles, with the credentials that need none. The components
// that need theirs get them from init, and start at once; then the administrators do the rest.
func TestInitYoungAPIServer(t *testing.T) {
	m, args := newUnborn(t)
	const (
		itsRole   = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:kube-controller-manager"
		component = "/etc/kubernetes/manifests/kube-controller-manager.yaml"
	)
	c := m.cluster
	c.roleless, c.unhealthy = true, true
	var early, bound, late atomic.Int32
	var given, soon atomic.Bool
	c.refuse = func(r *http.Request) int {
		if len(r.TLS.PeerCertificates) == 0 {
			return 0
		}
		super := slices.Contains(r.TLS.PeerCertificates[0].Subject.Organization, "system:masters")
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case !given.Load() && m.host.Exists(component):
			t.Error("the controller manager was started before its role was there")
		case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews") && early.Load() > 0:
			c.roleless = bound.Add(1) < 3
			c.unhealthy = c.roleless
		case r.Method == http.MethodPatch && super && !c.roleless:
			t.Errorf("%s with super-admin.conf, when admin.conf may do it", r.URL.Path)
		case r.Method == http.MethodPatch && super:
			early.Add(1)
			given.Store(given.Load() || r.URL.Path == itsRole)
			soon.Store(soon.Load() || m.host.Exists(component))
		case r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/nodes/cp1"):
			late.Add(1)
		}
		return 0
	}
	joined(t, m, args...)
	c.refuse = nil
	if early.Load() < 25 || bound.Load() < 3 || late.Load() == 0 {
		t.Errorf("%d objects were made early, rights were asked for %d times, and the node was marked %d times",
			early.Load(), bound.Load(), late.Load())
	}
	if !given.Load() || !soon.Load() {
		t.Errorf("the controller manager got its role: %v; was started while the API server made its own: %v", given.Load(), soon.Load())
	}
}

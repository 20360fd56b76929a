package phases

import (
	"errors"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// TestRoleOf: a component starts when its role is there, or at once where the API server took long to serve.
func TestRoleOf(t *testing.T) {
	role := &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: "system:kube-controller-manager"},
	}
	for _, tc := range []struct {
		name  string
		runs  time.Duration // for how long the kubelet does
		role  bool
		start bool
	}{
		{name: "no role yet", runs: startSoon / 2},
		{name: "its role is there", runs: startSoon / 2, role: true, start: true},
		{name: "a slow machine", runs: 2 * startSoon, start: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := facts(t, hosttest.New(t), minimal)
			f.Client = func(string) (*cluster.Client, error) { return nil, errors.New("not up") }
			s := systemdtest.New()
			s.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "active", MainStart: f.Host.Time().Add(-tc.runs)})
			api := plantest.NewAPI()
			if tc.role {
				if _, err := api.Apply(t.Context(), role, false); err != nil {
					t.Fatal(err)
				}
			}
			wait := roleOf(f, manager.name, nil).(plan.Wait)
			err := wait.Probe(t.Context(), &plan.Target{Host: f.Host, Systemd: s, API: api})
			if (err == nil) != tc.start {
				t.Errorf("%v", err)
			}
		})
	}
}

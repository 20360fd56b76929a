package phases

import (
	"errors"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// TestRoleWait: a component starts when its role is there, or at once where the API server took long to serve.
func TestRoleWait(t *testing.T) {
	role := manifests.ControllerManagerRole()[0]
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
			api := plantest.NewAPI()
			if tc.role {
				if _, err := api.Apply(t.Context(), role, false); err != nil {
					t.Fatal(err)
				}
			}
			wait := roleWait(f, nil).(plan.Wait)
			err := wait.Probe(t.Context(), &plan.Target{Host: f.Host, Systemd: kubeletFor(f.Host, tc.runs), API: api})
			if (err == nil) != tc.start {
				t.Errorf("%v", err)
			}
		})
	}
}

// kubeletFor is systemd with a kubelet that has run for some time.
func kubeletFor(h *host.Host, runs time.Duration) systemd.Manager {
	s := systemdtest.New()
	s.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "active", MainStart: h.Time().Add(-runs)})
	return s
}

// TestManagerRole: the role and its binding are made where they are missing and super-admin.conf is there, and left as they are else.
func TestManagerRole(t *testing.T) {
	changed := manifests.ControllerManagerRole()[0].(*rbacv1.ClusterRole)
	changed.Rules = changed.Rules[:1]
	for _, tc := range []struct {
		name   string
		runs   time.Duration
		super  error
		there  []runtime.Object
		writes int
	}{
		{name: "new", writes: 2},
		{name: "half", there: []runtime.Object{changed}, writes: 1},
		{name: "there", there: append([]runtime.Object{changed}, manifests.ControllerManagerRole()[1])},
		{name: "no super-admin.conf", super: errors.New("no such file")},
		{name: "a slow machine", runs: 2 * startSoon},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := facts(t, hosttest.New(t), minimal)
			f.Client = func(path string) (*cluster.Client, error) {
				if path != "/etc/kubernetes/super-admin.conf" {
					t.Errorf("asks with %s", path)
				}
				return nil, tc.super
			}
			api := plantest.NewAPI()
			for _, object := range tc.there {
				if _, err := api.Apply(t.Context(), object, false); err != nil {
					t.Fatal(err)
				}
			}
			before := api.Writes()
			target := &plan.Target{Host: f.Host, Systemd: kubeletFor(f.Host, tc.runs), API: api}
			step := managerRole(f)
			c, err := step.Diff(t.Context(), target)
			if want := tc.writes > 0; err != nil || (c.Kind == plan.Run) != want {
				t.Fatalf("%v, %v; want a change: %v", c, err, want)
			}
			if c.Kind == plan.Same {
				return
			}
			if err := step.Apply(t.Context(), target); err != nil {
				t.Fatal(err)
			}
			if n := api.Writes() - before; n != tc.writes {
				t.Errorf("%d writes; want %d", n, tc.writes)
			}
			if c, err := step.Diff(t.Context(), target); err != nil || c.Kind != plan.Same {
				t.Errorf("afterwards: %v, %v", c, err)
			}
			live, err := api.Live(t.Context(), changed)
			if err != nil {
				t.Fatal(err)
			}
			rules, _, err := unstructured.NestedSlice(live.(*unstructured.Unstructured).Object, "rules")
			if err != nil || tc.there != nil && len(rules) != len(changed.Rules) {
				t.Errorf("the role that was there has changed: %v, %v", rules, err)
			}
		})
	}
}

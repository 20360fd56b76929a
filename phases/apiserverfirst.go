package phases

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// apiServerFirst says that the components that can do nothing without an API server start when one serves. Before that they would only
// take processor time from it, and before their rights are there they would be refused, and wait for some seconds until their next try.
func (f *Facts) apiServerFirst() bool {
	return f.Whole && f.Joining == nil && !f.Skips("wait-control-plane")
}

// startOthers starts them, each when it has its rights.
func startOthers(f *Facts, watch watch) ([]plan.Step, error) {
	if !f.apiServerFirst() || f.Skips("control-plane") {
		return nil, nil
	}
	var steps []plan.Step
	for _, c := range []component{manager, scheduler} {
		if f.Skips("control-plane/" + c.part) {
			continue
		}
		pod, err := staticPod(f, c.name, c.build)
		if err != nil {
			return nil, err
		}
		steps = append(append(steps, rightsOf(f, c.name, watch)), pod...)
	}
	return steps, nil
}

// rightsOf waits until the API server has the role of a component, or has said that it is healthy and so has all that it will. The
// bindings follow at once, while the component starts.
func rightsOf(f *Facts, component string, watch watch) plan.Step {
	role := &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: "system:" + component},
	}
	api := probes(f)[0]
	return plan.Wait{
		For:      "kube-apiserver has the role of " + component,
		Stall:    stall(f.Config, func(t *config.Timeouts) timeout { return t.ControlPlaneComponentHealthCheck }),
		NeedsAPI: true,
		Probe: func(ctx context.Context, t *plan.Target) error {
			live, err := t.API.Live(ctx, role)
			if err == nil && live == nil && api.Check(ctx) != nil {
				return fmt.Errorf("there is no ClusterRole %s yet", role.Name)
			}
			return err
		},
		Watch: watch,
	}
}

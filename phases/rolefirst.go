package phases

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// roleFirst says that the controller manager starts when the API server has its role. Before that it is refused, and waits for some
// seconds until its next try.
func (f *Facts) roleFirst() bool {
	return f.Whole && f.Joining == nil && !f.Skips("wait-control-plane")
}

// startManager starts it, and makes the ServiceAccounts that it needs while it starts.
func startManager(f *Facts, watch watch) ([]plan.Step, error) {
	if !f.roleFirst() || f.Skips("control-plane") || f.Skips("control-plane/"+manager.part) {
		return nil, nil
	}
	pod, err := staticPod(f, manager.name, manager.build)
	if err != nil {
		return nil, err
	}
	steps := append([]plan.Step{roleOf(f, manager.name, watch)}, pod...)
	if accounts := controllerAccounts(f, pod); accounts != nil {
		steps = append(steps, accounts)
	}
	return steps, nil
}

// roleOf waits until the API server has the role of a component, or has said that it is healthy and so has all that it will. The
// bindings follow at once, while the component starts. On a machine that starts slowly there is no wait: there, the component takes longer
// to start than the API server to make its roles.
func roleOf(f *Facts, component string, watch watch) plan.Step {
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
			if startsSlowly(ctx, t) {
				return nil
			}
			live, err := t.API.Live(ctx, role)
			if err == nil && live == nil && api.Check(ctx) != nil {
				return fmt.Errorf("there is no ClusterRole %s yet", role.Name)
			}
			return err
		},
		Watch: watch,
	}
}

// startsSlowly says that the kubelet has run for longer than startSoon while the API server has only begun to serve.
func startsSlowly(ctx context.Context, t *plan.Target) bool {
	started := kubeletStarted(ctx, t)
	return !started.IsZero() && t.Host.Time().Sub(started) > startSoon
}

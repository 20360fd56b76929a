package phases

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// roleFirst says that the controller manager starts when the API server has its role. Before that it is refused, and waits for some
// seconds until its next try.
func (f *Facts) roleFirst() bool {
	return f.Whole && f.Joining == nil && !f.Skips("wait-control-plane")
}

// startManager gives it its role and starts it, and makes the ServiceAccounts that it needs while it starts.
func startManager(f *Facts, watch watch) ([]plan.Step, error) {
	if !f.roleFirst() || f.Skips("control-plane") || f.Skips("control-plane/"+manager.part) {
		return nil, nil
	}
	pod, err := staticPod(f, manager.name, manager.build)
	if err != nil {
		return nil, err
	}
	steps := append([]plan.Step{managerRole(f), roleWait(f, watch)}, pod...)
	if accounts := controllerAccounts(f, pod); accounts != nil {
		steps = append(steps, accounts)
	}
	return steps, nil
}

// managerRole makes the role of the controller manager a second before the API server would. Only super-admin.conf may do so: nobody
// else may give rights that he does not have yet. A machine that starts slowly does without: there, the component takes longer to start
// than the API server to make its roles.
func managerRole(f *Facts) plan.Step {
	objects := manifests.ControllerManagerRole()
	return plan.Do{
		Name:     "give kube-controller-manager its role",
		NeedsAPI: true,
		Passing:  true, // every cluster has it
		Optional: true, // the API server makes it
		Done: func(ctx context.Context, t *plan.Target) (bool, error) {
			if _, err := f.Client(f.superAdminPath()); err != nil || startsSlowly(ctx, t) {
				return true, nil
			}
			missing, err := missingOf(ctx, t.API, objects)
			return err == nil && len(missing) == 0, err
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			missing, err := missingOf(ctx, t.API, objects)
			if err != nil {
				return err
			}
			for _, object := range missing { // in their order, so that a kill between them is always at the same place
				if _, err := t.API.Apply(ctx, object, false); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// missingOf are those objects that the cluster does not have.
func missingOf(ctx context.Context, api plan.API, objects []runtime.Object) (missing []runtime.Object, err error) {
	for _, object := range objects {
		live, err := api.Live(ctx, object)
		if err != nil {
			return nil, err
		}
		if live == nil {
			missing = append(missing, object)
		}
	}
	return missing, nil
}

// roleWait waits until the controller manager has its role, or the API server has said that it is healthy and so has all that it will.
// The binding follows at once, while the component starts. On a machine that starts slowly there is no wait.
func roleWait(f *Facts, watch watch) plan.Step {
	role := manifests.ControllerManagerRole()[0]
	api := probes(f)[0]
	return plan.Wait{
		For:      "kube-apiserver has the role of kube-controller-manager",
		Stall:    stall(f.Config, func(t *config.Timeouts) timeout { return t.ControlPlaneComponentHealthCheck }),
		NeedsAPI: true,
		Probe: func(ctx context.Context, t *plan.Target) error {
			if startsSlowly(ctx, t) {
				return nil
			}
			live, err := t.API.Live(ctx, role)
			if err == nil && live == nil && api.Check(ctx) != nil {
				return fmt.Errorf("there is no ClusterRole %s yet", manifests.ManagerRole)
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

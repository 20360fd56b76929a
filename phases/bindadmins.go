package phases

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// bindsAdmins says that the cluster may not know yet what its administrators may do. Credentials that the user names, and a
// cluster that is joined, are taken as they are.
func (f *Facts) bindsAdmins() bool {
	return f.Joining == nil && f.Resetting == nil && f.AdminKubeconfig == config.AdminKubeconfig
}

// bindAdmins gives the group of admin.conf its rights. The first time only super-admin.conf may do so. An API server that has just
// begun to serve makes the roles of every cluster first, cluster-admin too: what a whole command does until then is done with
// super-admin.conf, which needs no role.
func bindAdmins(f *Facts) plan.Step {
	binding := manifests.AdminBinding()
	bound := false
	return plan.Do{
		Name:     "give group kubeadm:cluster-admins the role cluster-admin",
		NeedsAPI: true,
		Passing:  true, // it is what every cluster has
		Done: func(ctx context.Context, _ *plan.Target) (bool, error) {
			admin, err := f.admin(ctx)
			if err != nil || bound {
				return bound, err
			}
			return admin.AdminBound(ctx)
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			admin, err := f.admin(ctx)
			if err != nil {
				return err
			}
			if err = apply(ctx, admin, binding); !apierrors.IsForbidden(errors.Unwrap(err)) && !apierrors.IsForbidden(err) {
				return err
			}
			super, superErr := f.Client(f.superAdminPath())
			if superErr != nil {
				if f.Whole && admin.WithPatience(bindingSeen).WaitAdminBound(ctx) == nil { // an API server that starts again
					return nil
				}
				return fmt.Errorf("%w\n%s may not do it: %v", superErr, f.AdminKubeconfig, err)
			}
			if err := apply(ctx, super, binding); err != nil {
				return err
			}
			if !f.Whole {
				return admin.WaitAdminBound(ctx)
			}
			t.API, bound = super, true
			return nil
		},
	}
}

// bindingSeen is how long an API server that has begun to serve may take until it knows the bindings that it has stored.
const bindingSeen = 10 * time.Second

// adminsBound waits until the administrators have their rights, and goes on with them.
func adminsBound(f *Facts) plan.Step {
	return plan.Wait{
		For:      "group kubeadm:cluster-admins may do what cluster-admin may",
		Stall:    stall(f.Config, func(t *config.Timeouts) timeout { return t.KubernetesAPICall }),
		NeedsAPI: true,
		Probe: func(ctx context.Context, t *plan.Target) error {
			admin, err := f.admin(ctx)
			if err != nil {
				return err
			}
			bound, err := admin.AdminBound(ctx)
			if err == nil && !bound {
				err = errors.New("the API server does not know it yet")
			}
			if err == nil {
				t.API = admin
			}
			return err
		},
	}
}

func apply(ctx context.Context, c *cluster.Client, obj runtime.Object) error {
	_, err := c.Apply(ctx, obj, false)
	return err
}

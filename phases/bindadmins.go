package phases

import (
	"context"
	"errors"
	"fmt"

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

// bindAdmins gives the group of admin.conf its rights. The first time only super-admin.conf may do so.
func bindAdmins(f *Facts) plan.Step {
	binding := manifests.AdminBinding()
	return plan.Do{
		Name:     "give group kubeadm:cluster-admins the role cluster-admin",
		NeedsAPI: true,
		Passing:  true, // it is what every cluster has
		Done: func(ctx context.Context, _ *plan.Target) (bool, error) {
			admin, err := f.admin(ctx)
			if err != nil {
				return false, err
			}
			return admin.AdminBound(ctx)
		},
		Run: func(ctx context.Context, _ *plan.Target) error {
			admin, err := f.admin(ctx)
			if err != nil {
				return err
			}
			if err = apply(ctx, admin, binding); !apierrors.IsForbidden(errors.Unwrap(err)) && !apierrors.IsForbidden(err) {
				return err
			}
			super, superErr := f.Client(f.superAdminPath())
			if superErr != nil {
				return fmt.Errorf("%w\n%s may not do it: %v", superErr, f.AdminKubeconfig, err)
			}
			if err := apply(ctx, super, binding); err != nil {
				return err
			}
			return admin.WaitAdminBound(ctx)
		},
	}
}

func apply(ctx context.Context, c *cluster.Client, obj runtime.Object) error {
	_, err := c.Apply(ctx, obj, false)
	return err
}

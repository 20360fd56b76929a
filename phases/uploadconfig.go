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

// uploadConfig stores the configuration in the cluster, where join and upgrade read it.
func uploadConfig() Phase {
	flags := []string{"config", "cri-socket", "dry-run", "kubeconfig"}
	return Phase{
		Name: "upload-config", Alias: "uploadconfig", About: "Store the configuration in the cluster",
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) { return []plan.Step{bindAdmins(f)}, nil },
		Sub: []Phase{
			{
				Name: "kubeadm", About: "Store the ClusterConfiguration in a ConfigMap", Flags: flags,
				Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
					cm, err := manifests.KubeadmConfig(f.Stored())
					if err != nil {
						return nil, err
					}
					return objects(append([]runtime.Object{cm}, manifests.KubeadmConfigRBAC(f.Config)...)), nil
				},
			},
			{
				Name: "kubelet", About: "Store the KubeletConfiguration in a ConfigMap", Flags: flags,
				Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
					cm, err := manifests.KubeletConfig(f.Config)
					if err != nil {
						return nil, err
					}
					return objects(append([]runtime.Object{cm}, manifests.KubeletConfigRBAC(f.Config)...)), nil
				},
			},
		},
	}
}

// Stored is the configuration as it is kept in the cluster: an addon whose phase is skipped counts as disabled, so that an
// upgrade does not install it.
func (f *Facts) Stored() *config.Config {
	stored := *f.Config
	stored.Cluster.DNS.Disabled = stored.Cluster.DNS.Disabled || f.Skips("addon") || f.Skips("addon/coredns")
	stored.Cluster.Proxy.Disabled = stored.Cluster.Proxy.Disabled || f.Skips("addon") || f.Skips("addon/kube-proxy")
	return &stored
}

func objects(list []runtime.Object) []plan.Step {
	steps := make([]plan.Step, len(list))
	for i, o := range list {
		steps[i] = plan.Object{Obj: o}
	}
	return steps
}

// bindAdmins gives the group of admin.conf its rights. The first time only super-admin.conf may do so.
func bindAdmins(f *Facts) plan.Step {
	binding := manifests.AdminBinding()
	return plan.Do{
		Name:     "give group kubeadm:cluster-admins the role cluster-admin",
		NeedsAPI: true,
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

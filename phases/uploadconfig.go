package phases

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// uploadConfig stores the configuration in the cluster, where join and upgrade read it.
func uploadConfig() Phase {
	flags := []string{"config", "cri-socket", "dry-run", "kubeconfig"}
	return Phase{
		Name: "upload-config", Alias: "uploadconfig", About: "Store the configuration in the cluster",
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

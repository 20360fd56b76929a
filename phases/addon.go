package phases

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// addon installs CoreDNS and kube-proxy, unless the configuration disables them.
func addon() Phase {
	dns := []string{"config", "dry-run", "feature-gates", "image-repository", "kubeconfig", "kubernetes-version",
		"print-manifest", "service-cidr", "service-dns-domain"}
	proxy := []string{"apiserver-advertise-address", "apiserver-bind-port", "config", "control-plane-endpoint", "dry-run",
		"image-repository", "kubeconfig", "kubernetes-version", "pod-network-cidr", "print-manifest"}
	return Phase{Name: "addon", About: "Install the addons", Sub: []Phase{
		{
			Name: "coredns", About: "Install CoreDNS", Flags: dns,
			Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
				if f.Config.Cluster.DNS.Disabled {
					return nil, nil
				}
				list, err := manifests.CoreDNS(f.Config)
				steps, err := addonSteps(f, "corednsdeployment", list, err)
				if err != nil {
					return nil, err
				}
				return aloneDNS(steps), nil
			},
		},
		{
			Name: "kube-proxy", About: "Install kube-proxy", Flags: proxy,
			Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
				if f.Config.Cluster.Proxy.Disabled {
					return nil, nil
				}
				list, err := manifests.KubeProxy(f.Config, f.Node.Proxy)
				return addonSteps(f, "kubeproxydaemonset", list, err)
			},
		},
	}}
}

func addonSteps(f *Facts, target string, list []runtime.Object, err error) ([]plan.Step, error) {
	if err != nil {
		return nil, err
	}
	for i, o := range list {
		if list[i], err = f.Patches.ApplyObject(target, o); err != nil {
			return nil, err
		}
	}
	var steps []plan.Step
	for _, o := range list {
		step := plan.Object{Obj: o}
		switch o := o.(type) {
		case *corev1.ConfigMap:
			step.KeepExisting = o.Name == config.CoreDNS // a Corefile is its owner's: people add zones and forwarders
		case *appsv1.Deployment:
			step.Fill = func(ctx context.Context, api plan.API) error { return keepReplicas(ctx, api, o) }
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// keepReplicas leaves a Deployment that was scaled at its size.
func keepReplicas(ctx context.Context, api plan.API, d *appsv1.Deployment) error {
	live, err := api.Live(ctx, d)
	if err != nil || live == nil {
		return err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return err
	}
	replicas, found, err := unstructured.NestedInt64(content, "spec", "replicas")
	if err == nil && found {
		d.Spec.Replicas = ptr.To(int32(replicas))
	}
	return err
}

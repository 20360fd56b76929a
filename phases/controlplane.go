package phases

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// controlPlane writes the manifests of the three components.
func controlPlane() Phase {
	part := func(name, component string, build func(manifests.Node) *corev1.Pod, flags ...string) Phase {
		return Phase{
			Name: name, About: "Write the static pod manifest of " + component,
			Flags: append([]string{"cert-dir", "config", "dry-run", "image-repository", "kubernetes-version", "patches"}, flags...),
			Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
				if component != config.APIServer && f.apiServerFirst() {
					return nil, nil
				}
				return staticPod(f, component, build)
			},
		}
	}
	return Phase{Name: "control-plane", About: "Write the static pod manifests of the control plane", Sub: []Phase{
		part("apiserver", config.APIServer, manifests.APIServer, "apiserver-advertise-address",
			"apiserver-bind-port", "apiserver-extra-args", "control-plane-endpoint", "feature-gates", "service-cidr"),
		part("controller-manager", config.ControllerManager, manifests.ControllerManager,
			"controller-manager-extra-args", "pod-network-cidr"),
		part("scheduler", config.Scheduler, manifests.Scheduler, "scheduler-extra-args"),
	}}
}

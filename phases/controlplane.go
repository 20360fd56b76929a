package phases

import (
	"context"

	"github.com/kubewright/kubewright/plan"
)

// controlPlane writes the manifests of the three components.
func controlPlane() Phase {
	part := func(c component, flags ...string) Phase {
		return Phase{
			Name: c.part, About: "Write the static pod manifest of " + c.name,
			Flags: append([]string{"cert-dir", "config", "dry-run", "image-repository", "kubernetes-version", "patches"}, flags...),
			Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
				if c.name == manager.name && f.roleFirst() {
					return nil, nil
				}
				return staticPod(f, c.name, c.build)
			},
		}
	}
	return Phase{Name: "control-plane", About: "Write the static pod manifests of the control plane", Sub: []Phase{
		part(apiServer, "apiserver-advertise-address",
			"apiserver-bind-port", "apiserver-extra-args", "control-plane-endpoint", "feature-gates", "service-cidr"),
		part(manager, "controller-manager-extra-args", "pod-network-cidr"),
		part(scheduler, "scheduler-extra-args"),
	}}
}

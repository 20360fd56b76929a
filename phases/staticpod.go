package phases

import (
	"fmt"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// staticPod is the manifest of one component, patched, in the directory that the kubelet watches.
func staticPod(f *Facts, component string, build func(manifests.Node) *corev1.Pod) ([]plan.Step, error) {
	data, err := manifests.YAML(build(f.Node))
	if err != nil {
		return nil, fmt.Errorf("cannot render %s: %w", component, err)
	}
	if data, err = f.Patches.Apply(component, data); err != nil {
		return nil, err
	}
	return []plan.Step{
		plan.File{Path: config.ManifestsDir, Dir: true, Mode: 0o700},
		plan.File{Path: manifestPath(component), Mode: 0o600, Data: data},
	}, nil
}

// component is one that runs as a static pod, with its part of the phase control-plane.
type component struct {
	part, name string
	build      func(manifests.Node) *corev1.Pod
}

var (
	apiServer = component{"apiserver", config.APIServer, manifests.APIServer}
	manager   = component{"controller-manager", config.ControllerManager, manifests.ControllerManager}
	scheduler = component{"scheduler", config.Scheduler, manifests.Scheduler}
)

func manifestPath(component string) string {
	return filepath.Join(config.ManifestsDir, component+".yaml")
}

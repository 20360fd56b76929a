package phases

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/manifests"
	"github.com/kubewright/kubewright/plan"
)

// kubeletStartJoin writes the kubelet's credentials and settings and (re)starts its unit.
func kubeletStartJoin() Phase {
	return Phase{
		Name: "kubelet-start", About: "Write the kubelet's credentials and settings and (re)start its unit", Flags: joinFlags(),
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			steps := []plan.Step{
				plan.File{Path: config.ManifestsDir, Dir: true, Mode: 0o700},
				plan.File{Path: config.KubeletDir, Dir: true, Mode: 0o700},
			}
			credentials, err := kubeletCredentials(f)
			if err != nil {
				return nil, err
			}
			steps = append(steps, credentials...)
			render := manifests.KubeletFlags
			if !f.Joining.ControlPlane {
				render = manifests.WorkerKubeletFlags
			}
			files, err := kubeletFiles(f, render)
			if err != nil {
				return nil, err
			}
			for _, file := range files {
				steps = append(steps, file)
			}
			unit := kubeletUnit(files, config.BootstrapKubeletKubeconfig)
			if f.Joining.ControlPlane && !f.PKI.ExternalCA() {
				unit = kubeletUnit(files, config.KubeletKubeconfig)
			}
			if f.Joining.Unregistered {
				unit.StartedAfter, unit.StartedWhy = f.Now, "its Node is gone, and a kubelet registers only when it starts"
			}
			return append(steps, unit), nil
		},
	}
}

// kubeletCredentials: where the key of the CA is, this node's certificate is made like all others. Elsewhere the kubelet asks
// the cluster for it, with the credentials of the join; once it has got it they are not written again.
func kubeletCredentials(f *Facts) ([]plan.Step, error) {
	j := f.Joining
	if j.ControlPlane && !f.PKI.ExternalCA() {
		return pkiSteps(f, "kubelet")
	}
	var steps []plan.Step
	if !j.ControlPlane && !f.Host.Exists(j.CACertPath) {
		steps = append(steps,
			plan.File{Path: filepath.Dir(j.CACertPath), Dir: true, Mode: 0o755},
			plan.File{Path: j.CACertPath, Mode: 0o644, Data: j.CA})
	}
	if j.BootstrapKubeconfig == nil && !f.Host.Exists(config.KubeletKubeconfig) {
		return nil, errors.New("cannot give the kubelet credentials with which it asks for its certificate: none were given\n" +
			"name the cluster and a token: kubewright token create --print-join-command prints them on a control-plane node")
	}
	if j.BootstrapKubeconfig != nil && (j.Refused || !f.Host.Exists(config.KubeletKubeconfig)) {
		steps = append(steps, plan.File{
			Path: config.BootstrapKubeletKubeconfig, Mode: 0o600, Data: j.BootstrapKubeconfig, Secret: true,
		})
		if j.Refused { // with it the kubelet would not ask for new credentials
			steps = append(steps, plan.File{Path: config.KubeletKubeconfig, Absent: true, Why: "the cluster does not take its credentials any more"})
		}
	}
	return steps, nil
}

// kubeletWaitBootstrap waits for the kubelet, its certificate and its Node.
func kubeletWaitBootstrap() Phase {
	return Phase{
		Name: "kubelet-wait-bootstrap", About: "Wait until the kubelet has its certificate and has registered the node", Flags: joinFlags(),
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			steps := []plan.Step{waitKubelet(f), plan.Wait{
				For:   "the kubelet has its certificate",
				Stall: stall(f.Config, func(t *config.Timeouts) timeout { return t.TLSBootstrap }),
				Probe: func(_ context.Context, t *plan.Target) error {
					data, err := t.Host.ReadFile(config.KubeletKubeconfig)
					if err != nil {
						return fmt.Errorf("%s is not there yet: the kubelet has asked the cluster to sign its certificate\n"+
							"whether it was signed: kubectl get csr", config.KubeletKubeconfig)
					}
					if _, err := cluster.New(data, cluster.Options{Read: t.Host.ReadFile}); err != nil { // the kubelet does not write it at once
						return fmt.Errorf("%s is not complete yet: %w", config.KubeletKubeconfig, err)
					}
					return nil
				},
				Watch: watchSigning(f),
			}}
			if f.Host.Exists(config.BootstrapKubeletKubeconfig) || f.Joining.Refused || !f.Host.Exists(config.KubeletKubeconfig) {
				steps = append(steps, plan.File{Path: config.BootstrapKubeletKubeconfig, Absent: true})
			}
			if !f.Joining.ControlPlane { // the others wait for it when they mark the node
				steps = append(steps, registered(f, f.Config.Init.NodeRegistration.Name))
			}
			return steps, nil
		},
	}
}

// controlPlaneJoin marks the node.
func controlPlaneJoin() Phase {
	mark := markControlPlane()
	mark.Flags, mark.Steps, mark.Late = joinFlags(), forControlPlanes(mark.Late), nil
	return Phase{Name: "control-plane-join", About: "Make the node a control plane for all to see", Sub: []Phase{mark}}
}

// waitControlPlaneJoin waits for the components of this node.
func waitControlPlaneJoin() Phase {
	wait := waitControlPlane()
	wait.Flags, wait.Steps, wait.Last = joinFlags(), forControlPlanes(wait.Steps), forControlPlanes(wait.Last)
	return wait
}

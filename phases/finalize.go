package phases

import (
	"context"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// kubeletFinalize points kubelet.conf at the certificate that the kubelet rotates. Ours does from the beginning; one that
// kubeadm wrote is changed, and then the kubelet is restarted.
func kubeletFinalize() Phase {
	return Phase{Name: "kubelet-finalize", About: "Let the kubelet rotate its client certificate", Sub: []Phase{{
		Name: "enable-client-cert-rotation", About: "Make kubelet.conf refer to the rotated certificate",
		Flags: []string{"cert-dir", "config", "dry-run"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			files, err := f.PKI.KubeletFinalize()
			if f.tolerates(err) {
				return unreadable(err, config.KubeletKubeconfig), nil
			}
			if err != nil || len(files) == 0 {
				return nil, err
			}
			var steps []plan.Step
			for _, file := range files {
				steps = append(steps, fileStep(file))
			}
			return append(steps, plan.Unit{
				Name: config.KubeletService, Enabled: true, Running: true, RestartOn: []string{config.KubeletKubeconfig},
			}), nil
		},
	}}}
}

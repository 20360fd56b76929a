package phases

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/preflight"
)

// preflightInit runs the checks of init while the plan is made, so that a machine that is not fit is left untouched.
// What it wants changed is only the images that are missing.
func preflightInit() Phase {
	return Phase{
		Name: "preflight", About: "Run the pre-flight checks and pull the images",
		Flags: []string{"config", "cri-socket", "dry-run", "ignore-preflight-errors", "image-repository"},
		Steps: func(ctx context.Context, f *Facts) ([]plan.Step, error) {
			if f.Preflight == nil {
				return nil, nil
			}
			return checked(ctx, f, true, preflight.Init(f.Config, *f.Preflight, f.Resume))
		},
	}
}

// checked runs the checks and, for a control plane, wants the images that are missing.
func checked(ctx context.Context, f *Facts, controlPlane bool, checks []preflight.Check) ([]plan.Step, error) {
	report := preflight.Run(ctx, checks, f.Config.Init.NodeRegistration.IgnorePreflightErrors)
	f.PreflightReport = report
	if err := report.Err(); err != nil && !f.Lenient {
		return nil, err
	}
	if !controlPlane || f.Config.Init.NodeRegistration.ImagePullPolicy == corev1.PullNever {
		return nil, nil
	}
	return []plan.Step{plan.Image{Refs: f.Config.Images()}}, nil
}

package phases

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

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
			return checked(ctx, f, true, preflight.Init(f.Stored(), f.checkedMachine(), f.Resume))
		},
	}
}

// checkedMachine is what the checks look at; in a dry run they do not touch it.
func (f *Facts) checkedMachine() preflight.Machine {
	if f.Lenient {
		return f.Preflight.LookOnly()
	}
	return *f.Preflight
}

// checked runs the checks and, for a control plane, wants the images that are missing; not those of addons that are left out.
func checked(ctx context.Context, f *Facts, controlPlane bool, checks []preflight.Check) ([]plan.Step, error) {
	node := f.Config.Init.NodeRegistration
	report := preflight.Run(ctx, checks, node.IgnorePreflightErrors)
	f.PreflightReport = report
	if err := report.Err(); err != nil && !f.Lenient {
		return nil, err
	}
	if !controlPlane || node.ImagePullPolicy == corev1.PullNever {
		return nil, nil
	}
	pull := plan.Image{
		Refs: f.Stored().Images(), Parallel: !ptr.Deref(node.ImagePullSerial, true),
		Optional: preflight.Ignores(node.IgnorePreflightErrors, "ImagePull"),
	}
	if pull.Optional {
		pull.Hint = "the kubelet will try to pull what it needs"
		if f.Runtime == nil && !f.Lenient {
			return nil, nil // that it can't be asked is ignored as well
		}
	} else {
		pull.Hint = "to let the kubelet pull what it needs: --ignore-preflight-errors=ImagePull"
	}
	return []plan.Step{pull}, nil
}

package phases

import (
	"context"
	"errors"
	"time"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// signingAfter is how long the kubelet's certificate may take before the cluster is asked about it, and how often it is asked.
const signingAfter = 15 * time.Second

// watchSigning looks at the kubelet's unit and, when the certificate takes long, at the request for it. One that was refused in this
// run is not signed any more.
func watchSigning(f *Facts) watch {
	unit := watchKubelet()
	var next time.Time
	var status string
	var hopeless error
	return func(ctx context.Context, t *plan.Target) plan.Watched {
		seen := unit(ctx, t)
		now := t.Host.Time()
		if next.IsZero() {
			next = now.Add(signingAfter)
		}
		if f.Joining.Client != nil && !now.Before(next) {
			next = now.Add(signingAfter)
			s, err := f.Joining.Client.KubeletSigning(ctx, f.Config.Init.NodeRegistration.Name)
			if err == nil {
				status, hopeless = s.String(), nil
				if s != nil && s.Refused != "" && !s.Created.Before(f.Now.Add(f.Joining.Skew-time.Second)) {
					hopeless = errors.New(status)
				}
			}
		}
		if status != "" {
			seen.Status += "; " + status
		}
		if seen.Hopeless == nil {
			seen.Hopeless = hopeless
		}
		return seen
	}
}

// watchRegistration looks at the kubelet's unit. On a control plane the kubelet talks to its own API server, which may be what does
// not start.
func watchRegistration(f *Facts) watch {
	unit := watchKubelet()
	if !f.joinsControlPlane() {
		return unit
	}
	api := watchPods(f)(config.APIServer)
	return func(ctx context.Context, t *plan.Target) plan.Watched {
		seen, behind := unit(ctx, t), api(ctx, t)
		seen.Progress = append(seen.Progress, behind.Progress...)
		seen.Signs = append(seen.Signs, behind.Signs...)
		if seen.Hopeless == nil && behind.Hopeless != nil {
			seen.Hopeless, seen.Log = behind.Hopeless, behind.Log
		}
		if behind.Status != "" {
			seen.Status += "; " + behind.Status
		}
		return seen
	}
}

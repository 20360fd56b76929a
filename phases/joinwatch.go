package phases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// signingAfter is how long the kubelet's certificate may take before the cluster is asked about it, and up to half as much again by
// chance. Each pause is twice the last one, until signingPause. The answer lists the requests of all nodes, and where a certificate
// takes long, many may join at once.
const (
	signingAfter = 15 * time.Second
	signingPause = 2 * time.Minute
)

// watchSigning looks at the kubelet's unit and, when the certificate takes long, at the request for it. One that was refused in this
// run is not signed any more.
func watchSigning(f *Facts) watch {
	unit := watchKubelet(f)
	pauses := wait.Backoff{Duration: signingAfter, Factor: 2, Jitter: 0.5, Steps: 100, Cap: signingPause}
	var next time.Time
	var status string
	var hopeless error
	return func(ctx context.Context, t *plan.Target) plan.Watched {
		seen := unit(ctx, t)
		now := t.Host.Time()
		if next.IsZero() {
			next = now.Add(pauses.Step())
		}
		if f.Joining.Client != nil && !now.Before(next) {
			next = now.Add(pauses.Step())
			s, err := f.Joining.Client.KubeletSigning(ctx, f.Config.Init.NodeRegistration.Name)
			if err == nil {
				status, hopeless = s.String(), nil
				if s != nil && s.Refused != "" && !s.Created.Before(f.Now.Add(f.Joining.Skew-time.Second)) {
					hopeless = errors.New(status)
				}
			}
		}
		seen.Status = together(seen.Status, status)
		if seen.Hopeless == nil {
			seen.Hopeless = hopeless
		}
		return seen
	}
}

// watchRegistration looks at the kubelet's unit, and at the name by which it calls itself. On a control plane the kubelet talks to
// its own API server, which may be what does not start.
func watchRegistration(f *Facts) watch {
	unit := watchCalled(f.Config.Init.NodeRegistration.Name, watchKubelet(f))
	if !f.joinsControlPlane() {
		return unit
	}
	api := watchPods(newLooker(f))(config.APIServer)
	return func(ctx context.Context, t *plan.Target) plan.Watched {
		seen, behind := unit(ctx, t), api(ctx, t)
		seen.Progress = append(seen.Progress, behind.Progress...)
		seen.Signs = append(seen.Signs, behind.Signs...)
		if seen.Hopeless == nil && behind.Hopeless != nil {
			seen.Hopeless, seen.Log, seen.Hint = behind.Hopeless, behind.Log, behind.Hint
		}
		seen.Status = together(seen.Status, behind.Status)
		return seen
	}
}

// watchCalled ends a wait for a Node that the kubelet will not register, because its credentials are another node's.
func watchCalled(node string, unit watch) watch {
	return func(ctx context.Context, t *plan.Target) plan.Watched {
		seen := unit(ctx, t)
		data, err := t.Host.ReadFile(config.KubeletKubeconfig)
		if err != nil {
			return seen
		}
		a, err := cluster.ReadAccess(data, t.Host.ReadFile)
		if err == nil && a.Node() != "" && a.Node() != node && seen.Hopeless == nil {
			seen.Hopeless = fmt.Errorf("the kubelet calls itself %s, not %s\ngive the name to each phase with --node-name, and leave "+
				"hostname-override out of kubeletExtraArgs", a.Node(), node)
		}
		return seen
	}
}

// together is what several parts say of themselves, in one line; a part may have nothing to say.
func together(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "; ")
}

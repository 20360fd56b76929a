package phases

import (
	"context"
	"strings"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
)

// components are the static pods of a control plane.
var components = []string{config.Etcd, config.APIServer, config.ControllerManager, config.Scheduler}

// stalePods replaces static pods that are older than their manifest, where the kubelet does not do it. It ends no pod before
// it has heard from an API server ("sources aren't ready"): when the first manifests of a machine did not work and were mended,
// the new API server would wait for the end of the old one, and the kubelet for the API server. nil where an API server
// answers: then the kubelet does it, and better.
func stalePods(ctx context.Context, f *Facts, api cluster.Probe) []plan.Step {
	if f.Runtime == nil || api.Check(ctx) == nil {
		return nil
	}
	return []plan.Step{plan.Do{
		Name: "replace static pods that are older than their manifests", Passing: true,
		Done: func(ctx context.Context, t *plan.Target) (bool, error) {
			stale, err := olderThanManifest(ctx, t)
			return len(stale) == 0, err
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			stale, err := olderThanManifest(ctx, t)
			if err != nil || t.Systemd == nil {
				return err
			}
			// A kubelet that runs would start what is removed again. One that is started afterwards does not know it.
			if err := t.Systemd.Stop(ctx, config.KubeletService); err != nil {
				return err
			}
			for _, pod := range stale {
				if err := t.Runtime.RemovePod(ctx, pod.ID); err != nil {
					return err
				}
			}
			return t.Systemd.Start(ctx, config.KubeletService)
		},
	}}
}

func olderThanManifest(ctx context.Context, t *plan.Target) ([]host.Pod, error) {
	if t.Runtime == nil {
		return nil, nil
	}
	pods, err := t.Runtime.StaticPods(ctx)
	if err != nil {
		return nil, err
	}
	var stale []host.Pod
	for _, pod := range pods {
		for _, component := range components {
			written := manifestTimes(t)(component)
			if !written.IsZero() && strings.HasPrefix(pod.Name, component+"-") && pod.CreatedAt < written.UnixNano() {
				stale = append(stale, pod)
			}
		}
	}
	return stale, nil
}

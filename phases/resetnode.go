package phases

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
)

// removeNode ends what the cluster runs on this machine and removes the Node, as long as there is an API server: this machine's
// own, too, which is a static pod. Without it the controller manager and the scheduler would take all the time that they are given.
func removeNode() Phase {
	return Phase{
		Name: "remove-node", Ours: true, About: "Stop the kubelet, and remove the node from the cluster", KeepGoing: true,
		Flags: []string{"cri-socket", "dry-run", "kubeconfig"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			steps := []plan.Step{plan.Unit{Name: config.KubeletService}}
			if f.Runtime != nil {
				steps = append(steps, endPods("end the pods that need the API server", func(p host.Pod) bool {
					return !ofComponent(config.APIServer)(p) && !ofComponent(config.Etcd)(p)
				}))
			}
			if r := f.Resetting; r.Cluster != nil && !r.LastOfCluster() {
				steps = append(steps, removeFromCluster(r))
			}
			return steps, nil
		},
	}
}

// removeFromCluster is optional: the credentials of a kubelet may not do all of it, and the machine is to be reset anyway.
func removeFromCluster(r *Resetting) plan.Step {
	return plan.Do{
		Name: fmt.Sprintf("remove node %s from the cluster", r.Node), Optional: true,
		Left: func(ctx context.Context, _ *plan.Target) ([]string, error) {
			left, err := r.Cluster.NodeLeftovers(ctx, r.Node, r.Machine)
			if len(left) > 0 {
				return left, nil // what may not be listed is told when they are gone
			}
			return nil, err
		},
		Run: func(ctx context.Context, _ *plan.Target) error { return r.Cluster.RemoveNode(ctx, r.Node, r.Machine) },
	}
}

// endPods ends and removes pods of the kubelet, and nobody else's.
func endPods(name string, which func(host.Pod) bool) plan.Do {
	find := func(ctx context.Context, t *plan.Target) ([]host.Pod, error) {
		pods, err := t.Runtime.KubeletPods(ctx)
		return slices.DeleteFunc(pods, func(p host.Pod) bool { return !which(p) }), err
	}
	return plan.Do{
		Name: name,
		Left: func(ctx context.Context, t *plan.Target) ([]string, error) {
			pods, err := find(ctx, t)
			names := make([]string, 0, len(pods))
			for _, p := range pods {
				names = append(names, "pod "+p.Namespace+"/"+p.Name)
			}
			return names, err
		},
		Run: func(ctx context.Context, t *plan.Target) error {
			pods, err := find(ctx, t)
			if err != nil {
				return err
			}
			return removePods(ctx, t.Runtime, pods)
		},
	}
}

// removePods ends pods at the same time: each may take ten seconds to end by itself.
func removePods(ctx context.Context, runtime host.Runtime, pods []host.Pod) error {
	const atOnce = 16
	return plan.EachAtOnce(len(pods), atOnce, func(i int) error {
		if err := runtime.RemovePod(ctx, pods[i].ID); err != nil {
			return fmt.Errorf("%s/%s: %w", pods[i].Namespace, pods[i].Name, err)
		}
		return nil
	})
}

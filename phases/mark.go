package phases

import (
	"context"
	"fmt"

	"github.com/kubewright/kubewright/plan"
)

// markControlPlane labels and taints the Node, once the kubelet has registered it.
func markControlPlane() Phase {
	return Phase{
		Name: "mark-control-plane", About: "Label and taint the node as a control plane",
		Flags: []string{"config", "dry-run", "node-name"},
		Steps: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			node := f.Config.Init.NodeRegistration.Name
			return []plan.Step{registered(f, node), plan.Do{
				Name:     fmt.Sprintf("mark node %s as control plane", node),
				NeedsAPI: true,
				Done: func(ctx context.Context, _ *plan.Target) (bool, error) {
					admin, err := f.admin(ctx)
					if err != nil {
						return false, err
					}
					return admin.Marked(ctx, node, f.Config.Init.NodeRegistration.Taints)
				},
				Run: func(ctx context.Context, _ *plan.Target) error {
					admin, err := f.admin(ctx)
					if err != nil {
						return err
					}
					return admin.MarkControlPlane(ctx, node, f.Config.Init.NodeRegistration.Taints)
				},
			}}, nil
		},
	}
}

// registered waits for the Node object.
func registered(f *Facts, node string) plan.Step {
	return plan.Wait{
		For:      fmt.Sprintf("the kubelet registers node %s", node),
		Stall:    nodeTimeout,
		NeedsAPI: true,
		Probe: func(ctx context.Context, _ *plan.Target) error {
			admin, err := f.admin(ctx)
			if err != nil {
				return err
			}
			ok, err := admin.NodeRegistered(ctx, node)
			if err == nil && !ok {
				err = fmt.Errorf("node %s is not registered", node)
			}
			return err
		},
		Watch: watchKubelet,
	}
}

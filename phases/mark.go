package phases

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/host"
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

// registered waits for the Node object of this machine.
func registered(f *Facts, node string) plan.Step {
	self := identity(f.Host)
	return plan.Wait{
		For:      fmt.Sprintf("the kubelet registers node %s", node),
		Stall:    nodeTimeout,
		NeedsAPI: true,
		Probe: func(ctx context.Context, _ *plan.Target) error {
			admin, err := f.admin(ctx)
			if err != nil {
				return err
			}
			ok, err := admin.NodeRegistered(ctx, node, self)
			if err == nil && !ok {
				err = fmt.Errorf("node %s is not registered", node)
			}
			return err
		},
		Await: func(ctx context.Context, _ *plan.Target) error {
			admin, err := f.admin(ctx)
			if err != nil {
				return err
			}
			return admin.WatchRegistered(ctx, node, self)
		},
		Watch: watchKubelet(),
	}
}

// identity is what the kubelet of this machine tells about it.
func identity(h *host.Host) cluster.Identity {
	read := func(path string) string {
		data, err := h.ReadFile(path)
		if err != nil {
			return "" // then it is not compared
		}
		return strings.TrimSpace(string(data))
	}
	return cluster.Identity{MachineID: read("/etc/machine-id"), BootID: read("/proc/sys/kernel/random/boot_id")}
}

package phases

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// markControlPlane labels and taints the Node, once the kubelet has registered it. A kubelet that came before the API server tries that
// again after up to seven seconds.
func markControlPlane() Phase {
	return Phase{
		Name: "mark-control-plane", About: "Label and taint the node as a control plane",
		Flags: []string{"config", "dry-run", "node-name"},
		Late: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			node := f.Config.Init.NodeRegistration.Name
			return []plan.Step{registered(f, node), plan.Do{
				Name:     fmt.Sprintf("mark node %s as control plane", node),
				NeedsAPI: true,
				Passing:  true, // a node that is there is of the control plane either way
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
	ask := func(with func(*cluster.Client, context.Context, string, cluster.Kubelet) error) func(context.Context, *plan.Target) error {
		return func(ctx context.Context, t *plan.Target) error {
			admin, err := f.admin(ctx)
			if err != nil {
				return err
			}
			return with(admin, ctx, node, ownKubelet(ctx, t))
		}
	}
	w := plan.Wait{
		For:      fmt.Sprintf("the kubelet registers node %s", node),
		Stall:    stall(f.Config, func(t *config.Timeouts) timeout { return t.TLSBootstrap }),
		NeedsAPI: true,
		Probe:    ask((*cluster.Client).NodeRegistered),
		Await:    ask((*cluster.Client).WatchRegistered),
		Watch:    watchRegistration(f),
	}
	if f.joinsControlPlane() {
		w.Await = besideRegistration(w.Await, probes(f)[0].Serves)
	}
	return w
}

// ownKubelet is what tells this machine's kubelet from others. What can't be found out is left empty, as is a start that is in the
// future now that the clock was set back.
func ownKubelet(ctx context.Context, t *plan.Target) (own cluster.Kubelet) {
	if id, err := t.Host.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		own.BootID = strings.TrimSpace(string(id))
	}
	if started := kubeletStarted(ctx, t); !started.After(t.Host.Time()) {
		own.Started = started
	}
	return own
}

// kubeletStarted is when the process of the kubelet that runs did. Zero is not known.
func kubeletStarted(ctx context.Context, t *plan.Target) time.Time {
	if t.Systemd == nil {
		return time.Time{}
	}
	u, err := t.Systemd.Unit(ctx, config.KubeletService)
	if err != nil {
		return time.Time{}
	}
	return u.MainStart
}

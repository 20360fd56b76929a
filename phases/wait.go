package phases

import (
	"context"
	"fmt"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

// settled is how long after a manifest changed the kubelet has certainly seen it: it lists the directory every 20 seconds.
const settled = time.Minute

// waitControlPlane waits for the kubelet and then for each component, as long as something moves. Once the API server serves, it makes
// the roles and namespaces that every cluster has, and only when it has them all it says that it is healthy. Other phases need not
// wait for that.
func waitControlPlane() Phase {
	return Phase{
		Name: "wait-control-plane", About: "Wait for the control plane to start",
		Flags: []string{"config", "dry-run"},
		Steps: func(ctx context.Context, f *Facts) ([]plan.Step, error) {
			api := probes(f)[0]
			steps := append(stalePods(ctx, f, api), waitKubelet(f))
			looks := newLooker(f)
			watch := watchPods(looks)
			steps = append(steps, waitComponent(looks, watch, api, "serves", api.Serves))
			rest, err := startManager(f, watch(config.APIServer))
			return append(steps, rest...), err
		},
		Last: func(_ context.Context, f *Facts) ([]plan.Step, error) {
			looks := newLooker(f)
			watch := watchPods(looks)
			var steps []plan.Step
			for _, p := range probes(f) {
				steps = append(steps, waitComponent(looks, watch, p, "answers", p.Check))
			}
			return steps, nil
		},
	}
}

// probes are those of the components of this machine; the API server is the first.
func probes(f *Facts) []cluster.Probe {
	list := cluster.Probes(f.Config, f.PKI.Data(f.Config.Cluster.CertificatesDir+"/ca.crt"))
	list[0].Client = func() (*cluster.Client, error) { return f.Client(f.AdminKubeconfig) }
	return list
}

func waitComponent(looks *looker, watch func(string) watch, p cluster.Probe, does string, check func(context.Context) error) plan.Step {
	return plan.Wait{
		For:   p.Name + " " + does + " " + p.URL,
		Stall: stall(looks.f.Config, func(t *config.Timeouts) timeout { return t.ControlPlaneComponentHealthCheck }),
		Probe: func(ctx context.Context, t *plan.Target) error {
			if err := looks.answered(p, check(ctx)); err != nil {
				return err
			}
			return startedAfterManifest(ctx, t, p.Name)
		},
		Watch: watch(p.Name),
	}
}

// startedAfterManifest guards against the old process that still answers just after its manifest changed.
func startedAfterManifest(ctx context.Context, t *plan.Target, component string) error {
	written := manifestTimes(t)(component)
	if t.Runtime == nil || t.Host.Time().Sub(written) > settled {
		return nil
	}
	containers, err := t.Runtime.Containers(ctx)
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c.Name == component && c.Running && c.StartedAt >= written.UnixNano() {
			return nil
		}
	}
	return fmt.Errorf("the %s of before its manifest changed still runs", component)
}

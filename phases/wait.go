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

// waitControlPlane waits for the kubelet and then for each component, as long as something moves.
func waitControlPlane() Phase {
	return Phase{
		Name: "wait-control-plane", About: "Wait for the control plane to start",
		Flags: []string{"config", "dry-run"},
		Steps: func(ctx context.Context, f *Facts) ([]plan.Step, error) {
			probes := cluster.Probes(f.Config, f.PKI.Data(f.Config.Cluster.CertificatesDir+"/ca.crt"))
			for i := range probes {
				if probes[i].Name == config.APIServer {
					probes[i].Client = func() (*cluster.Client, error) { return f.Client(f.AdminKubeconfig) }
				}
			}
			steps := append(stalePods(ctx, f, probes[0]), waitKubelet(f))
			looks := newLooker(f)
			watch := watchPods(looks)
			for _, p := range probes {
				steps = append(steps, plan.Wait{
					For:   p.Name + " answers " + p.URL,
					Stall: stall(f.Config, func(t *config.Timeouts) timeout { return t.ControlPlaneComponentHealthCheck }),
					Probe: func(ctx context.Context, t *plan.Target) error {
						if err := looks.answered(p, p.Check(ctx)); err != nil {
							return err
						}
						return startedAfterManifest(ctx, t, p.Name)
					},
					Watch: watch(p.Name),
				})
			}
			return steps, nil
		},
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

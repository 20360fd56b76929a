package phases

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
)

type timeout = *metav1.Duration

// stall reads one of the configured timeouts: how long a wait goes on while nothing moves.
func stall(c *config.Config, pick func(*config.Timeouts) timeout) time.Duration {
	if t := c.Init.Timeouts; t != nil {
		if d := pick(t); d != nil {
			return d.Duration
		}
	}
	return 4 * time.Minute
}

// hopelessRestarts is how often the kubelet may end by itself before waiting makes no sense.
const hopelessRestarts = 4

// watchKubelet looks at the unit while its health endpoint does not answer.
func watchKubelet(ctx context.Context, t *plan.Target) plan.Watched {
	if t.Systemd == nil {
		return plan.Watched{}
	}
	u, err := t.Systemd.Unit(ctx, config.KubeletService)
	if err != nil {
		return plan.Watched{Status: err.Error()}
	}
	seen := plan.Watched{
		Status:   fmt.Sprintf("%s is %s (%s)", u.Name, u.ActiveState, u.SubState),
		Progress: fmt.Sprintf("%s %s %d %d", u.ActiveState, u.SubState, u.MainPID, u.NRestarts),
	}
	if u.NRestarts >= hopelessRestarts && u.SubState == "auto-restart" {
		lines, _ := t.Systemd.Journal(ctx, u.Name, 10)
		seen.Hopeless = fmt.Errorf("the kubelet ended %d times (%s, status %d)%s",
			u.NRestarts, u.Result, u.ExecMainStatus, quoted(lines))
	}
	return seen
}

// watchPod looks at a component's containers while its health endpoint does not answer. What a component waits for can be
// the cause: an API server without its etcd only says that it can't connect. What ended before this run, or before it changed
// the manifest, decides nothing.
func watchPod(ctx context.Context, t *plan.Target, f *Facts, component string) plan.Watched {
	if t.Runtime == nil {
		return plan.Watched{}
	}
	seen := plan.Watched{}
	for _, name := range causes(f.Config, component) {
		since := f.Now
		if info, err := t.Host.Stat(manifestPath(name)); err == nil && info.ModTime.After(since) {
			since = info.ModTime
		}
		v := cluster.Diagnose(ctx, t.Runtime, name, since)
		seen.Progress += v.Progress + ";"
		seen.Signs += v.Signs + ";"
		if seen.Hopeless == nil && v.Fatal {
			seen.Hopeless = fmt.Errorf("%s%s", v.Summary, quoted(v.Log))
		}
		if name == component {
			seen.Status, seen.Detail = v.Summary, quoted(v.Log)
		}
	}
	return seen
}

// causes lists the component after those that it can't do without.
func causes(c *config.Config, component string) []string {
	list := []string{}
	if !c.ExternalEtcd() {
		list = append(list, config.Etcd)
	}
	if component != config.APIServer {
		list = append(list, config.APIServer)
	}
	return append(list, component)
}

func quoted(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\n  | " + strings.Join(lines, "\n  | ")
}

package phases

import (
	"context"
	"errors"
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

type watch = func(ctx context.Context, t *plan.Target) plan.Watched

const (
	// hopelessRestarts is how often the kubelet may end by itself, during a wait, before waiting makes no sense.
	hopelessRestarts = 4
	// kubeletLines is how much of its journal is read.
	kubeletLines = 10
)

// watchKubelet looks at the unit while something that the kubelet does is not done. Restarts of before the wait don't count.
func watchKubelet() watch {
	var before uint32
	looked := false
	return func(ctx context.Context, t *plan.Target) plan.Watched {
		if t.Systemd == nil {
			return plan.Watched{}
		}
		u, err := t.Systemd.Unit(ctx, config.KubeletService)
		if err != nil {
			return plan.Watched{Status: err.Error()}
		}
		if !looked || u.NRestarts < before {
			before, looked = u.NRestarts, true
		}
		journal, _ := t.Systemd.Journal(ctx, u.Name, time.Time{}, kubeletLines) // where there is no journal there is nothing to show
		lines := make([]string, len(journal))
		for i, l := range journal {
			lines[i] = l.Text
		}
		seen := plan.Watched{
			Status: fmt.Sprintf("%s is %s (%s)", u.Name, u.ActiveState, u.SubState), Log: lines, Signs: cluster.Messages(lines),
			Progress: []string{fmt.Sprintf("%s %s %d", u.ActiveState, u.SubState, u.NRestarts)},
		}
		if ended := u.NRestarts - before; ended >= hopelessRestarts && u.SubState == "auto-restart" {
			seen.Hopeless = fmt.Errorf("the kubelet ended %d times (%s, status %d)", ended, u.Result, u.ExecMainStatus)
		}
		return seen
	}
}

// watchPods looks at the containers of components while their health endpoints do not answer. What a component waits for can be
// the cause: an API server without its etcd only says that it can't connect. The watches that it returns share what they remember;
// one is used at a time.
func watchPods(f *Facts) func(component string) watch {
	history := cluster.NewHistory(f.Now)
	return func(component string) watch {
		return func(ctx context.Context, t *plan.Target) plan.Watched {
			if t.Runtime == nil {
				return plan.Watched{}
			}
			seen := plan.Watched{}
			for _, v := range history.Look(ctx, t.Runtime, manifestTimes(t), causes(f.Config, component)...) {
				seen.Progress = append(seen.Progress, v.Progress...)
				seen.Signs = append(seen.Signs, v.Signs...)
				if seen.Hopeless != nil {
					continue
				}
				seen.Status, seen.Log = v.Summary, v.Log // the component's own is the last
				if v.Fatal {
					seen.Hopeless = errors.New(v.Summary)
				}
			}
			return seen
		}
	}
}

// manifestTimes tells when the manifest of a component was written; zero when there is none, or when it was written in what is the
// future now that the clock was set back.
func manifestTimes(t *plan.Target) func(component string) time.Time {
	return func(component string) time.Time {
		info, err := t.Host.Stat(manifestPath(component))
		if err != nil || info.ModTime.After(t.Host.Time()) {
			return time.Time{}
		}
		return info.ModTime
	}
}

// causes lists the component after those that it can't do without.
func causes(c *config.Config, component string) []string {
	list := []string{}
	if c == nil || !c.ExternalEtcd() { // without a configuration it is looked for
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

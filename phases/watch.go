package phases

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	// kubeletEndLines is how much of it may hold why it has ended.
	kubeletEndLines = 200
)

// watchKubelet looks at the unit while something that the kubelet does is not done. Restarts of before the wait don't count; what the
// process says that ran when it began, and those after it, does.
func watchKubelet(f *Facts) watch { return watchUnit(f, true) }

// watchUnit is watchKubelet, or the same for somebody who shows what the kubelet writes only if it has ended.
func watchUnit(f *Facts, shown bool) watch {
	var before uint32
	var began time.Time
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
			before, began, looked = u.NRestarts, u.MainStart, true
		}
		ended := u.NRestarts - before
		failing := ended > 0 || u.SubState == "auto-restart" || u.ActiveState == "failed"
		var lines []string
		if shown || failing {
			lines = journalOf(ctx, t, u.Name, time.Time{}, kubeletLines)
		}
		seen := plan.Watched{
			Status: fmt.Sprintf("%s is %s (%s)", u.Name, u.ActiveState, u.SubState), Log: lines, Signs: cluster.Messages(lines),
			Progress: []string{fmt.Sprintf("%s %s %d", u.ActiveState, u.SubState, u.NRestarts)},
		}
		if failing {
			how := fmt.Sprintf("ended (%s, status %d)", u.Result, u.ExecMainStatus)
			if v := cluster.KubeletEnd(journalOf(ctx, t, u.Name, began, kubeletEndLines), how, foreign(f)); v != nil {
				seen.Hopeless, seen.Log, seen.Hint = errors.New(v.Summary), v.Log, v.Hint
				return seen
			}
		}
		if ended >= hopelessRestarts && u.SubState == "auto-restart" {
			seen.Hopeless = fmt.Errorf("the kubelet ended %d times (%s, status %d)", ended, u.Result, u.ExecMainStatus)
		}
		return seen
	}
}

// journalOf is the text of a unit's last journal lines; where there is no journal there is nothing to show.
func journalOf(ctx context.Context, t *plan.Target, unit string, since time.Time, n int) []string {
	journal, err := t.Systemd.Journal(ctx, unit, since, n)
	if err != nil {
		return nil
	}
	lines := make([]string, len(journal))
	for i, line := range journal {
		lines[i] = line.Text
	}
	return lines
}

// watchPods looks at the kubelet and at the containers of components while their health endpoints do not answer. What a component
// waits for can be the cause: an API server without its etcd only says that it can't connect. And what keeps another one from
// working for good will not be better when its turn comes. The watches share what they remember; one is used at a time.
func watchPods(l *looker) func(component string) watch {
	unit, alone := watchUnit(l.f, false), watchKubelet(l.f)
	return func(component string) watch {
		return func(ctx context.Context, t *plan.Target) plan.Watched {
			if t.Runtime == nil {
				return alone(ctx, t)
			}
			seen := plan.Watched{}
			behind := causes(l.f.Config, component)
			for i, v := range l.look(ctx, t, allAfter(behind)...) {
				if i < len(behind) {
					seen.Progress = append(seen.Progress, v.Progress...)
					seen.Signs = append(seen.Signs, v.Signs...)
				}
				if seen.Hopeless != nil || i >= len(behind) && v.Hint == "" {
					continue
				}
				seen.Status, seen.Log = v.Summary, v.Log // the component's own is the last
				if v.Fatal {
					seen.Hopeless, seen.Hint = errors.New(v.Summary), v.Hint
				}
			}
			if k := unit(ctx, t); k.Hopeless != nil && seen.Hint == "" {
				seen.Status, seen.Log, seen.Hopeless, seen.Hint = k.Status, k.Log, k.Hopeless, k.Hint
			}
			return seen
		}
	}
}

// allAfter adds the components that are not in the list.
func allAfter(list []string) []string {
	for _, other := range []string{config.APIServer, config.ControllerManager, config.Scheduler} {
		if !slices.Contains(list, other) {
			list = append(list, other)
		}
	}
	return list
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

// quoted is a log, and what to do, below an error.
func quoted(lines []string, hint string) string {
	text := ""
	if len(lines) > 0 {
		text = "\n  | " + strings.Join(lines, "\n  | ")
	}
	if hint != "" {
		text += "\n" + hint
	}
	return text
}

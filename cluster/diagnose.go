package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kubewright/kubewright/host"
)

const (
	// loopAfter is how many attempts must have ended before a component counts as crash looping.
	loopAfter = 3
	// loopAfterAlone is that number when the component waits for another that never showed up, such as an external etcd.
	loopAfterAlone = 5
	// shortLife is how long an attempt of a crash loop lasts at most. An emulated machine needs half a minute to print
	// a usage error; what lives longer was killed by its startup probe or worked for a while.
	shortLife = 2 * time.Minute
	// stuckAfter is how long the other component must have run when one still can't reach it: by then it is up, and what
	// is wrong is an address or a certificate.
	stuckAfter = 5 * time.Minute
	// readLines is how much of a log is searched for the reason of an end: a usage text may follow it.
	readLines = 60
	// shownLines is how much of a log a verdict carries.
	shownLines = 10
)

// Verdict says how a component that is not healthy yet is doing.
type Verdict struct {
	// Summary is one line for people.
	Summary string
	// Fatal says that waiting longer can't help: the component ends the same way again and again.
	Fatal bool
	// Progress changes when something moves: a container appears, ends or is started again, or logs another message.
	// Repeated messages that differ in times and numbers only do not count.
	Progress string
	// Log holds the last lines of the container that the summary is about.
	Log []string
}

// Diagnose looks at the containers of the static pod of a component (etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler). It never returns nil and never fails: what it can't find out is in the summary.
func Diagnose(ctx context.Context, rt host.Runtime, component string) *Verdict {
	all, err := rt.Containers(ctx)
	if err != nil {
		return &Verdict{Summary: fmt.Sprintf("%s: the container runtime does not answer: %v", component, err)}
	}
	return diagnose(ctx, rt, all, component)
}

func diagnose(ctx context.Context, rt host.Runtime, all []host.Container, component string) *Verdict {
	attempts := attemptsOf(all, component)
	if len(attempts) == 0 {
		return &Verdict{
			Summary:  component + " has no container yet: the kubelet has not started it",
			Progress: "none",
		}
	}
	newest := attempts[0]
	lines, _ := rt.Logs(ctx, newest.ID, readLines) // a log that is not there yet is no news
	v := &Verdict{Log: lines[max(0, len(lines)-shownLines):]}
	v.Progress = fmt.Sprintf("%s %d %t %d %s",
		newest.ID, newest.Attempt, newest.Running, newest.FinishedAt, steady(lastLine(lines)))
	cause := failingLine(lines)
	switch {
	case newest.Running:
		v.Summary = fmt.Sprintf("%s is running since %s but not healthy yet%s",
			component, clock(newest.StartedAt), times(newest.Attempt))
	case newest.FinishedAt == 0:
		v.Summary = fmt.Sprintf("%s has a container that was not started yet%s", component, times(newest.Attempt))
	default:
		v.Summary = fmt.Sprintf("%s exited %s, the last time with %s%s", component, count(newest.Attempt+1), ending(newest), colon(brief(cause)))
		judge(ctx, rt, all, attempts, cause, v)
	}
	return v
}

// judge decides whether a component whose newest attempt has ended loops without hope. One that only can't reach what it
// depends on has hope as long as that has.
func judge(ctx context.Context, rt host.Runtime, all, attempts []host.Container, cause string, v *Verdict) {
	newest := attempts[0]
	ended := int(newest.Attempt) + 1 // the kubelet keeps the last one or two containers; the attempt counts them all
	if ended < loopAfter || !sameEnd(ctx, rt, attempts, cause) {
		return
	}
	other := dependency(newest.Name)
	if other == "" || !unreachable(cause) {
		v.Fatal = true
		return
	}
	below := diagnose(ctx, rt, all, other)
	switch {
	case below.Fatal:
		v.Fatal = true
		v.Summary = fmt.Sprintf("%s can't work without %s: %s", newest.Name, other, below.Summary)
		v.Log = below.Log
	case ended >= loopAfterAlone && (below.Progress == "none" || runsSince(all, other, newest.StartedAt) > stuckAfter):
		v.Fatal = true
		v.Summary += fmt.Sprintf("; it can't reach %s (%s)", other, below.Summary)
	default:
		v.Summary += fmt.Sprintf("; it waits for %s (%s)", other, below.Summary)
		v.Progress += " | " + below.Progress
	}
}

// sameEnd says whether all attempts that are still there ended soon and in the same way.
func sameEnd(ctx context.Context, rt host.Runtime, attempts []host.Container, cause string) bool {
	for i, a := range attempts {
		lived := time.Duration(a.FinishedAt - a.StartedAt)
		if a.Running || lived > shortLife || a.ExitCode != attempts[0].ExitCode || a.Reason != attempts[0].Reason {
			return false
		}
		if i == 0 {
			continue
		}
		lines, err := rt.Logs(ctx, a.ID, readLines)
		if err == nil && len(lines) > 0 && steady(failingLine(lines)) != steady(cause) {
			return false
		}
	}
	return true
}

// runsSince returns how long a component had been running at a moment, or 0 when its container does not run.
func runsSince(all []host.Container, component string, at int64) time.Duration {
	attempts := attemptsOf(all, component)
	if len(attempts) == 0 || !attempts[0].Running {
		return 0
	}
	return time.Duration(at - attempts[0].StartedAt)
}

// dependency is the component without which another ends by itself.
func dependency(component string) string {
	switch component {
	case apiServer:
		return localEtcd
	case controllerManager, scheduler:
		return apiServer
	}
	return ""
}

// attemptsOf picks the containers of a component, the newest first.
func attemptsOf(all []host.Container, component string) []host.Container {
	var attempts []host.Container
	for _, c := range all {
		if c.Name == component && strings.HasPrefix(c.PodName, component) {
			attempts = append(attempts, c)
		}
	}
	return newestFirst(attempts)
}

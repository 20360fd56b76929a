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
	// Progress changes when something moves: a container appears, ends or is started again.
	Progress string
	// Signs changes when the container logs another message. Repeated messages that differ in times and numbers only do
	// not count.
	Signs string
	// Log holds the last lines of the container that the summary is about.
	Log []string
}

// Diagnose looks at the containers of the static pod of a component (etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler). It never returns nil and never fails: what it can't find out is in the summary. A verdict is fatal only if an
// attempt that started after since has ended, too: what failed before somebody mended the cause says nothing about now.
func Diagnose(ctx context.Context, rt host.Runtime, component string, since time.Time) *Verdict {
	all, err := rt.Containers(ctx)
	if err != nil {
		return &Verdict{Summary: fmt.Sprintf("%s: the container runtime does not answer: %v", component, err)}
	}
	d := &diagnosis{rt: rt, all: all}
	if !since.IsZero() {
		d.since = since.UnixNano()
	}
	return d.of(ctx, component)
}

// diagnosis is one look at the machine.
type diagnosis struct {
	rt    host.Runtime
	all   []host.Container
	since int64 // nanoseconds, as the runtime counts
}

func (d *diagnosis) of(ctx context.Context, component string) *Verdict {
	attempts := attemptsOf(d.all, component)
	if len(attempts) == 0 {
		return &Verdict{
			Summary:  component + " has no container yet: the kubelet has not started it",
			Progress: "none",
		}
	}
	newest := attempts[0]
	lines, _ := d.rt.Logs(ctx, newest.ID, readLines) // a log that is not there yet is no news
	v := &Verdict{Log: ending(lines), Signs: steady(lastLine(lines))}
	v.Progress = fmt.Sprintf("%s %d %t %d", newest.ID, newest.Attempt, newest.Running, newest.FinishedAt)
	cause := failingLine(lines)
	switch {
	case newest.Running:
		v.Summary = fmt.Sprintf("%s is running since %s but not healthy yet%s",
			component, clock(newest.StartedAt), times(newest.Attempt))
		d.killed(ctx, attempts, v)
	case newest.FinishedAt == 0:
		v.Summary = fmt.Sprintf("%s has a container that was not started yet%s", component, times(newest.Attempt))
	default:
		v.Summary = fmt.Sprintf("%s exited %s, the last time with %s%s", component, count(newest.Attempt+1), ended(newest), colon(brief(cause)))
		d.judge(ctx, attempts, cause, v)
	}
	return v
}

// judge decides whether a component whose newest attempt has ended loops without hope. One that only can't reach what it
// depends on has hope as long as that has.
func (d *diagnosis) judge(ctx context.Context, attempts []host.Container, cause string, v *Verdict) {
	newest := attempts[0]
	n := int(newest.Attempt) + 1 // the kubelet keeps the last one or two containers; the attempt counts them all
	if newest.StartedAt < d.since || n < loopAfter || !d.sameEnd(ctx, attempts, cause) {
		return
	}
	other := dependency(newest.Name)
	if other == "" || !unreachable(cause) {
		v.Fatal = true
		return
	}
	below := d.of(ctx, other)
	switch {
	case below.Fatal:
		v.Fatal = true
		v.Summary = fmt.Sprintf("%s can't work without %s: %s", newest.Name, other, below.Summary)
		v.Log = below.Log
	case n >= loopAfterAlone && (below.Progress == "none" || runsSince(d.all, other, newest.StartedAt) > stuckAfter):
		v.Fatal = true
		v.Summary += fmt.Sprintf("; it can't reach %s (%s)", other, below.Summary)
	default:
		v.Summary += fmt.Sprintf("; it waits for %s (%s)", other, below.Summary)
		v.Progress += " | " + below.Progress
		v.Signs += " | " + below.Signs
	}
}

// killed finds a component that is started again and again although it lives: it never becomes healthy, so the kubelet ends
// it when its startup probe has failed for long enough. The reason is in the words of the one that was ended.
func (d *diagnosis) killed(ctx context.Context, attempts []host.Container, v *Verdict) {
	if len(attempts) < 2 || int(attempts[0].Attempt) < loopAfter {
		return
	}
	before := attempts[1]
	lived := time.Duration(before.FinishedAt - before.StartedAt)
	lines, _ := d.rt.Logs(ctx, before.ID, readLines)
	if before.StartedAt < d.since || lived <= shortLife || unreachable(failingLine(lines)) {
		return
	}
	v.Fatal = true
	v.Summary = fmt.Sprintf("%s never became healthy: it was ended %s, the last time after %s with %s%s", attempts[0].Name,
		count(attempts[0].Attempt), lived.Round(time.Second), ended(before), colon(brief(failingLine(lines))))
	v.Log = ending(lines)
}

// sameEnd says whether all attempts that are still there ended soon and in the same way.
func (d *diagnosis) sameEnd(ctx context.Context, attempts []host.Container, cause string) bool {
	for i, a := range attempts {
		lived := time.Duration(a.FinishedAt - a.StartedAt)
		if a.Running || lived > shortLife || a.ExitCode != attempts[0].ExitCode || a.Reason != attempts[0].Reason {
			return false
		}
		if i == 0 {
			continue // its words are the cause
		}
		lines, err := d.rt.Logs(ctx, a.ID, readLines)
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

// ending is the part of a log that a verdict carries.
func ending(lines []string) []string { return lines[max(0, len(lines)-shownLines):] }

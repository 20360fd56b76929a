package cluster

import (
	"fmt"
	"slices"
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
	// killedAfter is how many attempts must have been killed. The first may have had to wait for others, as for etcd; the kubelet
	// gives each as long as timeouts.controlPlaneComponentHealthCheck says, four minutes by default.
	// An emulated machine whose processors are busy with something else needs several attempts, of which each comes a little further.
	killedAfter = 6
	// killedLife is how long an attempt that was killed by a probe has lived at least.
	killedLife = time.Minute
	// stuckAfter is how long the other component must have run when one still can't reach it: by then it is up, and what
	// is wrong is an address or a certificate.
	stuckAfter = 5 * time.Minute
)

// judge decides whether a component goes on without hope, by the attempts that were started with its manifest, and those of what
// it depends on, as they are now. At least one must have ended during this run.
func (s *scene) judge(component, cause string, v *Verdict) {
	since := s.since(component)
	attempts := s.attempts(component, since)
	ends := slices.DeleteFunc(slices.Clone(attempts), func(c host.Container) bool { return c.FinishedAt == 0 })
	if len(ends) == 0 || !notBefore(ends[0].FinishedAt, s.history.began) {
		return
	}
	if kills := killed(ends); len(kills) >= killedAfter {
		s.killed(kills, v)
		return
	}
	newest := attempts[0]
	n := len(ends)
	if notBefore(newest.PodCreatedAt, since) { // then the number of the attempt counts them all
		n = int(newest.Attempt) + 1
	}
	if newest.FinishedAt == 0 || n < loopAfter || !s.sameEnd(ends[:min(len(ends), loopAfter)], cause) {
		return
	}
	s.hopeOfOther(newest, n, cause, v)
}

// killed is about a component that never became healthy, so that the kubelet ended it when its startup probe had failed for long
// enough. The reason is in the words of the one that was ended, if it is still there.
func (s *scene) killed(kills []host.Container, v *Verdict) {
	last := kills[0]
	cause := ""
	if lines, err := s.Runtime.Logs(s.ctx, last.ID, readLines); err == nil && len(lines) > 0 {
		cause, v.Log = failingLine(lines), lastLines(lines)
	}
	v.Summary = fmt.Sprintf("%s never became healthy: it was ended %s, the last time after %s with %s%s", last.Name,
		count(uint32(len(kills))), lived(last).Round(time.Second), ended(last), colon(brief(cause)))
	s.hopeOfOther(last, len(kills), cause, v)
}

// hopeOfOther is about a component that ends the same way each time. One that only can't reach what it depends on has hope as
// long as that has.
func (s *scene) hopeOfOther(newest host.Container, n int, cause string, v *Verdict) {
	other := dependency(newest.Name)
	if other == "" || !unreachable(cause) {
		v.Fatal = true
		return
	}
	below := s.diagnose(other)
	switch {
	case below.Fatal:
		v.Fatal = true
		v.Summary = fmt.Sprintf("%s can't work without %s: %s", newest.Name, other, below.Summary)
		v.Log, v.Hint = below.Log, below.Hint
	case n >= loopAfterAlone && s.absentOrUp(other, newest.StartedAt):
		v.Fatal = true
		v.Summary += fmt.Sprintf("; it can't reach %s (%s)", other, below.Summary)
	default:
		v.Summary += fmt.Sprintf("; it waits for %s (%s)", other, below.Summary)
	}
}

// absentOrUp says whether a component was never there, or had been running for long at a moment.
func (s *scene) absentOrUp(component string, at int64) bool {
	attempts := s.attempts(component, s.Changed(component))
	return len(attempts) == 0 || attempts[0].Running && time.Duration(at-attempts[0].StartedAt) > stuckAfter
}

// since is when the manifest of a component, or of one that it needs, was last written.
func (s *scene) since(component string) time.Time {
	own := s.Changed(component)
	if other := dependency(component); other != "" {
		if theirs := s.since(other); theirs.After(own) {
			return theirs
		}
	}
	return own
}

// killed picks the attempts that somebody else ended, after a while: the kubelet, because of a probe. A component that ends by itself
// does so with another code than these, or at once.
func killed(ends []host.Container) []host.Container {
	return slices.DeleteFunc(slices.Clone(ends), func(c host.Container) bool {
		return !byOther(c) || c.Reason == "OOMKilled" || lived(c) < killedLife
	})
}

// byOther says whether somebody else has ended an attempt, or it looks like that.
func byOther(c host.Container) bool {
	return c.ExitCode == 0 || c.ExitCode == 128+9 || c.ExitCode == 128+15
}

// sameEnd says whether attempts ended soon and in the same way.
func (s *scene) sameEnd(ends []host.Container, cause string) bool {
	for i, a := range ends {
		if lived(a) > shortLife || a.ExitCode != ends[0].ExitCode || a.Reason != ends[0].Reason {
			return false
		}
		if i == 0 {
			continue
		}
		lines, err := s.Runtime.Logs(s.ctx, a.ID, readLines)
		if err == nil && len(lines) > 0 && steady(failingLine(lines)) != steady(cause) {
			return false
		}
	}
	return true
}

// lived is how long an attempt ran, zero for one that could not even be started.
func lived(c host.Container) time.Duration {
	if c.StartedAt == 0 {
		return 0
	}
	return time.Duration(c.FinishedAt - c.StartedAt)
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

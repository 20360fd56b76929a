package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kubewright/kubewright/host"
)

const (
	// readLines is how much of a log is read: for the reason of an end, which a usage text may follow, and for new messages.
	readLines = 60
	// shownLines is how much of a log a verdict carries.
	shownLines = 10
	// earlyStarts is how many starts and ends of one component are progress. What starts again after that does the same again.
	earlyStarts = 5
)

// Verdict says how a component that is not healthy yet is doing.
type Verdict struct {
	// Summary is one line for people.
	Summary string
	// Fatal says that waiting longer can't help: the component ends the same way again and again.
	Fatal bool
	// Progress names what has happened: a container appeared, started or ended (the first few times), an image is being pulled.
	Progress []string
	// Signs are the Messages that the component logged last.
	Signs []string
	// Log holds the last lines of the container that the summary is about, or just those that tell the cause.
	Log []string
	// Hint says what to do, where that is known.
	Hint string
}

// History remembers how containers ended while something waits for them: the kubelet keeps only the last one or two. It is for one
// goroutine at a time.
type History struct {
	began  time.Time
	ends   map[string]host.Container // by ID
	early  map[string]bool           // by ID; false for one that started after earlyStarts others
	starts map[string]int            // by component
	images uint64                    // the most that they ever took, in bytes
	before map[string][]string       // by a container and the one that it needs: its log when that was first seen to run
}

// NewHistory makes one for a run that began at that time. Nothing is hopeless because of what ended before the run: its cause may
// have been mended since.
func NewHistory(began time.Time) *History {
	return &History{began: began, ends: map[string]host.Container{}, early: map[string]bool{}, starts: map[string]int{},
		before: map[string][]string{}}
}

// Sight is what a look at the machine goes by.
type Sight struct {
	Runtime host.Runtime
	// Changed says when the manifest of a component was written, or zero: what was started before is not held against it, nor
	// against the components that need it.
	Changed func(component string) time.Time
	// Journal is what the kubelet has logged since the last look, or of late.
	Journal []JournalLine
	// Foreign names the process that listens on a TCP port, as in "nginx (pid 7)"; empty when that is nobody, or the component
	// itself, or not known. Nil knows nothing.
	Foreign func(component string, port int) string
	// Untrusted is why the certificate with which this machine's API server answers is no good. Nil is none.
	Untrusted error
}

// Look lists the containers once and judges components (etcd, kube-apiserver, kube-controller-manager, kube-scheduler) in that order.
// Without etcd among them it is taken to be elsewhere. What can't be found out is in the summaries.
func (h *History) Look(ctx context.Context, sight Sight, components ...string) []*Verdict {
	verdicts := make([]*Verdict, len(components))
	all, err := sight.Runtime.Containers(ctx)
	s := &scene{Sight: sight, ctx: ctx, all: all, components: components, history: h}
	for i, component := range components {
		if err != nil {
			verdicts[i] = &Verdict{Summary: fmt.Sprintf("%s: the container runtime does not answer: %v", component, err)}
			continue
		}
		verdicts[i] = s.diagnose(component)
	}
	return verdicts
}

// scene is the machine at one moment.
type scene struct {
	Sight
	ctx        context.Context
	all        []host.Container
	components []string
	history    *History
}

func (s *scene) diagnose(component string) *Verdict {
	v := s.observe(component)
	s.decide(component, v)
	return v
}

// observe says how a component is doing, and whether it goes on without hope.
func (s *scene) observe(component string) *Verdict {
	attempts := s.attempts(component, s.Changed(component))
	if len(attempts) == 0 {
		return s.missing(component)
	}
	newest := attempts[0]
	lines, _ := s.Runtime.Logs(s.ctx, newest.ID, readLines) // a log that is not there yet is no news
	v := &Verdict{Log: lastLines(lines), Progress: s.history.events(attempts), Signs: Messages(lines)}
	cause := failingLine(lines)
	switch {
	case newest.Running:
		v.Summary = fmt.Sprintf("%s is running since %s but not healthy yet%s",
			component, clock(newest.StartedAt), times(newest.Attempt))
	case newest.FinishedAt == 0:
		v.Summary = fmt.Sprintf("%s has a container that was not started yet%s", component, times(newest.Attempt))
	default:
		v.Summary = fmt.Sprintf("%s exited %s, the last time with %s%s", component, count(newest.Attempt+1), ended(newest), colon(brief(cause)))
	}
	s.judge(component, cause, v)
	return v
}

// missing is the verdict on a component without a container. Its image may be on its way: then the images grow.
func (s *scene) missing(component string) *Verdict {
	v := &Verdict{
		Summary:  component + " has no container yet: the kubelet has not started it; its messages: journalctl -u kubelet",
		Progress: []string{component + " has no container"},
	}
	if len(s.attempts(component, time.Time{})) > 0 {
		v.Summary = component + " of before its manifest changed is still there: the kubelet has not started the new one yet"
	}
	if bytes, err := s.Runtime.ImageBytes(s.ctx); err == nil {
		s.history.images = max(s.history.images, bytes)
		v.Progress = append(v.Progress, fmt.Sprintf("images take %d bytes", s.history.images))
	}
	return v
}

// events names the starts and ends of the first few attempts.
func (h *History) events(attempts []host.Container) []string {
	var list []string
	for i := len(attempts) - 1; i >= 0; i-- {
		a := attempts[i]
		early, known := h.early[a.ID]
		if !known {
			h.starts[a.Name]++
			early = h.starts[a.Name] <= earlyStarts
			h.early[a.ID] = early
		}
		if !early {
			continue
		}
		list = append(list, fmt.Sprintf("%s %s appeared", a.Name, a.ID))
		if a.Running || a.FinishedAt != 0 {
			list = append(list, fmt.Sprintf("%s %s started", a.Name, a.ID))
		}
		if a.FinishedAt != 0 {
			list = append(list, fmt.Sprintf("%s %s ended", a.Name, a.ID))
		}
	}
	return list
}

// attempts are the containers of a component that were started since, also those that are not there any more, the newest first.
func (s *scene) attempts(component string, since time.Time) []host.Container {
	var attempts []host.Container
	there := map[string]bool{}
	add := func(c host.Container) {
		if c.Name == component && strings.HasPrefix(c.PodName, component) && !there[c.ID] &&
			(notBefore(c.StartedAt, since) || notBefore(c.PodCreatedAt, since)) {
			attempts = append(attempts, c)
			there[c.ID] = true
		}
	}
	for _, c := range s.all {
		if c.FinishedAt != 0 {
			s.history.ends[c.ID] = c
		}
		add(c)
	}
	for _, c := range s.history.ends {
		add(c)
	}
	return newestFirst(attempts)
}

func notBefore(nanoseconds int64, t time.Time) bool { return t.IsZero() || nanoseconds >= t.UnixNano() }

// lastLines is the part of a log that a verdict carries.
func lastLines(lines []string) []string { return lines[max(0, len(lines)-shownLines):] }

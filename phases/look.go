package phases

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/preflight"
)

const (
	// journalLines is how much of the kubelet's journal is read at once: in the first second it may write some hundred lines.
	journalLines = 2000
	// journalOverlap is how much of what was read before is read again: a line may be in the journal a little after its time.
	journalOverlap = 2 * time.Second
)

// looker looks at the static pods of this machine, for all waits of a run. One look at a time.
type looker struct {
	f       *Facts
	history *cluster.History
	read    time.Time // until when the kubelet's journal was read

	mu      sync.Mutex
	answers map[string]error // the last of each component's probe
}

func newLooker(f *Facts) *looker {
	return &looker{f: f, history: cluster.NewHistory(f.Now), answers: map[string]error{}}
}

// look judges components.
func (l *looker) look(ctx context.Context, t *plan.Target, components ...string) []*cluster.Verdict {
	return l.history.Look(ctx, cluster.Sight{
		Runtime: t.Runtime, Changed: manifestTimes(t), Journal: l.journal(ctx, t), Foreign: foreign(l.f),
		Untrusted: l.untrusted(),
	}, components...)
}

// journal is what this run's kubelet has written since the last look.
func (l *looker) journal(ctx context.Context, t *plan.Target) []cluster.JournalLine {
	if t.Systemd == nil {
		return nil
	}
	u, err := t.Systemd.Unit(ctx, config.KubeletService)
	if err != nil {
		return nil
	}
	since := l.f.Now
	for _, later := range []time.Time{u.MainStart, l.read.Add(-journalOverlap)} {
		if later.After(since) {
			since = later
		}
	}
	now := t.Host.Time()
	lines, err := t.Systemd.Journal(ctx, u.Name, since, journalLines)
	if err != nil { // the next look reads what this one could not
		return nil
	}
	l.read = now
	var out []cluster.JournalLine
	for _, line := range lines {
		out = append(out, cluster.JournalLine{At: line.At, Text: line.Text})
	}
	return out
}

// answered remembers what a component's probe has said, and returns it.
func (l *looker) answered(p cluster.Probe, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[p.Name] = nil
	// Another process may answer at the component's port; that is not the component's fault.
	if cluster.Untrusted(err) && l.own(p) {
		l.answers[p.Name] = err
	}
	return err
}

func (l *looker) untrusted() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers[config.APIServer]
}

// own says whether it is certain that it is the component itself which listens where the probe asks.
func (l *looker) own(p cluster.Probe) bool {
	u, err := url.Parse(p.URL)
	if err != nil || l.f.Listeners == nil {
		return false
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return false
	}
	all := l.f.Listeners(port)
	return len(all) > 0 && !slices.ContainsFunc(all, func(other preflight.Process) bool { return other.Name != p.Name })
}

// foreign names who else listens on a component's port. An earlier process of the component itself is on its way out.
func foreign(f *Facts) func(component string, port int) string {
	return func(component string, port int) string {
		if f.Listeners == nil {
			return ""
		}
		var names []string
		for _, p := range f.Listeners(port) {
			if p.Name != component {
				names = append(names, p.String())
			}
		}
		return strings.Join(names, ", ")
	}
}

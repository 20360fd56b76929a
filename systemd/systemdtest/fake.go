// Package systemdtest has a systemd for tests: units that start, stop and are enabled as the real ones are, as far as
// kubewright can tell the difference.
package systemdtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubewright/kubewright/systemd"
)

// Fake is a systemd.Manager whose units are set by the test. It may be used from several goroutines.
// Set the fields before the first call.
type Fake struct {
	// Root, if set, is a host's root directory: units that were not Set are looked for there, and drop-ins are read from
	// there, at Reload and when a unit is first asked for, as systemd does. As with systemd, NeedDaemonReload does not tell
	// that there is a first drop-in: see Unit.DropInPaths for that.
	Root string
	// Now is the clock behind ActiveEnter. Nil means time.Now.
	Now func() time.Time
	// Started, if set, is called after a unit was started or restarted, to bring the test's kubelet to life.
	Started func(name string)
	// Stopped, if set, is called after a unit was stopped.
	Stopped func(name string)

	mu      sync.Mutex
	units   map[string]*unit
	calls   []string
	failing map[string]systemd.JobError // by "verb name"
	blocked map[string][]string         // by "verb name"
	journal map[string][]systemd.Line
	pids    uint32
}

var _ systemd.Manager = (*Fake)(nil)

type unit struct {
	systemd.Unit
	set  bool      // by the test, not found below Root
	seen unitFiles // the files as they were when they were read
}

// New returns a systemd without any units.
func New() *Fake {
	return &Fake{
		units: map[string]*unit{}, failing: map[string]systemd.JobError{},
		blocked: map[string][]string{}, journal: map[string][]systemd.Line{}, pids: 100,
	}
}

// Set makes a unit be as given. An empty LoadState means loaded, an empty ActiveState inactive.
func (f *Fake) Set(u systemd.Unit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u.LoadState == "" {
		u.LoadState = "loaded"
	}
	if u.ActiveState == "" {
		u.ActiveState, u.SubState = "inactive", "dead"
	}
	f.units[u.Name] = &unit{Unit: u, set: true, seen: f.files(u.Name, nil)}
}

// Fail makes every later call of the verb (start, stop, restart, enable, disable; reload with an empty name) fail.
// For a job the unit is failed afterwards, with the exit status 1, and result is the job's: "failed", "timeout" and so on.
// An empty result takes the failure away.
func (f *Fake) Fail(verb, name, result string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if result == "" {
		delete(f.failing, verb+" "+name)
		return
	}
	f.failing[verb+" "+name] = systemd.JobError{Unit: name, Verb: verb, Result: result}
}

// Block makes every later job of the verb end as "still waiting" for the jobs of the units by; without any, it runs again.
func (f *Fake) Block(verb, name string, by ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocked[verb+" "+name] = by
}

// SetJournal makes the unit's journal be these lines, written now.
func (f *Fake) SetJournal(name string, lines ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.journal[name] = nil
	for _, text := range lines {
		f.journal[name] = append(f.journal[name], systemd.Line{At: f.now(), Text: text})
	}
}

// Calls returns the changes that were asked for, in order: "reload", "enable kubelet.service", "restart kubelet.service".
// Reading is not recorded.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Unit returns a unit, "not-found" if there is none.
func (f *Fake) Unit(ctx context.Context, name string) (systemd.Unit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return systemd.Unit{}, fmt.Errorf("cannot look at %s: %w", name, err)
	}
	u := f.unit(name)
	if f.Root != "" {
		u.NeedDaemonReload = f.files(name, u.seen.dirs).stamp != u.seen.stamp
	}
	return u.clone(), nil
}

func (u *unit) clone() systemd.Unit {
	c := u.Unit
	c.DropInPaths = slices.Clone(c.DropInPaths)
	return c
}

// Journal returns the last lines that SetJournal set.
func (f *Fake) Journal(_ context.Context, name string, since time.Time, n int) ([]systemd.Line, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := slices.DeleteFunc(slices.Clone(f.journal[name]), func(l systemd.Line) bool { return l.At.Before(since) })
	return lines[max(0, len(lines)-n):], nil
}

// Close does nothing.
func (f *Fake) Close() {}

func (f *Fake) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

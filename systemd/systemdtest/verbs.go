package systemdtest

import (
	"context"
	"fmt"

	"github.com/kubewright/kubewright/systemd"
)

// Reload reads the unit files below Root again.
func (f *Fake) Reload(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "reload")
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cannot reload systemd: %w", err)
	}
	if e, ok := f.failing["reload "]; ok {
		return fmt.Errorf("cannot reload systemd: %s", e.Result)
	}
	f.reread()
	return nil
}

func (f *Fake) reread() {
	for _, u := range f.units {
		u.NeedDaemonReload = false
		if f.Root != "" {
			f.load(u)
		}
	}
}

// Start starts a unit that is not active.
func (f *Fake) Start(ctx context.Context, name string) error {
	return f.job(ctx, "start", name, func(u *unit) bool {
		if u.ActiveState == "active" {
			return false
		}
		f.run(u)
		return true
	})
}

// Restart starts a unit, with a new process if it was active.
func (f *Fake) Restart(ctx context.Context, name string) error {
	return f.job(ctx, "restart", name, func(u *unit) bool { f.run(u); return true })
}

// Stop stops a unit.
func (f *Fake) Stop(ctx context.Context, name string) error {
	return f.job(ctx, "stop", name, func(u *unit) bool {
		u.ActiveState, u.SubState, u.MainPID = "inactive", "dead", 0
		return false
	})
}

func (f *Fake) run(u *unit) {
	f.pids++
	u.ActiveState, u.SubState, u.Result, u.MainPID = "active", "running", "success", f.pids
	now := f.now()
	u.ExecMainStatus, u.NRestarts, u.ActiveEnter, u.MainStart = 0, 0, now, now
}

func (f *Fake) job(ctx context.Context, verb, name string, do func(u *unit) (started bool)) error {
	started, err := f.jobLocked(ctx, verb, name, do)
	switch { // without the lock: they may ask for the unit
	case started && f.Started != nil:
		f.Started(name)
	case err == nil && verb == "stop" && f.Stopped != nil:
		f.Stopped(name)
	}
	return err
}

func (f *Fake) jobLocked(ctx context.Context, verb, name string, do func(u *unit) bool) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, verb+" "+name)
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("cannot %s %s: %w", verb, name, err)
	}
	u := f.unit(name)
	if u.LoadState != "loaded" && verb != "stop" {
		return false, fmt.Errorf("cannot %s %s: unit is %s", verb, name, u.LoadState)
	}
	if by := f.blocked[verb+" "+name]; len(by) > 0 {
		return false, &systemd.JobError{Unit: name, Verb: verb, Result: "still waiting", State: u.clone(), BlockedBy: by}
	}
	if e, ok := f.failing[verb+" "+name]; ok {
		u.ActiveState, u.SubState, u.Result, u.ExecMainStatus, u.MainPID = "failed", "failed", "exit-code", 1, 0
		e.State, e.Journal = u.clone(), nil
		for _, line := range f.journal[name] {
			e.Journal = append(e.Journal, line.Text)
		}
		return false, &e
	}
	return do(u), nil
}

// Enable makes the unit start at boot, and reads the unit files again, as the real one does.
func (f *Fake) Enable(ctx context.Context, name string) error {
	return f.setEnabled(ctx, "enable", name, "enabled")
}

// Disable makes the unit not start at boot.
func (f *Fake) Disable(ctx context.Context, name string) error {
	return f.setEnabled(ctx, "disable", name, "disabled")
}

func (f *Fake) setEnabled(ctx context.Context, verb, name, state string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, verb+" "+name)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, name, err)
	}
	if e, ok := f.failing[verb+" "+name]; ok {
		return fmt.Errorf("cannot %s %s: %s", verb, name, e.Result)
	}
	u := f.unit(name)
	if u.LoadState != "loaded" {
		return fmt.Errorf("cannot %s %s: unit is %s", verb, name, u.LoadState)
	}
	if u.UnitFileState != "static" {
		u.UnitFileState = state
	}
	f.reread()
	return nil
}

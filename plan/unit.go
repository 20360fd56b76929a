package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubewright/kubewright/systemd"
)

// Unit is a systemd unit that should run, and start at boot; or that should not.
type Unit struct {
	Name    string // "kubelet.service"
	Enabled bool
	Running bool
	// Disabled means that it should not start at boot. Neither Enabled nor Disabled leaves that as it is.
	Disabled bool
	// Forgotten lists unit files and drop-ins that were removed: systemd must not go by them any more.
	Forgotten []string
	// RestartOn lists files that the process reads when it starts: if one is newer than the process, it is restarted.
	RestartOn []string
	// DropIns lists drop-in files that systemd must have read.
	DropIns []string
	// StartedAfter, when set, restarts a process that is older, for the reason in StartedWhy.
	StartedAfter time.Time
	StartedWhy   string
}

// notRunning is why a unit is started.
const notRunning = "not running"

func (u Unit) String() string { return "unit " + u.Name }

// Diff looks at the unit's properties. Without systemd the change is Unknown.
func (u Unit) Diff(ctx context.Context, t *Target) (Change, error) {
	if t.Systemd == nil {
		return Change{Kind: Unknown, Why: "systemd is not asked"}, nil
	}
	now, err := t.Systemd.Unit(ctx, u.Name)
	if err != nil {
		return Change{}, err
	}
	if u.Running && (now.LoadState == "masked" || now.UnitFileState == "masked") {
		return Change{}, fmt.Errorf("cannot start %s: it is masked; run: systemctl unmask %s", u.Name, u.Name)
	}
	var why []string
	if u.Enabled && !enabled(now) {
		why = append(why, "not enabled")
	}
	if u.disables(now) {
		why = append(why, "enabled")
	}
	for _, path := range u.Forgotten {
		if t.pending[path] || !t.Host.Exists(path) && (now.FragmentPath == path || slices.Contains(now.DropInPaths, path)) {
			why = append(why, "systemd still goes by "+path)
		}
	}
	if reason := u.restartReason(t, now); reason != "" {
		why = append(why, reason)
	}
	if why == nil {
		return Change{}, nil
	}
	return Change{Kind: Update, Why: strings.Join(why, ", ")}, nil
}

// Settled is Diff just after Apply: a process that has ended, and that systemd starts again, may get well. Who waits for it says
// so, or why it does not.
func (u Unit) Settled(ctx context.Context, t *Target) (Change, error) {
	c, err := u.Diff(ctx, t)
	if err != nil || c.Kind == Same || !u.Running {
		return c, err
	}
	now, err := t.Systemd.Unit(ctx, u.Name)
	if err != nil || now.SubState != "auto-restart" || c.Why != notRunning {
		return c, err
	}
	return Change{}, nil
}

// restartReason says why the running process is not the one wanted; empty when it is.
func (u Unit) restartReason(t *Target, now systemd.Unit) string {
	switch {
	case u.Running && now.ActiveState != "active":
		return notRunning
	case !u.Running && now.ActiveState == "failed":
		return "failed"
	case !u.Running && !ended(now):
		return "running"
	case !u.Running:
		return ""
	case now.NeedDaemonReload:
		return "its unit files changed"
	case now.ActiveEnter.Before(u.StartedAfter):
		return u.StartedWhy
	case now.ActiveEnter.After(t.Host.Time()): // no file would ever be newer
		return "the clock was set back since it started"
	}
	for _, path := range slices.Concat(u.RestartOn, u.DropIns) {
		if t.pending[path] {
			return path + " changes"
		}
	}
	for _, path := range u.DropIns {
		if !slices.Contains(now.DropInPaths, path) {
			return "systemd has not read " + path
		}
	}
	for _, path := range u.RestartOn {
		// A time in the future, as after the clock was set back, says nothing about what the process has read.
		if info, err := t.Host.Stat(path); err == nil && info.ModTime.After(now.ActiveEnter) && !info.ModTime.After(t.Host.Time()) {
			return path + " is newer than the process"
		}
	}
	return ""
}

// Apply reads the unit files again, enables the unit and, where its process is not the one wanted, starts, restarts or stops
// it, waiting for the job's result.
func (u Unit) Apply(ctx context.Context, t *Target) error {
	if t.Systemd == nil {
		verb := "start"
		if !u.Running {
			verb = "stop"
		}
		return fmt.Errorf("cannot %s %s: %w", verb, u.Name, unreachable("systemd", t.NoSystemd))
	}
	now, err := t.Systemd.Unit(ctx, u.Name)
	if err != nil {
		return err
	}
	why := u.restartReason(t, now) // once the unit files are read again, it can't be told any more
	// To enable it reads them, too.
	if !u.Enabled || enabled(now) || now.LoadState != "loaded" {
		if err := t.Systemd.Reload(ctx); err != nil {
			return err
		}
		if now, err = t.Systemd.Unit(ctx, u.Name); err != nil {
			return err
		}
	}
	if u.Enabled && !enabled(now) {
		if err := t.Systemd.Enable(ctx, u.Name); err != nil {
			return err
		}
	}
	if u.disables(now) {
		if err := t.Systemd.Disable(ctx, u.Name); err != nil {
			return err
		}
	}
	switch {
	case !u.Running && !ended(now):
		return t.Systemd.Stop(ctx, u.Name)
	case u.Running && why != "":
		return t.Systemd.Restart(ctx, u.Name)
	}
	return nil
}

// Before records whether the unit was enabled and running.
func (u Unit) Before(ctx context.Context, t *Target) (*Before, error) {
	if t.Systemd == nil {
		return nil, fmt.Errorf("cannot look at %s: %w", u.Name, unreachable("systemd", t.NoSystemd))
	}
	now, err := t.Systemd.Unit(ctx, u.Name)
	if err != nil {
		return nil, err
	}
	return &Before{Unit: &UnitBefore{Name: u.Name, Enabled: enabled(now), Running: !ended(now) && now.ActiveState != "failed"}}, nil
}

// ended says that the unit does not run, nor is about to: one that crashes is started again and again. Nor is it to be seen that it
// has failed.
func ended(u systemd.Unit) bool { return u.ActiveState == "inactive" || u.ActiveState == "" }

// disables says that the unit starts at boot and should not. A unit without a file does not, whatever systemd remembers of it.
func (u Unit) disables(now systemd.Unit) bool {
	return u.Disabled && now.LoadState == "loaded" && now.UnitFileState == "enabled"
}

// enabled says that the unit starts at boot; one that is enabled at runtime only does not.
func enabled(u systemd.Unit) bool {
	return u.UnitFileState == "enabled" || u.UnitFileState == "static"
}

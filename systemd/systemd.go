// Package systemd talks to systemd over D-Bus. Manager is what kubewright needs of it; package systemdtest has a fake.
package systemd

import (
	"context"
	"time"
)

// Manager is systemd's manager. All names are full unit names, "kubelet.service".
type Manager interface {
	// Unit returns a unit's properties. A unit that does not exist has LoadState "not-found" and is no error.
	Unit(ctx context.Context, name string) (Unit, error)
	// Reload makes systemd read its unit files again.
	Reload(ctx context.Context) error
	// Start, Stop and Restart queue a job and wait for its result. A job that fails, is blocked or takes too long is a
	// *JobError, with the unit's state and its last journal lines.
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	Restart(ctx context.Context, name string) error
	// Enable and Disable change whether the unit starts at boot.
	Enable(ctx context.Context, name string) error
	Disable(ctx context.Context, name string) error
	// Journal returns the last n journal lines of a unit that were written since a moment, oldest first, or nil when there is no
	// journal. The zero moment is before all of them.
	Journal(ctx context.Context, name string, since time.Time, n int) ([]Line, error)
	Close()
}

// Line is one line of a unit's journal: what the unit's processes wrote, or systemd about the unit.
type Line struct {
	At   time.Time
	Text string
}

// Unit holds the properties of a unit that matter to kubewright (see org.freedesktop.systemd1(5)).
type Unit struct {
	Name          string
	LoadState     string // loaded, not-found, masked, error
	ActiveState   string // active, inactive, failed, activating, deactivating
	SubState      string // running, dead, auto-restart, ...
	UnitFileState string // enabled, disabled, static, masked, ""
	FragmentPath  string
	DropInPaths   []string
	// NeedDaemonReload says that unit files changed since systemd read them. It misses the first drop-in of a unit, because
	// systemd does not look into a directory that is new: compare DropInPaths too.
	NeedDaemonReload bool
	MainPID          uint32
	// ActiveEnter is when the unit last became active; zero when it never did.
	ActiveEnter time.Time
	// MainStart is when the main process was last started; zero when it never was. It is before ActiveEnter where a service tells
	// itself when it is ready.
	MainStart time.Time
	// Result, ExecMainStatus and NRestarts tell how the main process ended and how often it was restarted.
	Result         string
	ExecMainStatus int32
	NRestarts      uint32
}

// JobError is a job that did not end well.
type JobError struct {
	Unit   string
	Verb   string // start, stop, restart
	Result string // failed, timeout, canceled, dependency, skipped, or "still waiting"
	State  Unit
	// BlockedBy names the units whose jobs ours waits for, if any.
	BlockedBy []string
	Journal   []string

	cause error // of the wait: context.DeadlineExceeded, or nil
}

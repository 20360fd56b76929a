package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// bus is what is needed of *dbus.Conn.
type bus interface {
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	ListJobsContext(ctx context.Context) ([]dbus.JobStatus, error)
	StartUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error)
	StopUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error)
	RestartUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error)
	EnableUnitFilesContext(ctx context.Context, files []string, runtime, force bool) (bool, []dbus.EnableUnitFileChange, error)
	DisableUnitFilesContext(ctx context.Context, files []string, runtime bool) ([]dbus.DisableUnitFileChange, error)
	ReloadContext(ctx context.Context) error
	ResetFailedUnitContext(ctx context.Context, name string) error
	Connected() bool
	Close()
}

// manager is a Manager over D-Bus.
type manager struct {
	bus
	journal func(ctx context.Context, name string, since time.Time, n int) ([]Line, error)
	syncDir func(dir string) error // makes a directory durable
	// tick is how often a waiting job is looked at, stall how long nothing may move before the wait is given up.
	tick, stall time.Duration
	// settle is how long a unit is watched after it started: long enough to see that its program can't be executed.
	settle time.Duration
}

// booted is there exactly when systemd is the init system (sd_booted(3)).
const booted = "/run/systemd/system"

// Connect connects to systemd: over the system bus, or, for root, over systemd's private socket when there is no bus.
// The connection stays open, whatever becomes of ctx, until Close.
func Connect(ctx context.Context) (Manager, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cannot connect to systemd: %w", err)
	}
	if _, err := os.Stat(booted); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("cannot connect to systemd: it is not the init system of this machine (" + booted + " is missing)\n" +
			"kubewright needs systemd to run the kubelet")
	}
	// The library closes the connection when its context ends; going back after an interrupt still needs it.
	conn, err := dbus.NewWithContext(context.WithoutCancel(ctx))
	if err != nil {
		hint := "is D-Bus running? look with: systemctl status dbus.socket"
		if os.Geteuid() != 0 {
			hint = "run this command as root"
		}
		return nil, fmt.Errorf("cannot connect to systemd: %w\n%s", err, hint)
	}
	return &manager{
		bus: bounded{conn}, journal: journalctl, syncDir: syncDirectory,
		tick: 250 * time.Millisecond, stall: 90 * time.Second, settle: 50 * time.Millisecond,
	}, nil
}

func (m *manager) Unit(ctx context.Context, name string) (Unit, error) {
	props, err := m.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return Unit{}, fmt.Errorf("cannot look at %s: %w", name, err)
	}
	return newUnit(name, props), nil
}

func (m *manager) Reload(ctx context.Context) error {
	if err := m.ReloadContext(ctx); err != nil {
		return fmt.Errorf("cannot make systemd read its unit files again: %w", err)
	}
	return nil
}

// Enable reads the unit files again, as systemctl does: until then systemd does not tell the new state. What it has made survives a
// power cut, and so does what Disable has removed.
func (m *manager) Enable(ctx context.Context, name string) error {
	if err := m.usable(ctx, "enable", name); err != nil {
		return err
	}
	_, changes, err := m.EnableUnitFilesContext(ctx, []string{name}, false, false)
	if err == nil {
		var links []string
		for _, c := range changes {
			links = append(links, c.Filename)
		}
		err = m.makeDurable(links)
	}
	if err != nil {
		return fmt.Errorf("cannot enable %s: %w", name, err)
	}
	return m.Reload(ctx)
}

func (m *manager) Disable(ctx context.Context, name string) error {
	if err := m.usable(ctx, "disable", name); err != nil {
		return err
	}
	changes, err := m.DisableUnitFilesContext(ctx, []string{name}, false)
	if err == nil {
		var links []string
		for _, c := range changes {
			links = append(links, c.Filename)
		}
		err = m.makeDurable(links)
	}
	if err != nil {
		return fmt.Errorf("cannot disable %s: %w", name, err)
	}
	return m.Reload(ctx)
}

// usable returns an error with a hint when systemd has no such unit, or it is masked or broken.
func (m *manager) usable(ctx context.Context, verb, name string) error {
	u, err := m.Unit(ctx, name)
	if err != nil {
		return err
	}
	return u.usable(verb)
}

func (u Unit) usable(verb string) error {
	hint := "look with: systemctl status " + u.Name
	switch u.LoadState {
	case "loaded":
		return nil
	case "masked":
		hint = "run: systemctl unmask " + u.Name
	case "not-found":
		hint = "there is no unit file of that name; install the package that has it"
	}
	return fmt.Errorf("cannot %s %s: unit is %s\n%s", verb, u.Name, u.LoadState, hint)
}

func (m *manager) Journal(ctx context.Context, name string, since time.Time, n int) ([]Line, error) {
	return m.journal(ctx, name, since, n)
}

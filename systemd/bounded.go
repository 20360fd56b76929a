package systemd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// callTimeout bounds one call, whose answer comes at once even where a job takes long. Reading all unit files again is the longest.
const callTimeout = 2 * time.Minute

// errSilent ends a call without an answer.
var errSilent = fmt.Errorf("systemd did not answer within %s\nif it hangs, this may help: systemctl daemon-reexec", callTimeout)

// bounded is a bus on which no call waits for ever: the library waits as long as it is let.
type bounded struct{ bus }

func ask[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errSilent)
	defer cancel()
	answer, err := call(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return answer, err
}

func (b bounded) GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error) {
	return ask(ctx, func(ctx context.Context) (map[string]any, error) { return b.bus.GetAllPropertiesContext(ctx, unit) })
}

func (b bounded) ListJobsContext(ctx context.Context) ([]dbus.JobStatus, error) {
	return ask(ctx, b.bus.ListJobsContext)
}

func (b bounded) StartUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error) {
	return ask(ctx, func(ctx context.Context) (int, error) { return b.bus.StartUnitContext(ctx, name, mode, ch) })
}

func (b bounded) StopUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error) {
	return ask(ctx, func(ctx context.Context) (int, error) { return b.bus.StopUnitContext(ctx, name, mode, ch) })
}

func (b bounded) RestartUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error) {
	return ask(ctx, func(ctx context.Context) (int, error) { return b.bus.RestartUnitContext(ctx, name, mode, ch) })
}

func (b bounded) EnableUnitFilesContext(ctx context.Context, files []string, runtime, force bool) (found bool, changes []dbus.EnableUnitFileChange, err error) {
	changes, err = ask(ctx, func(ctx context.Context) (list []dbus.EnableUnitFileChange, err error) {
		found, list, err = b.bus.EnableUnitFilesContext(ctx, files, runtime, force)
		return list, err
	})
	return found, changes, err
}

func (b bounded) DisableUnitFilesContext(ctx context.Context, files []string, runtime bool) ([]dbus.DisableUnitFileChange, error) {
	return ask(ctx, func(ctx context.Context) ([]dbus.DisableUnitFileChange, error) {
		return b.bus.DisableUnitFilesContext(ctx, files, runtime)
	})
}

func (b bounded) ReloadContext(ctx context.Context) error {
	_, err := ask(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, b.bus.ReloadContext(ctx) })
	return err
}

func (b bounded) ResetFailedUnitContext(ctx context.Context, name string) error {
	_, err := ask(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.bus.ResetFailedUnitContext(ctx, name)
	})
	return err
}

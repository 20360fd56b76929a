package phases

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// TestBesideRegistration: a kubelet that has not registered its node is restarted once, when the API server has served for a while; not
// one that registers by itself, nor one that runs for long.
func TestBesideRegistration(t *testing.T) {
	const restart = "restart " + config.KubeletService
	for _, tc := range []struct {
		name string
		// serves is when the API server does, registered when the Node is there, both since the wait begins. Zero of registered is: only
		// after a restart.
		serves, registered time.Duration
		runs               time.Duration
		again              bool
		want               []string
	}{
		{name: "registers by itself", registered: time.Millisecond},
		{name: "makes a pause", want: []string{restart}},
		{name: "asks in vain first", serves: registerSoon, want: []string{restart}},
		{name: "is waited for a second time", again: true, want: []string{restart}},
		{name: "runs for long", runs: startSoon, registered: 2 * registerSoon},
		{name: "has no API server", serves: time.Hour, registered: 2 * registerSoon},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			s := systemdtest.New()
			s.Set(systemd.Unit{Name: config.KubeletService, ActiveState: "active", MainStart: began.Add(-tc.runs)})
			restarted := make(chan struct{}, 10)
			s.Started = func(string) { restarted <- struct{}{} }
			serves := func(context.Context) error {
				if time.Since(began) < tc.serves {
					return errors.New("connection refused")
				}
				return nil
			}
			var waits atomic.Int32
			await := besideRegistration(func(ctx context.Context, _ *plan.Target) error {
				registered := make(<-chan time.Time)
				switch {
				case waits.Load() > 0:
					registered = time.After(2 * registerSoon)
				case tc.registered > 0:
					registered = time.After(tc.registered)
				}
				select {
				case <-restarted:
				case <-registered:
				case <-ctx.Done():
					return ctx.Err()
				}
				if waits.Add(1) == 1 && tc.again {
					return errors.New("the watch has ended")
				}
				return nil
			}, serves)
			target := &plan.Target{Host: &host.Host{Root: t.TempDir()}, Systemd: s}
			err := await(t.Context(), target)
			if tc.again {
				if err == nil {
					t.Error("no error of the first wait")
				}
				err = await(t.Context(), target)
			}
			if got := slices.DeleteFunc(s.Calls(), func(c string) bool { return c != restart }); err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("calls %q, want %q: %v", got, tc.want, err)
			}
		})
	}
}

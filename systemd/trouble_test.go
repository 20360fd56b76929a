package systemd

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// mute is a bus on which one call gets no answer.
type mute struct {
	*fakeBus
	call string
}

func (m mute) hang(ctx context.Context, call string) error {
	if call != m.call {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (m mute) GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error) {
	props, _ := m.fakeBus.GetAllPropertiesContext(ctx, unit)
	return props, m.hang(ctx, "look")
}

func (m mute) RestartUnitContext(ctx context.Context, name, mode string, ch chan<- string) (int, error) {
	if err := m.hang(ctx, "restart"); err != nil {
		return 0, err
	}
	return m.fakeBus.RestartUnitContext(ctx, name, mode, ch)
}

func (m mute) ListJobsContext(ctx context.Context) ([]dbus.JobStatus, error) {
	if err := m.hang(ctx, "jobs"); err != nil {
		return nil, err
	}
	return m.fakeBus.ListJobsContext(ctx)
}

func (m mute) ReloadContext(ctx context.Context) error { return m.hang(ctx, "reload") }
func (m mute) EnableUnitFilesContext(ctx context.Context, _ []string, _, _ bool) (bool, []dbus.EnableUnitFileChange, error) {
	return false, nil, m.hang(ctx, "enable")
}

// TestTroubles: whatever becomes of systemd, a call ends, in the time that is given, with an error that says what is wrong.
func TestTroubles(t *testing.T) {
	restart := func(ctx context.Context, m *manager) error { return m.Restart(ctx, kubelet) }
	queued := []dbus.JobStatus{{Id: 7, Unit: kubelet, JobType: "restart", Status: "running"}}
	for name, c := range map[string]struct {
		do     func(ctx context.Context, m *manager) error
		change func(f *fakeBus)
		mute   string
		want   []string
		within time.Duration
	}{
		"cut in the middle": {restart, func(f *fakeBus) { f.cut = true }, "", []string{"cannot restart kubelet.service: the connection to systemd was cut", "run the same command again"}, time.Second},
		"never finishes":    {restart, func(f *fakeBus) { f.jobs = queued }, "", []string{"cannot restart kubelet.service: job is still waiting: unit is inactive"}, 4 * time.Minute},
		"says nothing of the job": {restart, func(f *fakeBus) { f.jobs = queued }, "jobs",
			[]string{"cannot restart kubelet.service: job is still waiting"}, 5 * time.Minute},
		"failed":     {restart, func(f *fakeBus) { f.result = "failed" }, "", []string{"cannot restart kubelet.service: job failed", "last words"}, time.Second},
		"timeout":    {restart, func(f *fakeBus) { f.result = "timeout" }, "", []string{"job timed out", "last words"}, time.Second},
		"dependency": {restart, func(f *fakeBus) { f.result = "dependency" }, "", []string{"job failed because a unit that it requires failed", "last words"}, time.Second},
		"canceled":   {restart, func(f *fakeBus) { f.result = "canceled" }, "", []string{"job was canceled by another job", "last words"}, time.Second},
		"masked meanwhile": {restart, func(f *fakeBus) { f.result, f.after = "failed", map[string]any{"LoadState": "masked"} }, "",
			[]string{"job failed", "it is masked; run: systemctl unmask kubelet.service"}, time.Second},
		"silent":           {restart, nil, "look", []string{"cannot look at kubelet.service: systemd did not answer within 2m0s", "daemon-reexec"}, 3 * time.Minute},
		"silent at a job":  {restart, nil, "restart", []string{"cannot restart kubelet.service: systemd did not answer within 2m0s"}, 3 * time.Minute},
		"silent at reload": {func(ctx context.Context, m *manager) error { return m.Reload(ctx) }, nil, "reload", []string{"cannot make systemd read its unit files again: systemd did not answer"}, 3 * time.Minute},
		"silent at enable": {func(ctx context.Context, m *manager) error { return m.Enable(ctx, kubelet) }, nil, "enable", []string{"cannot enable kubelet.service: systemd did not answer"}, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeBus{props: map[string]map[string]any{kubelet: maps.Clone(loaded(nil))}}
				if c.change != nil {
					c.change(f)
				}
				m := newManager(f)
				m.bus, m.tick, m.stall = bounded{mute{f, c.mute}}, 250*time.Millisecond, 90*time.Second
				began := time.Now()
				err := c.do(t.Context(), m)
				for _, want := range c.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("no %q in: %v", want, err)
					}
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("it took %s", took)
				}
				// Who does not want to wait so long is not kept.
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began = time.Now()
				if err := c.do(ctx, m); err == nil || time.Since(began) > 7*time.Second {
					t.Errorf("it took %s: %v", time.Since(began), err)
				}
				if c.mute != "" && errors.Is(c.do(ctx, m), errSilent) {
					t.Error("blames systemd for the end of the caller's time")
				}
			})
		})
	}
}

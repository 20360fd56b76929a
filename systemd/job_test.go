package systemd

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/google/go-cmp/cmp"
)

const kubelet = "kubelet.service"

// wantsLink is what enables the kubelet.
const wantsLink = "/etc/systemd/system/multi-user.target.wants/kubelet.service"

// fakeBus answers like systemd's D-Bus interface. A job's result is sent at once, unless result is empty: then it is queued.
type fakeBus struct {
	mu     sync.Mutex
	props  map[string]map[string]any
	jobs   []dbus.JobStatus
	result string
	after  map[string]any // the unit's properties when its job has ended
	err    error
	calls  []string
	cut    bool // the connection, once a job is queued

}

func (f *fakeBus) call(s string) { f.mu.Lock(); defer f.mu.Unlock(); f.calls = append(f.calls, s) }

func (f *fakeBus) GetAllPropertiesContext(_ context.Context, unit string) (map[string]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.props[unit]), nil
}

func (f *fakeBus) ListJobsContext(context.Context) ([]dbus.JobStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return nil, errors.New("dbus: connection closed by user")
	}
	return slices.Clone(f.jobs), nil
}

func (f *fakeBus) start(verb, name, mode string, ch chan<- string) (int, error) {
	f.call(verb + " " + name + " " + mode)
	if f.err != nil {
		return 0, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.after != nil {
		maps.Copy(f.props[name], f.after)
	}
	if f.result != "" {
		ch <- f.result
	}
	return 7, nil
}

func (f *fakeBus) StartUnitContext(_ context.Context, name, mode string, ch chan<- string) (int, error) {
	return f.start("start", name, mode, ch)
}
func (f *fakeBus) StopUnitContext(_ context.Context, name, mode string, ch chan<- string) (int, error) {
	return f.start("stop", name, mode, ch)
}
func (f *fakeBus) RestartUnitContext(_ context.Context, name, mode string, ch chan<- string) (int, error) {
	return f.start("restart", name, mode, ch)
}
func (f *fakeBus) EnableUnitFilesContext(_ context.Context, files []string, runtime, force bool) (bool, []dbus.EnableUnitFileChange, error) {
	f.call("enable " + strings.Join(files, ","))
	return true, []dbus.EnableUnitFileChange{{Type: "symlink", Filename: wantsLink, Destination: "/usr/lib/systemd/system/kubelet.service"}}, f.err
}
func (f *fakeBus) DisableUnitFilesContext(_ context.Context, files []string, runtime bool) ([]dbus.DisableUnitFileChange, error) {
	f.call("disable " + strings.Join(files, ","))
	return []dbus.DisableUnitFileChange{{Type: "unlink", Filename: wantsLink}}, f.err
}
func (f *fakeBus) ReloadContext(context.Context) error { f.call("reload"); return f.err }
func (f *fakeBus) ResetFailedUnitContext(_ context.Context, name string) error {
	f.call("reset-failed " + name)
	return nil
}
func (f *fakeBus) Close()          {}
func (f *fakeBus) Connected() bool { return !f.cut }

func loaded(more map[string]any) map[string]any {
	props := map[string]any{"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead"}
	maps.Copy(props, more)
	return props
}

func newManager(f *fakeBus) *manager {
	return &manager{bus: f, syncDir: func(dir string) error { f.call("sync " + dir); return nil }, tick: time.Millisecond, stall: 5 * time.Millisecond,
		journal: func(context.Context, string, time.Time, int) ([]Line, error) {
			return []Line{{Text: "last words"}}, nil
		}}
}

func TestActivate(t *testing.T) {
	running := map[string]any{"ActiveState": "active", "SubState": "running"}
	for _, c := range []struct {
		name   string
		before map[string]any
		bus    *fakeBus
		want   string // the error's first line
		calls  string
	}{
		{"done", loaded(nil), &fakeBus{result: "done", after: running}, "", "restart kubelet.service replace"},
		{"was failed", loaded(map[string]any{"ActiveState": "failed", "Result": "start-limit-hit"}), &fakeBus{result: "done", after: running},
			"", "reset-failed kubelet.service;restart kubelet.service replace"},
		{"crash-loops", loaded(map[string]any{"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": uint32(6)}), &fakeBus{result: "done", after: running},
			"", "reset-failed kubelet.service;restart kubelet.service replace"},
		{"failed", loaded(nil), &fakeBus{result: "failed", after: map[string]any{"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": int32(1)}},
			"cannot restart kubelet.service: job failed: unit is failed (dead, exit-code, status 1)", "restart kubelet.service replace"},
		{"dies at once", loaded(nil), &fakeBus{result: "done", after: map[string]any{"ActiveState": "failed", "SubState": "failed"}},
			"cannot restart kubelet.service: job failed: unit is failed", "restart kubelet.service replace"},
		{"not executable", loaded(nil), &fakeBus{result: "done", after: map[string]any{"ActiveState": "activating", "SubState": "auto-restart", "ExecMainStatus": int32(203)}},
			"cannot restart kubelet.service: job failed: unit is activating (auto-restart, status 203)", "restart kubelet.service replace"},
		{"may get well", loaded(nil), &fakeBus{result: "done", after: map[string]any{"ActiveState": "activating", "SubState": "auto-restart", "ExecMainStatus": int32(1)}},
			"", "restart kubelet.service replace"},
		{"dependency", loaded(nil), &fakeBus{result: "dependency"},
			"cannot restart kubelet.service: job failed because a unit that it requires failed: unit is inactive (dead)", "restart kubelet.service replace"},
		{"condition not met", loaded(nil), &fakeBus{result: "done", after: map[string]any{"ConditionResult": false, "ConditionTimestamp": uint64(1)}},
			"cannot restart kubelet.service: job was skipped, a condition of the unit is not met: unit is inactive (dead)", "restart kubelet.service replace"},
		{"oneshot", loaded(nil), &fakeBus{result: "done", after: map[string]any{"ConditionResult": true, "ConditionTimestamp": uint64(1)}},
			"", "restart kubelet.service replace"},
		{"refused", loaded(nil), &fakeBus{err: errors.New("Access denied")}, "cannot restart kubelet.service: Access denied", "restart kubelet.service replace"},
		{"masked", loaded(map[string]any{"LoadState": "masked"}), &fakeBus{}, "cannot restart kubelet.service: unit is masked", ""},
		{"not found", loaded(map[string]any{"LoadState": "not-found"}), &fakeBus{}, "cannot restart kubelet.service: unit is not-found", ""},
		{"signal lost, running", loaded(nil), &fakeBus{after: running}, "", "restart kubelet.service replace"},
		{"signal lost, not running", loaded(nil), &fakeBus{}, "cannot restart kubelet.service: job failed: unit is inactive (dead)", "restart kubelet.service replace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.bus
			f.props = map[string]map[string]any{kubelet: c.before}
			err := newManager(f).Restart(t.Context(), kubelet)
			first := ""
			if err != nil {
				first, _, _ = strings.Cut(err.Error(), "\n")
			}
			if first != c.want || strings.Join(f.calls, ";") != c.calls {
				t.Errorf("error %v\nwant %s\ncalls %q\nwant %q", err, c.want, f.calls, c.calls)
			}
		})
	}
}

func blockedBus() *fakeBus {
	return &fakeBus{
		props: map[string]map[string]any{
			kubelet:                 loaded(map[string]any{"After": []string{"network-online.target", "basic.target"}}),
			"network-online.target": {"After": []string{"wait-online.service"}},
		},
		jobs: []dbus.JobStatus{
			{Id: 7, Unit: kubelet, JobType: "start", Status: "waiting"},
			{Id: 5, Unit: "network-online.target", JobType: "start", Status: "waiting"},
			{Id: 6, Unit: "wait-online.service", JobType: "start", Status: "running"},
			{Id: 8, Unit: "unrelated.service", JobType: "start", Status: "waiting"},
		},
	}
}

func TestBlockedJob(t *testing.T) {
	err := newManager(blockedBus()).Start(t.Context(), kubelet)
	var e *JobError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"network-online.target", "wait-online.service"}, e.BlockedBy); d != "" || e.Result != "still waiting" {
		t.Errorf("%v %s", err, d)
	}
	if d := cmp.Diff([]string{"last words"}, e.Journal); d != "" {
		t.Error(d)
	}
}

func TestContextEnds(t *testing.T) {
	m := newManager(blockedBus())
	m.stall = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
	defer cancel()
	err := m.Start(ctx, kubelet)
	if e := new(JobError); !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) || len(e.BlockedBy) != 2 {
		t.Errorf("time is up: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(3*time.Millisecond, cancel)
	if err := m.Start(ctx, kubelet); !errors.Is(err, context.Canceled) || errors.As(err, new(*JobError)) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestStop(t *testing.T) {
	f := &fakeBus{result: "done", props: map[string]map[string]any{kubelet: loaded(nil), "none.service": {"LoadState": "not-found", "ActiveState": "inactive"}}}
	m := newManager(f)
	for _, name := range []string{"none.service", kubelet} {
		if err := m.Stop(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if d := cmp.Diff([]string{"stop kubelet.service replace"}, f.calls); d != "" {
		t.Error(d)
	}
}

func TestSyncDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := syncDirectory(dir); err != nil {
		t.Error(err)
	}
	if err := syncDirectory(dir + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestEnable(t *testing.T) {
	f := &fakeBus{props: map[string]map[string]any{kubelet: loaded(nil), "m.service": loaded(map[string]any{"LoadState": "masked"})}}
	m := newManager(f)
	if err := errors.Join(m.Enable(t.Context(), kubelet), m.Disable(t.Context(), kubelet)); err != nil {
		t.Error(err)
	}
	if err := m.Enable(t.Context(), "m.service"); err == nil || err.Error() != "cannot enable m.service: unit is masked\nrun: systemctl unmask m.service" {
		t.Error(err)
	}
	// The link is on the disk before systemd says that the unit is enabled, or is not, and so is its directory, which may be new.
	durable := []string{"sync /etc/systemd/system/multi-user.target.wants", "sync /etc/systemd/system", "reload"}
	want := slices.Concat([]string{"enable kubelet.service"}, durable, []string{"disable kubelet.service"}, durable)
	if d := cmp.Diff(want, f.calls); d != "" {
		t.Error(d)
	}
	m.syncDir = func(string) error { return syscall.EIO }
	if err := m.Enable(t.Context(), kubelet); !errors.Is(err, syscall.EIO) || !strings.HasPrefix(err.Error(), "cannot enable kubelet.service: cannot write /etc") {
		t.Error(err)
	}
	m.syncDir = func(string) error { return fs.ErrNotExist }
	if err := m.Disable(t.Context(), kubelet); err != nil {
		t.Errorf("the directory went with its last link: %v", err)
	}
}

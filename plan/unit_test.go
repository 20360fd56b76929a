package plan_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// runningKubelet is a kubelet that started an hour ago.
func runningKubelet(tg *plan.Target, enabled string) *systemdtest.Fake {
	units := tg.Systemd.(*systemdtest.Fake)
	units.Set(systemd.Unit{
		Name: "kubelet.service", ActiveState: "active", SubState: "running", UnitFileState: enabled, MainPID: 7,
		ActiveEnter: time.Now().Add(-time.Hour),
	})
	return units
}

// TestEnableWithoutRestart: a process that is right goes on when only the start at boot is missing, or would be lost.
func TestEnableWithoutRestart(t *testing.T) {
	u := plan.Unit{Name: "kubelet.service", Enabled: true, Running: true}
	for _, state := range []string{"disabled", "enabled-runtime"} {
		tg := newTarget(t)
		units := runningKubelet(tg, state)
		c, err := u.Diff(context.Background(), tg)
		if err != nil || c.Kind != plan.Update || c.Why != "not enabled" {
			t.Fatalf("%s: %v, %v", state, c, err)
		}
		if err := u.Apply(context.Background(), tg); err != nil {
			t.Fatal(err)
		}
		calls := units.Calls()
		if !slices.Contains(calls, "enable kubelet.service") || slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "restart") }) {
			t.Errorf("%s: %v", state, calls)
		}
		if c, err := u.Diff(context.Background(), tg); err != nil || c.Kind != plan.Same {
			t.Errorf("%s: afterwards %v, %v", state, c, err)
		}
	}
}

// TestEndedAtOnce: a process that ends just after it was started, and is started again, is for the wait that follows.
func TestEndedAtOnce(t *testing.T) {
	u := plan.Unit{Name: "kubelet.service", Running: true}
	for state, want := range map[string]string{"auto-restart": "", "dead": "cannot apply unit kubelet.service: it still differs afterwards: not running"} {
		tg := newTarget(t)
		units := tg.Systemd.(*systemdtest.Fake)
		units.Set(systemd.Unit{Name: "kubelet.service"})
		units.Started = func(name string) {
			units.Set(systemd.Unit{Name: name, ActiveState: "activating", SubState: state, Result: "exit-code", ExecMainStatus: 1})
		}
		r := plan.Runner{Target: tg}
		_, err := r.Run(t.Context(), plan.Plan{Sections: []plan.Section{{Phase: "p", Steps: []plan.Step{u}}}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", state, err)
		}
		if c, err := u.Diff(t.Context(), tg); err != nil || c.Kind != plan.Update {
			t.Errorf("%s: the next run leaves it as it is: %v, %v", state, c, err)
		}
	}
}

// TestFileFromTheFuture: after the clock was set back, a file is newer than any process. It must not restart one for ever.
func TestFileFromTheFuture(t *testing.T) {
	u := plan.Unit{Name: "kubelet.service", Enabled: true, Running: true, RestartOn: []string{"/etc/default/kubelet"}}
	tg := newTarget(t)
	runningKubelet(tg, "enabled")
	if err := tg.Host.MkdirAll("/etc/default", 0o755); err != nil {
		t.Fatal(err)
	}
	write("/etc/default/kubelet", "x", 0o644)(t, tg)
	if c, err := u.Diff(context.Background(), tg); err != nil || c.Kind != plan.Update {
		t.Fatalf("a newer file: %v, %v", c, err)
	}
	tg.Host.Now = func() time.Time { return time.Now().Add(-30 * time.Minute) }
	if c, err := u.Diff(context.Background(), tg); err != nil || c.Kind != plan.Same {
		t.Errorf("a file from the future: %v, %v", c, err)
	}
}

// TestProcessFromTheFuture: after the clock was set back no file is newer than the process, whatever it has read. It is restarted
// once, and the plan says why, also when there is another reason.
func TestProcessFromTheFuture(t *testing.T) {
	u := plan.Unit{Name: "kubelet.service", Enabled: true, Running: true}
	tg := newTarget(t)
	units := runningKubelet(tg, "disabled")
	clock := time.Now().Add(-2 * time.Hour)
	tg.Host.Now = func() time.Time { return clock }
	units.Now = tg.Host.Now
	if c, err := u.Diff(context.Background(), tg); err != nil || c.Why != "not enabled, the clock was set back since it started" {
		t.Fatalf("%v, %v", c, err)
	}
	for range 2 {
		if err := u.Apply(context.Background(), tg); err != nil {
			t.Fatal(err)
		}
	}
	restarts := 0
	for _, call := range units.Calls() {
		if call == "restart kubelet.service" {
			restarts++
		}
	}
	if c, err := u.Diff(context.Background(), tg); err != nil || c.Kind != plan.Same || restarts != 1 {
		t.Errorf("%d restarts, and then %v, %v", restarts, c, err)
	}
}

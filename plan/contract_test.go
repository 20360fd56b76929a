package plan_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
	"github.com/kubewright/kubewright/systemd"
	"github.com/kubewright/kubewright/systemd/systemdtest"
)

// contract is what every kind of step promises: blank, Create, Apply, Same, disturb, Update, Apply, Same, Undo, as before.
type contract struct {
	name    string
	step    plan.Step
	prepare func(t *testing.T, tg *plan.Target)
	first   plan.Kind
	// disturb changes the thing behind the step's back; nil where that can't happen.
	disturb func(t *testing.T, tg *plan.Target)
	second  plan.Kind
	// asBefore says whether Undo brought back what prepare left; nil for a step that has no undo.
	asBefore func(t *testing.T, tg *plan.Target) bool
}

func newTarget(t *testing.T) *plan.Target {
	units := systemdtest.New()
	h := hosttest.New(t)
	units.Set(systemd.Unit{Name: "kubelet.service", LoadState: "loaded", ActiveState: "inactive", UnitFileState: "disabled"})
	return &plan.Target{Host: h, Systemd: units, Runtime: &hosttest.Runtime{}, API: plantest.NewAPI()}
}

func write(path, data string, mode fs.FileMode) func(*testing.T, *plan.Target) {
	return func(t *testing.T, tg *plan.Target) {
		t.Helper()
		if err := tg.Host.WriteFile(path, host.FileSpec{Data: []byte(data), Mode: mode}); err != nil {
			t.Fatal(err)
		}
	}
}

func gone(path string) func(*testing.T, *plan.Target) bool {
	return func(_ *testing.T, tg *plan.Target) bool {
		_, err := tg.Host.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	}
}

func holds(path, data string, mode fs.FileMode) func(*testing.T, *plan.Target) bool {
	return func(_ *testing.T, tg *plan.Target) bool {
		have, err := tg.Host.ReadFile(path)
		info, statErr := tg.Host.Stat(path)
		return err == nil && statErr == nil && string(have) == data && info.Mode.Perm() == mode
	}
}

func configMap(value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "c"},
		Data:       map[string]string{"key": value},
	}
}

func contracts() []contract {
	var done bool
	return []contract{
		{
			name: "new file", step: plan.File{Path: "/etc/f", Mode: 0o600, Data: []byte("a")},
			first: plan.Create, disturb: write("/etc/f", "b", 0o600), second: plan.Update, asBefore: gone("/etc/f"),
		},
		{
			name: "file that differs", step: plan.File{Path: "/etc/f", Mode: 0o600, Data: []byte("a")},
			prepare: write("/etc/f", "old", 0o644), first: plan.Update,
			disturb: write("/etc/f", "a", 0o644), second: plan.Update, asBefore: holds("/etc/f", "old", 0o644),
		},
		{
			name: "file that should go", step: plan.File{Path: "/etc/f", Absent: true},
			prepare: write("/etc/f", "old", 0o640), first: plan.Delete,
			disturb: write("/etc/f", "x", 0o640), second: plan.Delete, asBefore: holds("/etc/f", "old", 0o640),
		},
		{
			name: "link", step: plan.File{Path: "/etc/l", Link: "target"}, first: plan.Create,
			disturb: func(t *testing.T, tg *plan.Target) {
				if err := tg.Host.Symlink("other", "/etc/l"); err != nil {
					t.Fatal(err)
				}
			}, second: plan.Update, asBefore: gone("/etc/l"),
		},
		{
			name: "directory", step: plan.File{Path: "/etc/d", Dir: true, Mode: 0o700}, first: plan.Create,
			disturb: func(t *testing.T, tg *plan.Target) {
				if err := tg.Host.RemoveEmptyDir("/etc/d"); err != nil {
					t.Fatal(err)
				}
			}, second: plan.Create, asBefore: gone("/etc/d"),
		},
		{
			name: "unit", step: plan.Unit{Name: "kubelet.service", Enabled: true, Running: true, RestartOn: []string{"/etc/f"}},
			first: plan.Update, second: plan.Update,
			disturb: func(t *testing.T, tg *plan.Target) {
				time.Sleep(20 * time.Millisecond) // file times are as coarse as the kernel's tick
				write("/etc/f", "newer", 0o644)(t, tg)
			},
			asBefore: func(t *testing.T, tg *plan.Target) bool {
				u, err := tg.Systemd.Unit(context.Background(), "kubelet.service")
				return err == nil && u.ActiveState != "active" && u.UnitFileState == "disabled"
			},
		},
		{
			name: "object", step: plan.Object{Obj: configMap("a")}, first: plan.Create, second: plan.Update,
			disturb: func(t *testing.T, tg *plan.Target) {
				if _, err := tg.API.Apply(context.Background(), configMap("b"), false); err != nil {
					t.Fatal(err)
				}
			},
			asBefore: func(t *testing.T, tg *plan.Target) bool {
				live, err := tg.API.Live(context.Background(), configMap(""))
				return err == nil && live == nil
			},
		},
		{name: "image", step: plan.Image{Refs: []string{"registry.k8s.io/pause:3.10"}}, first: plan.Run},
		{
			name: "do", first: plan.Run, second: plan.Run,
			step: plan.Do{
				Name: "do it",
				Done: func(context.Context, *plan.Target) (bool, error) { return done, nil },
				Run:  func(context.Context, *plan.Target) error { done = true; return nil },
			},
			disturb: func(*testing.T, *plan.Target) { done = false },
		},
		{
			name: "wait", first: plan.Run,
			step: func() plan.Step {
				n := 0
				return plan.Wait{For: "the third look", Probe: func(context.Context, *plan.Target) error {
					if n++; n < 3 {
						return errors.New("too early")
					}
					return nil
				}}
			}(),
		},
	}
}

func TestStepContract(t *testing.T) {
	for _, c := range contracts() {
		t.Run(c.name, func(t *testing.T) { c.check(t) })
	}
}

func (c contract) check(t *testing.T) {
	ctx, tg := context.Background(), newTarget(t)
	if c.prepare != nil {
		c.prepare(t, tg)
	}
	var before *plan.Before
	if u, ok := c.step.(plan.Undoable); ok {
		var err error
		if before, err = u.Before(ctx, tg); err != nil {
			t.Fatalf("Before: %v", err)
		}
	}
	c.settle(t, tg, c.first)
	if c.disturb != nil {
		c.disturb(t, tg)
		c.settle(t, tg, c.second)
	}
	if (before == nil) != (c.asBefore == nil) {
		t.Fatalf("Undoable is %t, but the test expects %t", before != nil, c.asBefore != nil)
	}
	if before == nil {
		return
	}
	back := plan.Plan{Sections: []plan.Section{{Phase: "back", Steps: before.Back()}}}
	for range 2 {
		if _, err := (&plan.Runner{Target: tg}).Run(ctx, back); err != nil {
			t.Fatalf("Back: %v", err)
		}
		if !c.asBefore(t, tg) {
			t.Error("Back did not bring back what was there")
		}
	}
}

// settle checks that the step wants one kind of change, applies it, and that nothing is left to do; twice.
func (c contract) settle(t *testing.T, tg *plan.Target, want plan.Kind) {
	t.Helper()
	ctx := context.Background()
	for i, kind := range []plan.Kind{want, plan.Same} {
		got, err := c.step.Diff(ctx, tg)
		if err != nil || got.Kind != kind {
			t.Fatalf("look %d: Diff is %v (%s), %v; want %v", i, got.Kind, got.Why, err, kind)
		}
		if err := c.step.Apply(ctx, tg); err != nil {
			t.Fatalf("Apply: %v", err)
		}
	}
	if got, err := c.step.Diff(ctx, tg); err != nil || got.Kind != plan.Same {
		t.Fatalf("after applying twice: Diff is %v (%s), %v", got.Kind, got.Why, err)
	}
}

package plan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/plan/plantest"
)

// parse reads the tests' little language: one step a line, "file PATH TEXT", "dir PATH", "gone PATH", "object VALUE",
// "unit NAME", "fail TEXT", "stubborn NAME". A line "phase NAME" begins a section.
func parse(t *testing.T, text string) plan.Plan {
	t.Helper()
	var p plan.Plan
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "phase" {
			p.Sections = append(p.Sections, plan.Section{Phase: words[1]})
			continue
		}
		s := &p.Sections[len(p.Sections)-1]
		s.Steps = append(s.Steps, parseStep(t, words))
	}
	return p
}

func parseStep(t *testing.T, words []string) plan.Step {
	t.Helper()
	switch words[0] {
	case "file":
		return plan.File{Path: words[1], Mode: 0o644, Data: []byte(words[2])}
	case "secret":
		return plan.File{Path: words[1], Mode: 0o600, Data: []byte(words[2]), Secret: true}
	case "dir":
		return plan.File{Path: words[1], Dir: true, Mode: 0o755}
	case "gone":
		return plan.File{Path: words[1], Absent: true}
	case "object":
		return plan.Object{Obj: configMap(words[1])}
	case "unit":
		return plan.Unit{Name: words[1], Enabled: true, Running: true, RestartOn: []string{"/etc/kubelet.conf"}}
	case "fail":
		return plan.Do{
			Name: "fail", Done: func(context.Context, *plan.Target) (bool, error) { return false, nil },
			Run: func(context.Context, *plan.Target) error { return errors.New(words[1]) },
		}
	case "stubborn":
		return plan.Do{
			Name: words[1], Done: func(context.Context, *plan.Target) (bool, error) { return false, nil },
			Run: func(context.Context, *plan.Target) error { return nil },
		}
	}
	t.Fatalf("the test's plan has no step %q", words[0])
	return nil
}

const wholePlan = `
phase certs
  dir /etc/pki
  secret /etc/pki/ca.key KEY
  file /etc/pki/ca.crt CERT
phase kubelet
  file /etc/kubelet.conf CONF
  gone /etc/old
  unit kubelet.service
phase upload
  object a
`

func newRunner(tg *plan.Target) *plan.Runner {
	return &plan.Runner{Target: tg, Journal: &plan.Journal{Host: tg.Host, Command: "init"}}
}

func TestRunTwice(t *testing.T) {
	tg := newTarget(t)
	write("/etc/old", "x", 0o644)(t, tg)
	n, err := newRunner(tg).Run(context.Background(), parse(t, wholePlan))
	if err != nil || n != 7 {
		t.Fatalf("first run: %d changes, %v; want 7", n, err)
	}
	r := newRunner(tg)
	n, err = r.Run(context.Background(), parse(t, wholePlan))
	if err != nil || n != 0 {
		t.Fatalf("second run: %d changes, %v; want none", n, err)
	}
	if r.Journal.Dir() != "" {
		t.Error("a run without changes left a journal")
	}
}

func TestRunStopsAtFailure(t *testing.T) {
	tg := newTarget(t)
	p := parse(t, "phase a\n file /etc/one 1\n fail boom\n file /etc/two 2\n")
	n, err := newRunner(tg).Run(context.Background(), p)
	if n != 1 || err == nil || err.Error() != "a: boom" {
		t.Fatalf("Run: %d changes, %v", n, err)
	}
	if tg.Host.Exists("/etc/two") {
		t.Error("a step after the failing one was applied")
	}
}

func TestRunNoticesWhatDidNotHelp(t *testing.T) {
	_, err := newRunner(newTarget(t)).Run(context.Background(), parse(t, "phase a\n stubborn mule\n"))
	if err == nil || !strings.Contains(err.Error(), "cannot apply mule: it still differs afterwards") {
		t.Fatalf("Run: %v", err)
	}
}

func TestRunStopsWhenAsked(t *testing.T) {
	tg := newTarget(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	r := newRunner(tg)
	r.Observer.Step = func(it plan.Item) {
		if strings.HasSuffix(it.Step.String(), "ca.key") {
			cancel(errors.New("the user asked"))
		}
	}
	_, err := r.Run(ctx, parse(t, wholePlan))
	if err == nil || !strings.Contains(err.Error(), "stopped before file /etc/pki/ca.crt: the user asked") {
		t.Fatalf("Run: %v", err)
	}
}

// The engine connects to the cluster only when the first step needs it, and not before.
func TestRunConnectsLate(t *testing.T) {
	tg := newTarget(t)
	tg.API = nil
	api := plantest.NewAPI()
	r := newRunner(tg)
	r.API = func(context.Context) (plan.API, error) {
		if !tg.Host.Exists("/etc/kubelet.conf") {
			t.Error("connected before the files were written")
		}
		return api, nil
	}
	if _, err := r.Run(context.Background(), parse(t, wholePlan)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ConfigMap kube-system/c"}, api.Names()); diff != "" {
		t.Error(diff)
	}
}

var errCrash = errors.New("crash")

// Stop at every single change of the file system, run again: the end is the same, and nothing is half there.
func TestCrashEverywhere(t *testing.T) {
	want := snapshot(t, runWhole(t, -1))
	for n := 0; ; n++ {
		tg := runWhole(t, n)
		if tg == nil {
			if n < 20 {
				t.Fatalf("only %d places to crash at: the test does not bite", n)
			}
			return
		}
		tg.Host.Fault = nil
		if _, err := newRunner(tg).Run(context.Background(), parse(t, wholePlan)); err != nil {
			t.Fatalf("run again after a crash at %d: %v", n, err)
		}
		if diff := cmp.Diff(want, snapshot(t, tg)); diff != "" {
			t.Fatalf("after a crash at %d:\n%s", n, diff)
		}
	}
}

// runWhole runs the plan and crashes at the nth change of the file system; n < 0 means never.
// It returns nil when there is no nth change.
func runWhole(t *testing.T, n int) *plan.Target {
	t.Helper()
	tg := newTarget(t)
	write("/etc/old", "x", 0o644)(t, tg)
	seen, crashed := 0, false
	if n >= 0 {
		tg.Host.Fault = func(op, path string) error {
			if seen++; crashed || seen > n {
				crashed = true
				return fmt.Errorf("%w: %s %s", errCrash, op, path)
			}
			return nil
		}
	}
	_, err := newRunner(tg).Run(context.Background(), parse(t, wholePlan))
	if crashed != (err != nil) {
		t.Fatalf("crash at %d: crashed is %t, error is %v", n, crashed, err)
	}
	if n >= 0 && !crashed {
		return nil
	}
	return tg
}

// snapshot lists the files below /etc with mode and content, but temporary ones, and the objects.
func snapshot(t *testing.T, tg *plan.Target) []string {
	t.Helper()
	var list []string
	var walk func(dir string)
	walk = func(dir string) {
		names, err := tg.Host.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			path := dir + "/" + name
			info, err := tg.Host.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.IsDir() {
				list = append(list, fmt.Sprintf("%s %v", path, info.Mode))
				walk(path)
			} else if !strings.HasPrefix(name, ".") {
				data, err := tg.Host.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, fmt.Sprintf("%s %v %s", path, info.Mode, data))
			}
		}
	}
	walk("/etc")
	return append(list, tg.API.(*plantest.API).Names()...)
}

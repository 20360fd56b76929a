package plan_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

func failing(name string, err error) plan.Do {
	return plan.Do{
		Name: name, Left: func(context.Context, *plan.Target) ([]string, error) { return []string{"one", "two"}, nil },
		Run: func(context.Context, *plan.Target) error { return err },
	}
}

// A step that fails is no reason to leave out the others, and the error tells all of them.
func TestKeepGoing(t *testing.T) {
	h := hosttest.New(t)
	first, second := errors.New("cannot unmount /a: busy\nlook with: lsof"), errors.New("cannot ask")
	p := plan.Plan{Sections: []plan.Section{
		{Phase: "a", KeepGoing: true, Steps: []plan.Step{failing("x", first), file("/etc/a", "a"), failing("y", second)}},
		{Phase: "b", Steps: []plan.Step{file("/etc/b", "b")}},
	}}
	r := plan.Runner{Target: &plan.Target{Host: h}}
	changes, err := r.Run(context.Background(), p)
	if !errors.Is(err, first) || !errors.Is(err, second) || changes != 2 || !h.Exists("/etc/a") || !h.Exists("/etc/b") {
		t.Errorf("%d changes, %v", changes, err)
	}
	want := "2 parts failed, the others are done\n- a: cannot unmount /a: busy\n  look with: lsof\n- a: cannot ask"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// After a section that does not keep going the run ends, and what failed before is told, too.
func TestKeepGoingEnds(t *testing.T) {
	h := hosttest.New(t)
	soft, hard := errors.New("soft"), errors.New("hard")
	p := plan.Plan{Sections: []plan.Section{
		{Phase: "a", KeepGoing: true, Steps: []plan.Step{failing("x", soft)}},
		{Phase: "b", Steps: []plan.Step{failing("y", hard), file("/etc/b", "b")}},
		{Phase: "c", KeepGoing: true, Steps: []plan.Step{file("/etc/c", "c")}},
	}}
	r := plan.Runner{Target: &plan.Target{Host: h}}
	_, err := r.Run(context.Background(), p)
	if !errors.Is(err, hard) || !strings.Contains(err.Error(), "before that, a: soft") || h.Exists("/etc/b") || h.Exists("/etc/c") {
		t.Errorf("%v", err)
	}
}

// An optional step that fails is a warning.
func TestOptional(t *testing.T) {
	h := hosttest.New(t)
	var warned []string
	step := failing("x", errors.New("may not"))
	step.Optional = true
	r := plan.Runner{Target: &plan.Target{Host: h, Warn: func(m string) { warned = append(warned, m) }}}
	_, err := r.Run(context.Background(), plan.Plan{Sections: []plan.Section{{Phase: "a", Steps: []plan.Step{step, file("/etc/b", "b")}}}})
	if err != nil || len(warned) != 1 || warned[0] != "may not" || !h.Exists("/etc/b") {
		t.Errorf("%v, warnings %v", err, warned)
	}
}

// A preview lists what a step takes away, and what can't be told is no reason not to show the rest.
func TestPreviewOfRemoval(t *testing.T) {
	h := hosttest.New(t)
	run(t, h, "init", file("/etc/k/pki/ca.key", "k"), file("/etc/k/other", "o"))
	blind := failing("blind", nil)
	blind.Left = func(context.Context, *plan.Target) ([]string, error) { return nil, errors.New("nobody answers\nmore") }
	p := plan.Plan{Sections: []plan.Section{{Phase: "a", KeepGoing: true, Steps: []plan.Step{
		failing("remove rules", nil), blind,
		plan.File{Path: "/etc/k/pki/ca.key", Absent: true, Forget: true},
		plan.File{Path: "/etc/k/pki", Dir: true, Absent: true, Extent: plan.IfEmpty},
		plan.File{Path: "/etc/k", Dir: true, Absent: true, Extent: plan.IfEmpty},
	}}}}
	items, err := p.Preview(context.Background(), &plan.Target{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	want := `a
  - remove rules
      one
      two
  ? blind: nobody answers  (can't be taken back)
  - file /etc/k/pki/ca.key
  - directory /etc/k/pki
Plan: 3 to delete, 1 that can't be told yet.
`
	if got := plan.Text(items, plan.TextOptions{}); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// A step is optional, or no reason not to go on; that it is recorded is neither. What is recorded for people only ends no run that goes on.
func TestUnrecorded(t *testing.T) {
	h := hosttest.New(t)
	step := failing("x", nil)
	step.Optional = true
	p := plan.Plan{Sections: []plan.Section{{Phase: "a", KeepGoing: true, Steps: []plan.Step{file("/etc/a", "a")}}, {Phase: "b", KeepGoing: true, Steps: []plan.Step{step, file("/etc/b", "b"), file("/etc/c", "c")}}}}
	appends := 0
	h.Fault = func(op, _ string) error {
		if op != "append" {
			return nil
		}
		if appends++; appends > 1 { // the first is the record of the file
			return syscall.ENOSPC
		}
		return nil
	}
	journal := &plan.Journal{Host: h, Command: "test"}
	r := plan.Runner{Target: &plan.Target{Host: h}, Journal: journal}
	_, err := r.Run(context.Background(), p)
	if !errors.Is(err, syscall.ENOSPC) || appends != 4 || strings.Count(err.Error(), "no space left") != 1 {
		t.Errorf("%v after %d records", err, appends)
	}
	h.Fault = nil
	if err := journal.End(plan.Failed, err); err != nil {
		t.Fatal(err)
	}
	runs, err := plan.History(h)
	if err != nil || len(runs) != 1 || len(runs[0].Phases) != 2 {
		t.Errorf("%v %+v", err, runs)
	}
}

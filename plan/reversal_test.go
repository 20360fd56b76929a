package plan_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
)

// past runs the steps as one run on the target, and ends it with the result; Unfinished leaves it without an end.
func past(t *testing.T, tg *plan.Target, command string, result plan.Result, steps ...plan.Step) {
	t.Helper()
	r := plan.Runner{Target: tg, Journal: &plan.Journal{Host: tg.Host, Command: command}}
	if _, err := r.Run(context.Background(), plan.Plan{Sections: []plan.Section{{Phase: "p", Steps: steps}}}); err != nil {
		t.Fatal(err)
	}
	if result == plan.Unfinished {
		return
	}
	if err := r.Journal.End(result, nil); err != nil {
		t.Fatal(err)
	}
}

func history(t *testing.T, h *host.Host) []plan.PastRun {
	t.Helper()
	runs, err := plan.History(h)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestReverse(t *testing.T) {
	ctx, tg := context.Background(), newTarget(t)
	write("/etc/mine", "before", 0o640)(t, tg)
	write("/etc/gone", "was here", 0o600)(t, tg)
	if _, err := tg.API.Apply(ctx, configMap("before"), false); err != nil {
		t.Fatal(err)
	}
	other := configMap("x")
	other.Name = "new"
	past(t, tg, "init", plan.Failed, file("/etc/mine", "first"), file("/etc/new/pki/ca.key", "KEY"), plan.File{Path: "/etc/gone", Absent: true})
	past(t, tg, "init", plan.Finished, file("/etc/mine", "second"), plan.File{Path: "/etc/link", Link: "/etc/mine"},
		plan.Unit{Name: "kubelet.service", Enabled: true, Running: true}, plan.Object{Obj: configMap("after")}, plan.Object{Obj: other})
	r, err := plan.Reverse(tg.Host, history(t, tg.Host))
	if err != nil || r.Barrier != nil || r.Foreign != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	if diff := cmp.Diff([]string{"/etc/link", "/etc/mine", "/etc/gone", "/etc/new/pki/ca.key"}, r.Paths); diff != "" {
		t.Error(diff)
	}
	back := plan.Plan{Sections: []plan.Section{{Phase: "files", Steps: r.Files}, {Phase: "objects", Steps: r.Objects}}}
	for _, u := range r.Units {
		back.Sections = append(back.Sections, plan.Section{Phase: "units", Steps: []plan.Step{u}})
	}
	for round, want := range []bool{true, false} {
		n, err := (&plan.Runner{Target: tg}).Run(ctx, back)
		if err != nil || n > 0 != want {
			t.Fatalf("round %d: %d changes, %v", round, n, err)
		}
	}
	for path, as := range map[string]func(*testing.T, *plan.Target) bool{
		"/etc/mine": holds("/etc/mine", "before", 0o640), "/etc/gone": holds("/etc/gone", "was here", 0o600),
		"/etc/new": gone("/etc/new"), "/etc/link": gone("/etc/link"),
	} {
		if !as(t, tg) {
			t.Errorf("%s is not as before", path)
		}
	}
	if names := strings.Join(tg.API.(interface{ Names() []string }).Names(), ", "); names != "ConfigMap kube-system/c" {
		t.Errorf("objects: %s", names)
	}
	if live, err := tg.API.Live(ctx, configMap("")); err != nil || !strings.Contains(text(live), "before") {
		t.Errorf("the ConfigMap is %s, %v", text(live), err)
	}
	if u, err := tg.Systemd.Unit(ctx, "kubelet.service"); err != nil || u.ActiveState == "active" || u.UnitFileState == "enabled" {
		t.Errorf("unit: %+v, %v", u, err)
	}
}

// Others' work is named, not undone unseen.
func TestReverseForeign(t *testing.T) {
	tg := newTarget(t)
	write("/etc/a", "old", 0o600)(t, tg)
	past(t, tg, "init", plan.Finished, file("/etc/a", "ours"), file("/etc/b", "ours"), file("/etc/c", "ours"), file("/etc/d", "ours"))
	write("/etc/a", "old", 0o600)(t, tg)
	write("/etc/b", "theirs", 0o600)(t, tg)
	if err := tg.Host.Remove("/etc/c"); err != nil {
		t.Fatal(err)
	}
	r, err := plan.Reverse(tg.Host, history(t, tg.Host))
	if err != nil || !cmp.Equal(r.Foreign, []string{"/etc/b"}) {
		t.Errorf("%+v, %v", r.Foreign, err)
	}
}

// What is final is not passed, and nothing before it is touched. What is passing is no obstacle.
func TestReverseBarrier(t *testing.T) {
	tg := newTarget(t)
	do := func(passing bool) plan.Do {
		done := false
		return plan.Do{
			Name: "add a member", Passing: passing,
			Done: func(context.Context, *plan.Target) (bool, error) { return done, nil },
			Run:  func(context.Context, *plan.Target) error { done = true; return nil },
		}
	}
	past(t, tg, "join", plan.Finished, file("/etc/a", "x"), do(false), file("/etc/b", "x"), do(true), file("/etc/c", "x"))
	r, err := plan.Reverse(tg.Host, history(t, tg.Host))
	if err != nil || r.Barrier == nil || r.Barrier.Step != "add a member" || !cmp.Equal(r.Paths, []string{"/etc/c", "/etc/b"}) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestReverseObjectChangedSince(t *testing.T) {
	ctx, tg := context.Background(), newTarget(t)
	if _, err := tg.API.Apply(ctx, configMap("before"), false); err != nil {
		t.Fatal(err)
	}
	past(t, tg, "init", plan.Finished, plan.Object{Obj: configMap("ours")})
	if _, err := tg.API.Apply(ctx, configMap("theirs"), false); err != nil {
		t.Fatal(err)
	}
	r, err := plan.Reverse(tg.Host, history(t, tg.Host))
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	tg.Warn = func(s string) { told = append(told, s) }
	n, err := (&plan.Runner{Target: tg}).Run(ctx, plan.Plan{Sections: []plan.Section{{Phase: "objects", Steps: r.Objects}}})
	if err != nil || n != 0 || len(told) != 1 || !strings.Contains(told[0], "changed since") {
		t.Errorf("%d changes, %v, told %q", n, err, told)
	}
}

func TestLast(t *testing.T) {
	for list, want := range map[string]string{
		"":                                "",
		"init done":                       "init",
		"init failed, init done":          "init,init",
		"init done, init done":            "init",
		"init done, init failed":          "init",
		"init failed, join done":          "join",
		"init done, join failed, join -":  "join,join",
		"rollback -":                      "",
		"init done, rollback -":           "init",
		"init -, rollback -, init failed": "init,init",
	} {
		var runs []plan.PastRun
		for _, part := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
			command, result, _ := strings.Cut(strings.TrimSpace(part), " ")
			run := plan.PastRun{Dir: "/x/1-" + command, Command: command}
			if result != "-" {
				run.End = &plan.End{Result: plan.Result(result)}
			}
			runs = append(runs, run)
		}
		group, resumed := plan.Last(runs, "rollback")
		if got := commands(group); got != want || resumed {
			t.Errorf("%s: %s, want %s; resumed: %v", list, got, want, resumed)
		}
	}
	// A rollback that was cut off goes on, whatever is left of its runs.
	runs := []plan.PastRun{
		{Dir: "/x/1-init", Command: "init", End: &plan.End{Result: plan.Finished}}, {Dir: "/x/2-init", Command: "init"},
		{Dir: "/x/4-rollback", Command: "rollback", Run: plan.Begun{Of: []string{"2-init", "3-init"}}},
	}
	if group, resumed := plan.Last(runs, "rollback"); len(group) != 1 || group[0].ID() != "2-init" || !resumed {
		t.Errorf("%v, %v", group, resumed)
	}
}

func commands(runs []plan.PastRun) string {
	var names []string
	for _, r := range runs {
		names = append(names, r.Command)
	}
	return strings.Join(names, ",")
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// What a run that was killed has left half-written goes as well: it may be a key, and nothing is written beside it any more.
func TestReverseHalfWritten(t *testing.T) {
	tg := newTarget(t)
	past(t, tg, "init", plan.Unfinished, file("/etc/new/pki/ca.key", "KEY"))
	left := []string{"/etc/new/pki/.ca.crt.0123456789abcdef.tmp", "/etc/new/pki/.ca.key.0123456789abcdef.tmp"}
	for _, path := range left {
		write(path, "half", 0o600)(t, tg)
	}
	r, err := plan.Reverse(tg.Host, history(t, tg.Host))
	if err != nil || r.Foreign != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	back := plan.Plan{Sections: []plan.Section{{Phase: "files", Steps: r.Files}}}
	if _, err := (&plan.Runner{Target: tg}).Run(context.Background(), back); err != nil || tg.Host.Exists("/etc/new") {
		t.Errorf("%v, %v are left", err, left)
	}
}

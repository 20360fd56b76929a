package plan_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// run applies files in the name of a command.
func run(t *testing.T, h *host.Host, command string, steps ...plan.Step) {
	t.Helper()
	r := plan.Runner{Target: &plan.Target{Host: h}, Journal: &plan.Journal{Host: h, Command: command}}
	if _, err := r.Run(context.Background(), plan.Plan{Sections: []plan.Section{{Phase: "p", Steps: steps}}}); err != nil {
		t.Fatal(err)
	}
}

func file(path, data string) plan.File { return plan.File{Path: path, Mode: 0o600, Data: []byte(data)} }

func TestOrigin(t *testing.T) {
	h := hosttest.New(t)
	if err := h.MkdirAll("/etc/old", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteFile("/etc/old/mine", host.FileSpec{Data: []byte("before"), Mode: 0o640}); err != nil {
		t.Fatal(err)
	}
	run(t, h, "init", file("/etc/old/mine", "first"), file("/etc/new/pki/ca.key", "KEY"))
	run(t, h, "init", file("/etc/old/mine", "second"), file("/etc/new/pki/ca.key", "KEY2"))
	run(t, h, "reset", plan.File{Path: "/etc/new/pki/ca.key", Absent: true}, file("/etc/other", "x"))
	runs, err := plan.History(h)
	if err != nil || len(runs) != 3 || runs[2].Command != "reset" {
		t.Fatalf("history: %+v, %v", runs, err)
	}
	o := plan.OriginOf(runs, "reset")
	if !o.Made("/etc/new/pki/ca.key") || o.Made("/etc/old/mine") || o.Files["/etc/other"] != nil {
		t.Errorf("origin: %+v", o.Files)
	}
	if diff := cmp.Diff([]string{"/etc/new/pki", "/etc/new"}, o.Files["/etc/new/pki/ca.key"].Parents()); diff != "" {
		t.Error(diff)
	}
	if data, err := o.Content(h, "/etc/old/mine"); err != nil || string(data) != "before" {
		t.Errorf("what was there before: %q, %v", data, err)
	}
	if when, err := plan.TakenBack(h, func(r plan.PastRun) bool { return r.Command == "reset" }); err != nil || !when.IsZero() {
		t.Errorf("taken back at %v, %v", when, err)
	}
	if err := plan.PutAway(h, runs); err != nil {
		t.Fatal(err)
	}
	if when, err := plan.TakenBack(h, func(r plan.PastRun) bool { return r.Command == "reset" }); err != nil || time.Since(when).Abs() > time.Minute {
		t.Errorf("taken back at %v, %v", when, err)
	}
	if runs, err := plan.History(h); err != nil || len(runs) != 0 {
		t.Errorf("after they were put away: %+v, %v", runs, err)
	}
	names, err := h.ReadDir(plan.PastDir)
	if err != nil || len(names) != 3 {
		t.Fatalf("put away: %v, %v", names, err)
	}
	for _, name := range names {
		if files, err := h.ReadDir(filepath.Join(plan.PastDir, name)); err != nil || !cmp.Equal(files, []string{"journal.jsonl"}) {
			t.Errorf("no contents of old files may stay: %v, %v", files, err)
		}
	}
}

func TestDamagedJournal(t *testing.T) {
	for name, c := range map[string]struct{ text, err string }{
		"cut off":   {"{\"n\":1,\"phase\":\"p\"}\n{\"n\":2,\"pha", ""},
		"torn":      {"{\"n\":1,\"pha\n{\"n\":2,\"phase\":\"p\"}\n", "line 1 is damaged"},
		"zeroes":    {"\x00\x00\x00\x00\n", "line 1 is damaged"},
		"no record": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.New(t)
			dir := plan.RunsDir + "/20260102T030405.000Z-init"
			if err := h.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := h.WriteFile(dir+"/journal.jsonl", host.FileSpec{Data: []byte(c.text), Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			_, err := plan.History(h)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

// What is taken away for good leaves no copy in the journal.
func TestForget(t *testing.T) {
	h := hosttest.New(t)
	run(t, h, "init", file("/etc/pki/ca.key", "PRIVATE KEY"), file("/var/lib/x/a/key", "PRIVATE KEY"))
	run(t, h, "reset",
		plan.File{Path: "/etc/pki/ca.key", Absent: true, Forget: true},
		plan.File{Path: "/var/lib/x", Absent: true, Extent: plan.Everything})
	runs, err := plan.History(h)
	if err != nil {
		t.Fatal(err)
	}
	last := runs[len(runs)-1]
	if len(last.Records) != 2 || !last.Records[0].Final || last.Records[0].Before != nil {
		t.Errorf("records: %+v", last.Records)
	}
	names, err := h.ReadDir(last.Dir)
	if err != nil || !cmp.Equal(names, []string{"journal.jsonl"}) {
		t.Errorf("beside the journal: %v, %v", names, err)
	}
}

package host_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
)

// Over a whole run with its journal, a power cut leaves each file old or new, and nothing changed that the journal does not tell of,
// with the old content where there was one.
func TestPowerCutOfRun(t *testing.T) {
	h := &host.Host{Root: t.TempDir()}
	put := func(path, text string) {
		full := filepath.Join(h.Root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("/etc/old", "old")
	put("/etc/gone", "old")
	put("/etc/access", "same")
	file := func(path, text string) plan.File {
		return plan.File{Path: path, Mode: 0o640, UID: os.Getuid(), GID: os.Getgid(), Data: []byte(text)}
	}
	steps := []plan.Step{
		plan.File{Path: "/etc/new/sub", Dir: true, Mode: 0o755}, file("/etc/new/sub/a", "new"), file("/etc/old", "new"),
		file("/etc/access", "same"), plan.File{Path: "/etc/gone", Absent: true}, plan.File{Path: "/etc/link", Link: "old"},
		file("/var/lib/other/b", "new"),
	}
	// What may be there before and after the run; the first is the old.
	states := map[string][2]string{
		"/etc/new/sub/a": {"nothing", "640 new"}, "/etc/old": {"600 old", "640 new"}, "/etc/access": {"600 same", "640 same"},
		"/etc/gone": {"600 old", "nothing"}, "/etc/link": {"nothing", "link to old"}, "/var/lib/other/b": {"nothing", "640 new"},
	}
	points := 0
	check := func(d *host.Disk) {
		points++
		var journals []string
		for _, path := range d.Paths() {
			if strings.HasSuffix(path, "journal.jsonl") {
				journals = d.After(path)
			}
		}
		for path, want := range states {
			after := d.After(path)
			for _, state := range after {
				if !slices.Contains(want[:], state) {
					t.Errorf("a power cut leaves %q at %s", state, path)
				}
			}
			if !slices.Contains(after, want[1]) {
				continue
			}
			if len(journals) == 0 {
				t.Errorf("%s is changed before there is a journal", path)
			}
			for _, text := range journals {
				if !strings.Contains(text, `"path":"`+path+`"`) {
					t.Errorf("%s is changed, but the journal may be %q", path, text)
				}
			}
		}
		// Each line but the last is whole, and names contents that are there.
		for _, text := range journals {
			for line := range strings.Lines(text) {
				if strings.HasSuffix(line, "}\n") && strings.Contains(line, `"blob":"`) {
					_, blob, _ := strings.Cut(line, `"blob":"`)
					blob, _, _ = strings.Cut(blob, `"`)
					for _, path := range d.Paths() {
						if strings.HasSuffix(path, "/"+blob) && !slices.Equal(d.After(path), []string{"600 old"}) && !slices.Equal(d.After(path), []string{"600 same"}) {
							t.Errorf("the journal names %s, which may be %q", path, d.After(path))
						}
					}
				}
			}
		}
	}
	d := host.NewDisk(t, h, check)
	j := &plan.Journal{Host: h, Command: "init"}
	r := &plan.Runner{Target: &plan.Target{Host: h}, Journal: j}
	changes, err := r.Run(context.Background(), plan.Plan{Sections: []plan.Section{
		{Phase: "one", Steps: steps[:3]}, {Phase: "two", Steps: steps[3:]},
	}})
	if err != nil || changes != len(steps) {
		t.Fatalf("%d changes, %v", changes, err)
	}
	if err := j.End(plan.Finished, nil); err != nil {
		t.Fatal(err)
	}
	for path, want := range states {
		if got := d.After(path); !slices.Equal(got, want[1:]) {
			t.Errorf("after the run, a power cut leaves %q at %s", got, path)
		}
	}
	if got := d.After(filepath.Join(j.Dir(), "journal.jsonl")); len(got) != 1 || !strings.Contains(got[0], `"result":"done"`) {
		t.Errorf("after the run, the journal may be %q", got)
	}
	if points < 30 {
		t.Errorf("only %d points", points)
	}
	t.Logf("%d points", points)
}

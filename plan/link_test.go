package plan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/plan"
)

// TestLinksOfTheUser: data and settings may lie on another disk.
func TestLinksOfTheUser(t *testing.T) {
	file := plan.File{Path: "/etc/l", Mode: 0o644, Data: []byte("a")}
	dir := plan.File{Path: "/etc/l", Dir: true, Mode: 0o700}
	for _, tc := range []struct {
		name   string
		step   plan.File
		target string // "dir", "file", "other file", or nothing
		err    string // empty: nothing to do
	}{
		{"directory", dir, "dir", ""},
		{"directory is a file", dir, "file", "which is something of another kind"},
		{"directory is missing", dir, "", "leads nowhere"},
		{"file", file, "file", ""},
		{"file differs", file, "other file", "must be changed (content differs); replace it by its target"},
		{"file has another mode", plan.File{Path: "/etc/l", Mode: 0o600, Data: []byte("a")}, "file", "must be changed (mode is 0644, should be 0600)"},
		{"file is a directory", file, "dir", "which is something of another kind"},
		{"file is missing", file, "", "leads nowhere"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tg := newTarget(t)
			switch tc.target {
			case "dir":
				if err := tg.Host.MkdirAll("/data/x", 0o755); err != nil {
					t.Fatal(err)
				}
			case "file", "other file":
				if err := tg.Host.MkdirAll("/data", 0o755); err != nil {
					t.Fatal(err)
				}
				write("/data/x", map[string]string{"file": "a", "other file": "b"}[tc.target], 0o644)(t, tg)
			}
			if err := tg.Host.Symlink("/data/x", "/etc/l"); err != nil {
				t.Fatal(err)
			}
			c, err := tc.step.Diff(context.Background(), tg)
			switch {
			case tc.err == "" && (err != nil || c.Kind != plan.Same):
				t.Errorf("%v, %v; want nothing to do", c, err)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("%v, %v; want an error with %q", c, err, tc.err)
			}
		})
	}
}

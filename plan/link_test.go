package plan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kubewright/kubewright/plan"
)

// TestThroughLinks: a directory may lie elsewhere, and a file too if it is right; one that is not can't be replaced in one step.
func TestThroughLinks(t *testing.T) {
	tg := newTarget(t)
	for _, dir := range []string{"/data/etcd", "/var/lib"} {
		if err := tg.Host.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("/data/f", "x", 0o600)(t, tg)
	for path, to := range map[string]string{"/var/lib/etcd": "/data/etcd", "/var/lib/f": "/data/f", "/var/lib/none": "/nowhere"} {
		if err := tg.Host.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []plan.File{{Path: "/var/lib/etcd", Dir: true, Mode: 0o700}, {Path: "/var/lib/f", Data: []byte("x"), Mode: 0o600}} {
		if c, err := step.Diff(context.Background(), tg); err != nil || c.Kind != plan.Same {
			t.Errorf("%s: %v, %v", step, c, err)
		}
	}
	for _, step := range []plan.File{
		{Path: "/var/lib/f", Data: []byte("y"), Mode: 0o600}, {Path: "/var/lib/f", Dir: true}, {Path: "/var/lib/etcd", Data: []byte("x")},
		{Path: "/var/lib/none", Dir: true},
	} {
		if c, err := step.Diff(context.Background(), tg); err == nil || !strings.Contains(err.Error(), "replace it by its target") {
			t.Errorf("%s: %v, %v", step, c, err)
		}
	}
}

package plan_test

import (
	"context"
	"os"
	"testing"

	"github.com/kubewright/kubewright/plan"
)

// TestPathIsNamedOnce: the host names the path in its errors.
func TestPathIsNamedOnce(t *testing.T) {
	tg := newTarget(t)
	write("/etc/f", "x", 0o644)(t, tg)
	_, err := plan.File{Path: "/etc/f/g"}.Diff(context.Background(), tg)
	if err == nil || err.Error() != "cannot look at /etc/f/g: not a directory" {
		t.Errorf("error %v", err)
	}
}

// TestModeAlone: a file of which only the mode is wrong is not written again.
func TestModeAlone(t *testing.T) {
	ctx, tg := context.Background(), newTarget(t)
	write("/etc/f", "a", 0o644)(t, tg)
	before, err := tg.Host.Stat("/etc/f")
	if err != nil {
		t.Fatal(err)
	}
	step := plan.File{Path: "/etc/f", Mode: 0o600, Data: []byte("a"), UID: os.Getuid(), GID: os.Getgid()}
	if err := step.Apply(ctx, tg); err != nil {
		t.Fatal(err)
	}
	after, err := tg.Host.Stat("/etc/f")
	if err != nil || after.Inode != before.Inode || !after.ModTime.Equal(before.ModTime) || after.Mode != 0o600 {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
}

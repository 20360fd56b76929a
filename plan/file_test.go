package plan_test

import (
	"context"
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

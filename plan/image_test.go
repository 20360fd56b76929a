package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/host/hosttest"
	"github.com/kubewright/kubewright/plan"
)

// flaky is a registry that fails some times before it gives an image.
type flaky struct {
	*hosttest.Runtime
	mu    sync.Mutex
	fails map[string]int
}

func (f *flaky) PullImage(ctx context.Context, ref string) error {
	f.mu.Lock()
	f.fails[ref]--
	left := f.fails[ref]
	f.mu.Unlock()
	if left >= 0 {
		return fmt.Errorf("cannot pull image %s: no route to host", ref)
	}
	return f.Runtime.PullImage(ctx, ref)
}

func pulling(t *testing.T, i plan.Image, fails map[string]int) (images, warnings []string, err error) {
	t.Helper()
	rt := &flaky{Runtime: &hosttest.Runtime{}, fails: fails}
	tg := newTarget(t)
	tg.Runtime = rt
	tg.Warn = func(message string) { warnings = append(warnings, message) }
	i.Pause = time.Millisecond
	p := plan.Plan{Sections: []plan.Section{{Phase: "preflight", Steps: []plan.Step{i}}}}
	_, err = (&plan.Runner{Target: tg}).Run(context.Background(), p)
	return rt.Images(), warnings, err
}

func TestImageIsAskedForFiveTimes(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		i := plan.Image{Refs: []string{"a", "b"}, Parallel: parallel}
		if images, _, err := pulling(t, i, map[string]int{"a": 4}); err != nil || !cmp.Equal(images, []string{"a", "b"}) {
			t.Errorf("parallel %t: %v, %v", parallel, images, err)
		}
	}
}

// TestEveryImageIsTried: the error lists all that can't be had, each once, and what to do.
func TestEveryImageIsTried(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		i := plan.Image{Refs: []string{"a", "b", "c"}, Parallel: parallel, Hint: "look at the network"}
		images, _, err := pulling(t, i, map[string]int{"a": 5, "c": 5})
		want := "preflight: cannot pull image a: no route to host\ncannot pull image c: no route to host\nlook at the network"
		if err == nil || err.Error() != want || !cmp.Equal(images, []string{"b"}) {
			t.Errorf("parallel %t: %v, %v", parallel, images, err)
		}
	}
}

func TestOptionalImage(t *testing.T) {
	images, warnings, err := pulling(t, plan.Image{Refs: []string{"a", "b"}, Optional: true}, map[string]int{"a": 5})
	if err != nil || !cmp.Equal(images, []string{"b"}) || !slices.Equal(warnings, []string{"cannot pull image a: no route to host"}) {
		t.Errorf("%v, %q, %v", images, warnings, err)
	}
}

// TestPullEndsWithItsContext: an interrupted pull is no image that can be gone without.
func TestPullEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tg := newTarget(t)
	tg.Runtime = &stopped{&hosttest.Runtime{}, cancel}
	err := plan.Image{Refs: []string{"a"}, Optional: true, Pause: time.Hour}.Apply(ctx, tg)
	if err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("Apply: %v", err)
	}
}

type stopped struct {
	*hosttest.Runtime
	cancel func()
}

func (s *stopped) PullImage(context.Context, string) error {
	s.cancel()
	return errors.New("stopped")
}

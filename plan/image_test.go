package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubewright/kubewright/host"
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

// stuck is a runtime whose pulls do not end; its images grow for a while.
type stuck struct {
	*hosttest.Runtime
	began time.Time
}

func (s stuck) PullImage(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
func (s stuck) ImageBytes(context.Context) (uint64, error) {
	return uint64(min(time.Since(s.began), 20*time.Minute)), nil
}

// What hangs is given up once nothing has come for a while, and is not asked again; nor is one whose answer will be the same.
func TestPullEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := plan.Image{Refs: []string{"a"}, Hint: "hint"}.Apply(t.Context(), &plan.Target{Runtime: stuck{&hosttest.Runtime{}, began}})
		if err == nil || !strings.Contains(err.Error(), "cannot pull image a: nothing has come for 10m0s; does the container runtime hang?\nhint") {
			t.Error(err)
		}
		if took := time.Since(began); took < 30*time.Minute || took > 31*time.Minute {
			t.Errorf("it took %s", took)
		}
		r := &hosttest.Runtime{PullErr: map[string]error{"": &host.LastingError{Err: errors.New("denied")}}}
		if err := (plan.Image{Refs: []string{"a", "b"}}).Apply(t.Context(), &plan.Target{Runtime: r}); err == nil || len(r.Pulled()) != 2 {
			t.Errorf("%v after %v", err, r.Pulled())
		}
	})
}

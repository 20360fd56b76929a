package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kubewright/kubewright/host"
)

// pullTries is how often an image is asked for: registries have bad moments.
const pullTries = 5

// Image is a set of container images that should be present. Pulled images stay: there is nothing to undo.
type Image struct {
	Refs []string
	// Parallel pulls all that is missing at the same time, not one after the other.
	Parallel bool
	// Optional goes on, with a warning, without an image that can't be had.
	Optional bool
	// Hint says what to do about an image that can't be had, in lines of its own.
	Hint string
	// Pause is the time before the second try to pull an image; it grows with each further one. Zero means half a second.
	Pause time.Duration
}

func (i Image) String() string {
	if len(i.Refs) == 1 {
		return "image " + i.Refs[0]
	}
	return fmt.Sprintf("%d images", len(i.Refs))
}

// Diff asks the runtime which images are missing. Those that this run goes on without do not count.
func (i Image) Diff(ctx context.Context, t *Target) (Change, error) {
	if t.Runtime == nil {
		return Change{Kind: Unknown, Why: "the container runtime is not asked"}, nil
	}
	missing, err := i.missing(ctx, t)
	if err != nil || len(missing) == 0 {
		return Change{}, err
	}
	return Change{Kind: Run, Why: "pull " + strings.Join(missing, ", ")}, nil
}

func (i Image) missing(ctx context.Context, t *Target) ([]string, error) {
	var missing []string
	for _, ref := range i.Refs {
		if t.without[ref] {
			continue
		}
		ok, err := t.Runtime.HasImage(ctx, ref)
		if err != nil && !i.Optional {
			return nil, err
		}
		if !ok {
			missing = append(missing, ref)
		}
	}
	return missing, nil
}

// Apply pulls what is missing. It tries every image before it says which can't be had.
func (i Image) Apply(ctx context.Context, t *Target) error {
	if t.Runtime == nil {
		return fmt.Errorf("cannot pull images: %w", unreachable("the container runtime", t.NoRuntime))
	}
	missing, err := i.missing(ctx, t)
	if err != nil {
		return err
	}
	failed := make([]error, len(missing))
	var group sync.WaitGroup
	for n, ref := range missing {
		if i.Parallel {
			group.Go(func() { failed[n] = i.pull(ctx, t, ref) })
			continue
		}
		t.progress(fmt.Sprintf("pulling %s (%d of %d)", ref, n+1, len(missing)))
		failed[n] = i.pull(ctx, t, ref)
	}
	if i.Parallel {
		t.progress("pulling " + strings.Join(missing, ", "))
	}
	group.Wait()
	err = errors.Join(failed...)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return err
	case !i.Optional:
		return i.hinted(err)
	}
	for n, ref := range missing {
		if failed[n] != nil {
			t.goWithout(ref)
		}
	}
	t.warn(i.hinted(err).Error())
	return nil
}

func (i Image) hinted(err error) error {
	if i.Hint == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, i.Hint)
}

// pull asks for one image several times.
func (i Image) pull(ctx context.Context, t *Target, ref string) error {
	pause := i.Pause
	if pause == 0 {
		pause = 500 * time.Millisecond
	}
	for try := 1; ; try++ {
		err := pullOnce(ctx, t, ref)
		if err == nil || try == pullTries || errors.As(err, new(*host.LastingError)) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * pause):
		}
	}
}

const (
	// pullStall is how long a pull may go on while the images do not grow. Runtimes give up after half of it; one that hangs does not.
	pullStall = 10 * time.Minute
	pullEvery = 30 * time.Second
)

// pullOnce pulls as long as something comes.
func pullOnce(ctx context.Context, t *Target, ref string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := &host.LastingError{Err: fmt.Errorf("cannot pull image %s: nothing has come for %s; does the container runtime hang?", ref, pullStall)}
	go func() {
		var most uint64
		for moved := time.Now(); ctx.Err() == nil; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pullEvery):
			}
			if have, err := t.Runtime.ImageBytes(ctx); err == nil && have > most {
				most, moved = have, time.Now()
			}
			if time.Since(moved) >= pullStall {
				cancel(stalled)
			}
		}
	}()
	err := t.Runtime.PullImage(ctx, ref)
	if err != nil && context.Cause(ctx) == error(stalled) {
		return stalled
	}
	return err
}

// goWithout remembers an image that this run can't have.
func (t *Target) goWithout(ref string) {
	if t.without == nil {
		t.without = map[string]bool{}
	}
	t.without[ref] = true
}

package plan

import (
	"context"
	"fmt"
	"strings"
)

// Image is a set of container images that should be present. Pulled images stay: there is nothing to undo.
type Image struct {
	Refs []string
	// Pull fetches one image, with the retries that its caller wants. Nil means the runtime's plain pull.
	Pull func(ctx context.Context, t *Target, ref string) error
}

func (i Image) String() string {
	if len(i.Refs) == 1 {
		return "image " + i.Refs[0]
	}
	return fmt.Sprintf("%d images", len(i.Refs))
}

// Diff asks the runtime which images are missing.
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
		ok, err := t.Runtime.HasImage(ctx, ref)
		if err != nil {
			return nil, err
		}
		if !ok {
			missing = append(missing, ref)
		}
	}
	return missing, nil
}

// Apply pulls what is missing, one after the other.
func (i Image) Apply(ctx context.Context, t *Target) error {
	if t.Runtime == nil {
		return fmt.Errorf("cannot pull images: the container runtime can't be reached")
	}
	missing, err := i.missing(ctx, t)
	if err != nil {
		return err
	}
	pull := i.Pull
	if pull == nil {
		pull = func(ctx context.Context, t *Target, ref string) error { return t.Runtime.PullImage(ctx, ref) }
	}
	for n, ref := range missing {
		t.progress(fmt.Sprintf("pulling %s (%d of %d)", ref, n+1, len(missing)))
		if err := pull(ctx, t, ref); err != nil {
			return fmt.Errorf("cannot pull %s: %w", ref, err)
		}
	}
	return nil
}

package plan

import (
	"context"
	"fmt"
	"strings"
)

// Do is the escape hatch for what is neither a file nor an object: a member added to etcd, a node marked.
// It has no undo: it is a point of no return, unless it is Passing.
type Do struct {
	Name string // "mark node cp1 as control plane"
	// Done says whether there is nothing left to do. It must look, not remember.
	Done func(ctx context.Context, t *Target) (bool, error)
	// Left, instead of Done, names what is left to take away, a line for each thing.
	Left func(ctx context.Context, t *Target) ([]string, error)
	// Passing means that nothing has to be undone: what it does ends with the process, or harms nobody who goes back.
	Passing bool
	// Optional means that the run goes on with a warning when it can't be done.
	Optional bool
	Run      func(ctx context.Context, t *Target) error
	// NeedsAPI makes the change Unknown while there is no API server to ask.
	NeedsAPI bool
}

func (d Do) String() string { return d.Name }

// Diff asks whether it is done.
func (d Do) Diff(ctx context.Context, t *Target) (Change, error) {
	if d.NeedsAPI && t.API == nil {
		return Change{Kind: Unknown, Why: noAPI}, nil
	}
	if d.Left != nil {
		left, err := d.Left(ctx, t)
		if err != nil || len(left) == 0 {
			return Change{}, err
		}
		return Change{Kind: Delete, Lines: strings.Join(left, "\n") + "\n"}, nil
	}
	done, err := d.Done(ctx, t)
	if err != nil || done {
		return Change{}, err
	}
	return Change{Kind: Run, Why: "not done"}, nil
}

// Apply does it.
func (d Do) Apply(ctx context.Context, t *Target) error {
	if d.NeedsAPI && t.API == nil {
		return fmt.Errorf("cannot %s: there is no API server to ask", d.Name)
	}
	return d.Run(ctx, t)
}

package plan

import (
	"context"
	"fmt"
	"time"
)

// probeEvery is how often a Wait looks. Readiness is noticed within it.
const probeEvery = 100 * time.Millisecond

// Wait is a condition that comes true by itself. It gives up for a reason: a verdict that it never will, or no progress.
type Wait struct {
	For string // "kube-apiserver answers /livez"
	// Stall is how long the wait goes on while nothing moves. Zero means five minutes.
	Stall time.Duration
	// Probe returns nil when the condition holds, else what is still wrong.
	Probe func(ctx context.Context, t *Target) error
	// Watch, when set, looks behind the probe once a second: what is happening, and whether it is hopeless.
	Watch func(ctx context.Context, t *Target) Watched
	// NeedsAPI makes the change Unknown while there is no API server to ask.
	NeedsAPI bool
}

// Watched is what Wait.Watch saw.
type Watched struct {
	// Status is one line for people.
	Status string
	// Progress is any text that changes when something moves; while it changes the wait goes on.
	Progress string
	// Hopeless, when set, ends the wait at once.
	Hopeless error
}

func (w Wait) String() string { return "wait until " + w.For }

// Diff probes once.
func (w Wait) Diff(ctx context.Context, t *Target) (Change, error) {
	if w.NeedsAPI && t.API == nil {
		return Change{Kind: Unknown, Why: noAPI}, nil
	}
	if t.Elsewhere {
		return Change{Kind: Run, Why: "not asked"}, nil
	}
	if err := w.Probe(ctx, t); err != nil {
		return Change{Kind: Run, Why: "not yet", Lines: firstLine(err) + "\n"}, nil
	}
	return Change{}, nil
}

// Apply probes until the condition holds.
func (w Wait) Apply(ctx context.Context, t *Target) error {
	if w.NeedsAPI && t.API == nil {
		return fmt.Errorf("cannot wait until %s: there is no API server to ask", w.For)
	}
	stall := w.Stall
	if stall == 0 {
		stall = 5 * time.Minute
	}
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	moved, marker := time.Now(), ""
	var looked time.Time
	for {
		last := w.Probe(ctx, t)
		if last == nil {
			return nil
		}
		status := firstLine(last)
		if w.Watch != nil && time.Since(looked) >= time.Second {
			looked = time.Now()
			seen := w.Watch(ctx, t)
			if seen.Hopeless != nil {
				return fmt.Errorf("cannot wait until %s: %w", w.For, seen.Hopeless)
			}
			if seen.Progress != marker {
				moved, marker = time.Now(), seen.Progress
			}
			if seen.Status != "" {
				status = seen.Status
			}
			t.progress(status)
		} else if w.Watch == nil {
			t.progress(status)
		}
		if time.Since(moved) > stall {
			return fmt.Errorf("cannot wait until %s: nothing has moved for %s: %w", w.For, stall, last)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait until %s: %w (last: %s)", w.For, context.Cause(ctx), firstLine(last))
		case <-tick.C:
		}
	}
}

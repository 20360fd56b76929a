package plan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// probeEvery is how often a Wait looks. Readiness is noticed within it.
const probeEvery = 100 * time.Millisecond

// watchEvery is how often a Wait looks behind its probe.
const watchEvery = time.Second

// signsFor is for how many times its Stall a wait goes on after the last progress when there are only signs of it. A component
// on an emulated machine logs for minutes while it starts; one that is wedged may log for ever.
const signsFor = 5

// Wait is a condition that comes true by itself. It gives up for a reason: a verdict that it never will, or no progress.
type Wait struct {
	For string // "kube-apiserver answers /livez"
	// Stall is how long the wait goes on while nothing moves. Zero means five minutes.
	Stall time.Duration
	// Probe returns nil when the condition holds, else what is still wrong.
	Probe func(ctx context.Context, t *Target) error
	// Next, when set, returns when it makes sense to probe again, as when the thing that is waited for has changed. Without
	// it the probe is asked ten times a second, which is fine on this machine and too much for an API server with many clients.
	Next func(ctx context.Context, t *Target) error
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
	// Signs is any text that changes when something may be moving, such as new words in a log. They keep the wait going for
	// five times its Stall after the last progress, and no longer.
	Signs string
	// Detail are lines that explain the status when the wait ends without success, such as the end of a log.
	Detail string
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
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	seen := make(chan Watched)
	if w.Watch != nil {
		running.Go(func() { w.look(ctx, t, seen) })
	}
	p := patience{stall: w.Stall, moved: time.Now(), signs: time.Now()}
	if p.stall == 0 {
		p.stall = 5 * time.Minute
	}
	for {
		last := w.Probe(ctx, t)
		if last == nil {
			return nil
		}
		t.progress(p.status(last))
		again := make(chan struct{})
		running.Go(func() { w.pause(ctx, t, again) })
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return fmt.Errorf("cannot wait until %s: %w (last: %s)", w.For, context.Cause(ctx), firstLine(last))
			case now := <-seen:
				if now.Hopeless != nil {
					return fmt.Errorf("cannot wait until %s: %w", w.For, now.Hopeless)
				}
				p.note(now)
				t.progress(p.status(last))
			case <-again:
				waiting = false
			case <-time.After(watchEvery): // patience also ends while nobody says anything
			}
			if p.exhausted() {
				return fmt.Errorf("cannot wait until %s: nothing has moved for %s: %w%s", w.For, p.stall, last, p.explain())
			}
		}
	}
}

// look watches beside the probe, so that a slow answer of what it asks does not keep the probe from noticing.
func (w Wait) look(ctx context.Context, t *Target, seen chan<- Watched) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case seen <- w.Watch(ctx, t):
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pause closes again when it is time to probe. A Next that fails is tried again a little later; the probe says what is wrong.
func (w Wait) pause(ctx context.Context, t *Target, again chan<- struct{}) {
	defer close(again)
	pause := probeEvery
	if w.Next != nil {
		if w.Next(ctx, t) == nil {
			return
		}
		pause = watchEvery/2 + rand.N(watchEvery)
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

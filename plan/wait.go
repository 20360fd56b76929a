package plan

import (
	"context"
	"errors"
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
	// Await, when set, returns nil as soon as the condition holds: it is told, as by a watch. Without it the probe is asked ten
	// times a second, which is fine on this machine and too much for an API server with many clients. One that fails is
	// tried again a little later.
	Await func(ctx context.Context, t *Target) error
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
	answers := make(chan error)
	running.Go(func() { w.ask(ctx, t, answers) })
	last := errors.New("no answer yet")
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait until %s: %w (last: %s)", w.For, context.Cause(ctx), firstLine(last))
		case now := <-seen:
			if now.Hopeless != nil {
				return fmt.Errorf("cannot wait until %s: %w", w.For, now.Hopeless)
			}
			p.note(now)
		case answer := <-answers:
			if answer == nil {
				return nil
			}
			last = answer
		case <-time.After(watchEvery): // patience also ends while nobody says anything
		}
		t.progress(p.status(last))
		if p.exhausted() {
			return fmt.Errorf("cannot wait until %s: nothing has moved for %s: %w%s", w.For, p.stall, last, p.explain())
		}
	}
}

// ask probes, or waits to be told, until the condition holds.
func (w Wait) ask(ctx context.Context, t *Target, answers chan<- error) {
	for {
		err, pause := error(nil), probeEvery
		if w.Await != nil {
			err, pause = w.Await(ctx, t), watchEvery/2+rand.N(watchEvery)
		} else {
			err = w.Probe(ctx, t)
		}
		select {
		case answers <- err:
		case <-ctx.Done():
			return
		}
		if err == nil {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
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

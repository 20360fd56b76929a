package plan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// probeEvery is how often a Wait looks. Readiness is noticed within it.
const probeEvery = 50 * time.Millisecond

// watchEvery is how often a Wait looks behind its probe, where that does not take long, for the first time after watchFirst: most waits
// are over soon, and what starts needs the processor. Looking takes a fifth of the time at most, and one look no longer than
// watchTimeout.
const (
	watchFirst   = 300 * time.Millisecond
	watchEvery   = 2 * time.Second
	watchTimeout = 30 * time.Second
)

// retryEvery is how soon, on average, an Await that failed is tried again.
const retryEvery = time.Second

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
	// Await, when set, returns nil as soon as the condition holds: it is told, as by a watch. Without it the probe is asked twenty
	// times a second, which is fine on this machine and too much for an API server with many clients. One that fails is
	// tried again a little later.
	Await func(ctx context.Context, t *Target) error
	// Remote says that the probe asks somebody whom many may ask: the pauses grow from 50 ms to two seconds, and up to a half
	// more by chance.
	Remote bool
	// Watch, when set, looks behind the probe every two seconds: what is happening, and whether it is hopeless.
	Watch func(ctx context.Context, t *Target) Watched
	// NeedsAPI makes the change Unknown while there is no API server to ask.
	NeedsAPI bool
}

// Watched is what Wait.Watch saw.
type Watched struct {
	// Status is one line for people.
	Status string
	// Progress names what has happened, as "container 3f2 started". What this wait has not heard of before keeps it going;
	// what repeats itself does not.
	Progress []string
	// Signs are what tells that something may be moving, such as the different messages of a log. New ones keep the wait going
	// for five times its Stall after the last progress, and no longer.
	Signs []string
	// Log is shown when the wait ends without success: the last lines of what does not work.
	Log []string
	// Hopeless, when set, ends the wait at once.
	Hopeless error
	// Hint, when set, is what to do about it. Then the log has the cause, to which the probe's answer adds nothing.
	Hint string
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
	p := newPatience(w.Stall)
	answers := make(chan error)
	running.Go(func() { w.ask(ctx, t, answers) })
	last, told := errors.New("no answer yet"), ""
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait until %s: %w (last: %s)", w.For, context.Cause(ctx), firstLine(last))
		case now := <-seen:
			p.note(now)
			if now.Hopeless != nil {
				return p.hopeless(w.For, last)
			}
		case answer := <-answers:
			if answer == nil {
				return nil
			}
			last = answer
		case <-time.After(retryEvery): // patience also ends while nobody says anything
		}
		if status := p.status(last); status != told {
			told = status
			t.progress(status)
		}
		if p.exhausted() {
			return fmt.Errorf("cannot wait until %s: %s: %w%s", w.For, p.still(), last, p.explain())
		}
	}
}

// ask probes, or waits to be told, until the condition holds.
func (w Wait) ask(ctx context.Context, t *Target, answers chan<- error) {
	growing := wait.Backoff{Duration: probeEvery, Factor: 1.5, Jitter: 0.5, Steps: 100, Cap: 2 * time.Second}
	for {
		err, pause := error(nil), probeEvery
		if w.Remote {
			pause = growing.Step()
		}
		if w.Await != nil {
			err, pause = w.Await(ctx, t), retryEvery/2+rand.N(retryEvery)
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
	pause := watchFirst
	if w.Stall > 0 {
		pause = min(pause, w.Stall/4)
	}
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		began := time.Now()
		short, cancel := context.WithTimeout(ctx, watchTimeout)
		now := w.Watch(short, t)
		cancel()
		pause = max(watchEvery, 4*time.Since(began))
		select {
		case seen <- now:
		case <-ctx.Done():
			return
		}
	}
}

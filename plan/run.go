package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Observer is told what a run does, as it does it. Every func may be nil.
type Observer struct {
	// Begin and End frame a section. End's changes count what was applied; err is nil when all went well.
	Begin func(phase string)
	End   func(phase string, changes int, took time.Duration, err error)
	// Step is called after each step, with what was done; Kind Same means nothing.
	Step func(Item)
}

// Runner applies plans.
type Runner struct {
	Target   *Target
	Journal  *Journal
	Observer Observer
	// API connects to the cluster, when a step needs it and Target.API is nil. It may be nil, and it may return nil.
	API func(ctx context.Context) (API, error)
}

// Run makes the machine agree with the plan: it skips what is right already, records what was there before a change,
// makes the change, and compares again. A step that still differs after it was applied is an error.
// It returns how many steps changed something; to have waited is no change. After an error the machine is as the steps so far
// made it, and running the same plan again carries on.
func (r *Runner) Run(ctx context.Context, p Plan) (changes int, err error) {
	var failed Failures
	for _, s := range p.Sections {
		n, err := r.section(ctx, s)
		changes += n
		var some Failures
		switch {
		case errors.As(err, &some):
			failed = append(failed, some...)
		case err != nil:
			return changes, failed.and(err)
		}
	}
	return changes, failed.and(nil)
}

func (r *Runner) section(ctx context.Context, s Section) (changes int, err error) {
	start := time.Now()
	if r.Observer.Begin != nil {
		r.Observer.Begin(s.Phase)
	}
	defer func() {
		if r.Journal != nil {
			noted := r.Journal.Phase(PhaseResult{Phase: s.Phase, Seconds: time.Since(start).Seconds(), Changes: changes, Failed: err != nil})
			if err == nil && !s.KeepGoing { // else it is what was told already, or goes with the next record
				err = noted
			}
		}
		if r.Observer.End != nil {
			r.Observer.End(s.Phase, changes, time.Since(start), err)
		}
	}()
	var failed Failures
	for _, step := range s.Steps {
		if err := ctx.Err(); err != nil {
			return changes, failed.and(fmt.Errorf("%s: stopped before %s: %w", s.Phase, step, context.Cause(ctx)))
		}
		c, err := r.step(ctx, s.Phase, step)
		if d, ok := step.(Do); ok && d.Optional && err != nil && !errors.As(err, new(*unrecorded)) && ctx.Err() == nil {
			r.Target.warn(err.Error())
			continue
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", s.Phase, err)
			if s.KeepGoing && ctx.Err() == nil && !errors.As(err, new(*unrecorded)) {
				failed = append(failed, err)
				continue
			}
			return changes, failed.and(err)
		}
		if _, waited := step.(Wait); c.Kind != Same && !waited {
			changes++
		}
		if r.Observer.Step != nil {
			r.Observer.Step(Item{Phase: s.Phase, Step: step, Change: c})
		}
	}
	return changes, failed.and(nil)
}

// step brings one thing in order and says what it took.
func (r *Runner) step(ctx context.Context, phase string, step Step) (Change, error) {
	if err := r.connect(ctx, step); err != nil {
		return Change{}, err
	}
	w, waits := step.(Wait)
	if waits && w.Await != nil {
		return Change{}, w.Apply(ctx, r.Target) // it is told at once when there is nothing to wait for; asking before costs a request
	}
	c, err := step.Diff(ctx, r.Target)
	if err != nil || c.Kind == Same {
		return c, err
	}
	recorded, err := r.record(ctx, phase, step, c)
	if err != nil {
		return c, &unrecorded{err}
	}
	began := time.Now()
	if err := step.Apply(ctx, r.Target); err != nil {
		return c, err
	}
	if waits {
		return c, nil // it has seen the condition hold; one slow answer to a second look would end a good run
	}
	look := step.Diff
	if s, ok := step.(Settling); ok {
		look = s.Settled
	}
	after, err := look(ctx, r.Target)
	if err != nil {
		return c, fmt.Errorf("cannot check %s after it was applied: %w", step, err)
	}
	if after.Kind != Same {
		return c, fmt.Errorf("cannot apply %s: it still differs afterwards: %s", step, strings.TrimSpace(after.Why+" "+after.Lines))
	}
	if recorded {
		r.Journal.Done(time.Since(began), r.left(ctx, step, c))
	}
	return c, nil
}

// left is what the step has made of an API object that was there.
func (r *Runner) left(ctx context.Context, step Step, c Change) *ObjectVersion {
	if o, ok := step.(Object); ok && c.Kind == Update {
		return o.version(ctx, r.Target)
	}
	return nil
}

// unrecorded is an error of the journal. It ends every run: what can't be recorded is not changed, whatever comes next.
type unrecorded struct{ error }

func (e *unrecorded) Unwrap() error { return e.error }

// record writes the journal. What leaves nothing behind (waits, pulled images) is not recorded.
func (r *Runner) record(ctx context.Context, phase string, step Step, c Change) (recorded bool, err error) {
	if r.Journal == nil {
		return false, nil
	}
	rec := Record{Phase: phase, Step: step.String(), Kind: c.Kind.String(), Why: c.Why, Final: Final(step)}
	if u, ok := step.(Undoable); ok && !rec.Final {
		before, err := u.Before(ctx, r.Target)
		if err != nil {
			return false, fmt.Errorf("cannot record what was there before %s: %w", step, err)
		}
		rec.Before = before
	} else if _, does := step.(Do); !does && !rec.Final {
		return false, nil
	}
	return true, r.Journal.Write(rec)
}

// connect opens the cluster's API before the first step that talks to it.
func (r *Runner) connect(ctx context.Context, step Step) error {
	if r.Target.API != nil || r.API == nil || !talksToAPI(step) {
		return nil
	}
	api, err := r.API(ctx)
	if err != nil {
		return err
	}
	r.Target.API = api
	return nil
}

func talksToAPI(s Step) bool {
	switch s := s.(type) {
	case Object:
		return true
	case Do:
		return s.NeedsAPI
	case Wait:
		return s.NeedsAPI
	}
	return false
}

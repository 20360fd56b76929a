package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cmd/startup"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/plan"
)

// begin makes sure that this run may change the machine and that no other one does.
func (f *runFlags) begin(ctx context.Context, env *Env, h *host.Host, list phases.Command) (unlock func(), err error) {
	startup.Over() // what comes takes a while
	if f.dryRun || f.onlyPrints {
		return func() {}, nil
	}
	if f.elsewhere() {
		if !h.Exists("/") { // it is made once the plan is
			return func() {}, nil
		}
		return lock(ctx, h, list)
	}
	if !env.Machine.Root() {
		if len(list.Phases) == 1 && list.Phases[0].Name != "preflight" { // one phase may write where this user may write
			return func() {}, nil
		}
		return nil, cause.Preflight.Mark(fmt.Errorf("cannot run %s: it changes the machine, which takes root; --dry-run and --root DIR do not", list.Name))
	}
	return lock(ctx, h, list)
}

func lock(ctx context.Context, h *host.Host, list phases.Command) (unlock func(), err error) {
	unlock, err = h.Lock(ctx, "kubewright "+list.Name)
	if errors.Is(err, host.ErrLocked) {
		err = cause.Busy.Mark(err)
	}
	return unlock, err
}

// plan asks the phases what should be. Nothing is changed.
func (f *runFlags) plan(ctx context.Context, s *session, list phases.Command, out *reporter) (plan.Plan, error) {
	s.facts.Lenient = f.dryRun
	p, err := list.Plan(ctx, s.facts)
	if report := s.facts.PreflightReport; report != nil {
		out.preflight(report, f.dryRun)
	}
	if err != nil {
		return p, err
	}
	if s.facts.PKI != nil {
		out.warn(s.facts.PKI.Warnings())
	}
	for _, name := range s.facts.Patches.Ignored() {
		out.warn([]string{fmt.Sprintf("the patch %s is left out: its name begins with no target that is patched", name)})
	}
	if f.elsewhere() && !f.onlyPrints {
		p = p.Files()
	}
	return p, nil
}

// execute prints the plan, or makes the machine agree with it and calls closing with the number of changes.
func (f *runFlags) execute(ctx context.Context, env *Env, s *session, p plan.Plan, list phases.Command, out *reporter, closing func(int) error) error {
	if f.dryRun {
		if s.facts.Resetting == nil && s.facts.Renewing == nil {
			f.meet(ctx, env, s)
		}
		items, err := p.Preview(ctx, s.target)
		if err != nil {
			return err
		}
		return out.plan(items)
	}
	s.target.Progress = out.progress
	s.target.Warn = func(message string) { out.warn([]string{message}) }
	r := plan.Runner{Target: s.target, Observer: out.observer(p)}
	if f.elsewhere() {
		if err := f.makeRoot(); err != nil {
			return err
		}
	} else if !f.unrecorded {
		r.Journal = &plan.Journal{Host: s.host, Command: list.Name, Version: Version}
		if err := s.begin(r.Journal); err != nil {
			return err
		}
		r.API = func(context.Context) (plan.API, error) { return s.facts.Client(s.facts.AdminKubeconfig) }
	}
	changes, err := s.run(ctx, &r, p)
	if r.Journal != nil && r.Journal.Dir() != "" {
		env.run = r.Journal.ID()
	}
	if ended := ended(ctx, err, r.Journal); err == nil && ended != nil {
		return ended
	}
	if err != nil {
		return interrupted(ctx, err, r.Journal)
	}
	return closing(changes)
}

// begin records beforehand what a rollback is about, so that the next one brings this one to its end and goes no further back.
func (s *session) begin(j *plan.Journal) error {
	if s.takesBack == nil {
		return nil
	}
	for _, run := range s.takesBack {
		j.Of = append(j.Of, run.ID())
	}
	return j.Start()
}

// ended records how the run ended.
func ended(ctx context.Context, err error, j *plan.Journal) error {
	if j == nil {
		return nil
	}
	result := plan.Finished
	switch {
	case err != nil && ctx.Err() != nil:
		result = plan.Stopped
	case err != nil:
		result = plan.Failed
	}
	return j.End(result, err)
}

// meet asks the cluster in a preview, too, if it answers.
func (f *runFlags) meet(ctx context.Context, env *Env, s *session) {
	// A plan for another machine is no reason to talk to that machine.
	s.target.Elsewhere = f.elsewhere() || s.facts.Joining == nil && !env.Machine.HasAddress(s.facts.Config.Init.LocalAPIEndpoint.AdvertiseAddress)
	if !s.target.Elsewhere {
		s.target.API = reachable(ctx, s.facts)
	}
}

// interrupted adds the ways on to the error of a run that had begun.
func interrupted(ctx context.Context, err error, j *plan.Journal) error {
	why := cause.Incomplete
	if ctx.Err() != nil {
		why, err = cause.Interrupted, fmt.Errorf("stopped: %w", err)
	}
	hint := "what is done stays; to carry on, run the same command again"
	if j != nil && j.Dir() != "" {
		if !slices.Contains(undoing(), j.Command) {
			hint += "\nto go back to how the machine was before: kubewright rollback"
		}
		hint += "\nwhat this run has done: kubewright history " + j.ID()
	}
	return why.Mark(fmt.Errorf("%w\n%s", err, hint))
}

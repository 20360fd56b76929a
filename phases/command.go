package phases

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubewright/kubewright/plan"
)

// Plan asks every phase that is not skipped for its steps. Nothing is changed; the first phase that can't say what should be
// ends it.
func (c Command) Plan(ctx context.Context, f *Facts) (plan.Plan, error) {
	d := draft{facts: f, made: map[string]bool{}}
	for _, ph := range c.Phases {
		steps, err := d.steps(ctx, ph, "")
		if err != nil {
			return plan.Plan{}, err
		}
		d.add(ph, steps)
	}
	end := len(d.plan.Sections)
	for _, add := range d.last {
		add()
	}
	d.bindAdmins(end)
	return d.plan, nil
}

// draft is a plan that is being made.
type draft struct {
	facts *Facts
	plan  plan.Plan
	// made are the directories that a step makes.
	made map[string]bool
	// last adds what is left for the end of a whole command.
	last []func()
}

// add is one more section. A directory that an earlier step makes is left out: phases name what they need, because each can run
// alone.
func (d *draft) add(ph Phase, steps []plan.Step) {
	if steps == nil {
		return
	}
	d.plan.Sections = append(d.plan.Sections, plan.Section{
		Phase: ph.Name, KeepGoing: ph.KeepGoing,
		Steps: slices.DeleteFunc(steps, func(s plan.Step) bool {
			dir, ok := s.(plan.File)
			if !ok || !dir.Dir || dir.Absent {
				return false
			}
			before := d.made[dir.Path]
			d.made[dir.Path] = true
			return before
		}),
	})
}

// steps are those of a phase and its parts.
func (d *draft) steps(ctx context.Context, ph Phase, parent string) ([]plan.Step, error) {
	name := join(parent, ph.Name)
	if d.facts.Skips(name) && !d.facts.Named {
		return nil, nil
	}
	all, err := asked(ctx, d.facts, name, ph.Steps)
	if err != nil {
		return nil, err
	}
	last, err := asked(ctx, d.facts, name, ph.Last)
	switch {
	case err != nil:
		return nil, err
	case d.facts.Whole && last != nil:
		d.last = append(d.last, func() { d.add(ph, last) })
	default:
		all = append(all, last...)
	}
	for _, sub := range ph.Sub {
		steps, err := d.steps(ctx, sub, name)
		if err != nil {
			return nil, err
		}
		all = append(all, steps...)
	}
	return all, nil
}

func asked(ctx context.Context, f *Facts, name string, about func(context.Context, *Facts) ([]plan.Step, error)) ([]plan.Step, error) {
	if about == nil {
		return nil, nil
	}
	steps, err := about(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return steps, nil
}

// bindAdmins gives the administrators their rights before the first step that talks to the cluster, whichever phase that is of. In
// a whole command they are waited for where the sections before end are done.
func (d *draft) bindAdmins(end int) {
	if !d.facts.bindsAdmins() {
		return
	}
	for i := range d.plan.Sections {
		s := &d.plan.Sections[i]
		at := slices.IndexFunc(s.Steps, plan.NeedsAPI)
		if at < 0 {
			continue
		}
		s.Steps = slices.Insert(s.Steps, at, bindAdmins(d.facts))
		switch {
		case !d.facts.Whole:
		case i < end:
			d.plan.Sections[end-1].Steps = append(d.plan.Sections[end-1].Steps, adminsBound(d.facts))
		default:
			s.Steps = slices.Insert(s.Steps, at+1, adminsBound(d.facts))
		}
		return
	}
}

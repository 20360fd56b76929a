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
	var all []parts
	for _, ph := range c.Phases {
		p, err := d.parts(ctx, ph, "")
		if err != nil {
			return plan.Plan{}, err
		}
		all = append(all, p)
	}
	early := slices.IndexFunc(all, func(p parts) bool { return p.first != nil })
	for i, p := range all {
		if i == early {
			for _, p := range all {
				d.add(p.phase, p.first)
			}
		}
		d.add(p.phase, p.steps)
	}
	end := len(d.plan.Sections)
	for _, p := range all {
		d.add(p.phase, p.late)
	}
	for _, p := range all {
		d.add(p.phase, p.last)
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
}

// add is one more section, or more of the last one. A directory that an earlier step makes is left out: phases name what they need,
// because each can run alone.
func (d *draft) add(ph Phase, steps []plan.Step) {
	if steps == nil {
		return
	}
	steps = slices.DeleteFunc(steps, func(s plan.Step) bool {
		dir, ok := s.(plan.File)
		if !ok || !dir.Dir || dir.Absent {
			return false
		}
		before := d.made[dir.Path]
		d.made[dir.Path] = true
		return before
	})
	if n := len(d.plan.Sections); n > 0 && d.plan.Sections[n-1].Phase == ph.Name {
		d.plan.Sections[n-1].Steps = append(d.plan.Sections[n-1].Steps, steps...)
		return
	}
	d.plan.Sections = append(d.plan.Sections, plan.Section{Phase: ph.Name, KeepGoing: ph.KeepGoing, Steps: steps})
}

// parts are the steps of a phase by where in the command they come.
type parts struct {
	phase                    Phase
	first, steps, late, last []plan.Step
}

// parts asks a phase and its parts.
func (d *draft) parts(ctx context.Context, ph Phase, parent string) (parts, error) {
	p := parts{phase: ph}
	name := join(parent, ph.Name)
	if d.facts.Skips(name) && !d.facts.Named {
		return p, nil
	}
	first, late, last := &p.steps, &p.steps, &p.steps
	if ph.First != nil && d.facts.kubeletFirst() {
		first = &p.first
	}
	if d.facts.Whole {
		late, last = &p.late, &p.last
	}
	for _, ask := range []struct {
		about func(context.Context, *Facts) ([]plan.Step, error)
		into  *[]plan.Step
	}{{ph.First, first}, {ph.Steps, &p.steps}, {ph.Late, late}, {ph.Last, last}} {
		if ask.about == nil {
			continue
		}
		steps, err := ask.about(ctx, d.facts)
		if err != nil {
			return p, fmt.Errorf("%s: %w", name, err)
		}
		*ask.into = append(*ask.into, steps...)
	}
	for _, sub := range ph.Sub {
		s, err := d.parts(ctx, sub, name)
		if err != nil {
			return p, err
		}
		p.first, p.steps = append(p.first, s.first...), append(p.steps, s.steps...)
		p.late, p.last = append(p.late, s.late...), append(p.last, s.last...)
	}
	return p, nil
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

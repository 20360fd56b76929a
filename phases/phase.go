// Package phases turns facts into steps: one file for each phase, and in commands.go the ordered lists that make the
// commands. A phase reads; it never writes. Phases don't call each other.
package phases

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/plan"
)

// Phase is a named part of a command. It has either steps or parts of its own.
type Phase struct {
	// Name is kubeadm's name for it: "upload-config", and "kubeadm" for its first part.
	Name string
	// Alias is another name that `phase` accepts.
	Alias string
	// About is one line for help.
	About string
	// Ours says that kubeadm's help names no such phase.
	Ours bool
	// Flags lists the flags, beside the common ones, that the phase understands when it is run alone.
	Flags []string
	// Steps says what should be. Nil for a phase that has parts, or that only prints.
	Steps func(context.Context, *Facts) ([]plan.Step, error)
	// KeepGoing means that a step which fails is no reason to leave out the others.
	KeepGoing bool
	// Sub are the phase's parts, in order.
	Sub []Phase
}

// Command is an ordered list of phases.
type Command struct {
	Name   string
	Phases []Phase
}

// Plan asks every phase that is not skipped for its steps. Nothing is changed; the first phase that can't say what should be
// ends it.
func (c Command) Plan(ctx context.Context, f *Facts) (plan.Plan, error) {
	var p plan.Plan
	made := map[string]bool{}
	for _, ph := range c.Phases {
		steps, err := ph.steps(ctx, f, "")
		if err != nil {
			return plan.Plan{}, err
		}
		if steps == nil {
			continue
		}
		p.Sections = append(p.Sections, plan.Section{
			Phase: ph.Name, Steps: slices.DeleteFunc(steps, again(made)), KeepGoing: ph.KeepGoing,
		})
	}
	if f.bindsAdmins() {
		beforeAPI(p, bindAdmins(f))
	}
	return p, nil
}

// beforeAPI puts a step before the first one that talks to the cluster, whichever phase that is of.
func beforeAPI(p plan.Plan, step plan.Step) {
	for i := range p.Sections {
		s := &p.Sections[i]
		if at := slices.IndexFunc(s.Steps, plan.NeedsAPI); at >= 0 {
			s.Steps = slices.Insert(s.Steps, at, step)
			return
		}
	}
}

// again finds directories that an earlier step makes: phases name what they need, because each can run alone.
func again(made map[string]bool) func(plan.Step) bool {
	return func(s plan.Step) bool {
		dir, ok := s.(plan.File)
		if !ok || !dir.Dir || dir.Absent {
			return false
		}
		before := made[dir.Path]
		made[dir.Path] = true
		return before
	}
}

func (ph Phase) steps(ctx context.Context, f *Facts, parent string) ([]plan.Step, error) {
	name := join(parent, ph.Name)
	if f.Skips(name) && !f.Named {
		return nil, nil
	}
	var all []plan.Step
	if ph.Steps != nil {
		steps, err := ph.Steps(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, steps...)
	}
	for _, sub := range ph.Sub {
		steps, err := sub.steps(ctx, f, name)
		if err != nil {
			return nil, err
		}
		all = append(all, steps...)
	}
	return all, nil
}

// Select returns the command reduced to one phase, named as "certs" or "certs/ca".
func (c Command) Select(name string) (Command, error) {
	parent, child, has := strings.Cut(name, "/")
	for _, ph := range c.Phases {
		if ph.Name != parent && (ph.Alias == "" || ph.Alias != parent) {
			continue
		}
		if !has || child == "all" {
			return Command{Name: c.Name, Phases: []Phase{ph}}, nil
		}
		for _, sub := range ph.Sub {
			if sub.Name == child {
				ph.Sub = []Phase{sub}
				return Command{Name: c.Name, Phases: []Phase{ph}}, nil
			}
		}
	}
	return Command{}, fmt.Errorf("there is no phase %q in %s; the phases are: %s", name, c.Name, strings.Join(c.Names(), ", "))
}

// Names lists all phases and parts, "certs" and "certs/ca", in order.
func (c Command) Names() []string {
	var names []string
	for _, ph := range c.Phases {
		names = append(names, ph.Name)
		for _, sub := range ph.Sub {
			names = append(names, join(ph.Name, sub.Name))
		}
	}
	return names
}

// CheckSkip returns an error for names that are no phases of the command.
func (c Command) CheckSkip(skip []string) error {
	known := c.Names()
	for _, s := range skip {
		if !slices.Contains(known, strings.ToLower(strings.TrimSpace(s))) {
			return cause.Usage.Mark(fmt.Errorf("cannot skip phase %q: there is no such phase; the phases are: %s", s, strings.Join(known, ", ")))
		}
	}
	return nil
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "/" + name
}

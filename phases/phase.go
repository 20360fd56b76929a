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
	// First says what comes at the beginning of a whole command where the kubelet is started first, because that needs it. Else it
	// comes before Steps.
	First func(context.Context, *Facts) ([]plan.Step, error)
	// Steps says what should be. Nil for a phase that has parts, or that only prints.
	Steps func(context.Context, *Facts) ([]plan.Step, error)
	// KeepGoing means that a step which fails is no reason to leave out the others.
	KeepGoing bool
	// Late says what a whole command does when it has taken all Steps, and Last what it ends with: others need not wait for it. Where
	// the phase is run alone, they follow Steps.
	Late, Last func(context.Context, *Facts) ([]plan.Step, error)
	// Sub are the phase's parts, in order.
	Sub []Phase
}

// Command is an ordered list of phases.
type Command struct {
	Name   string
	Phases []Phase
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

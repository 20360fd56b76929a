package cmd

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/phases"
)

// command is what init and join have in common: flags of which each phase takes some, and a way to run phases.
type command interface {
	flagSet() *pflag.FlagSet
	common() *runFlags
	setPhase(name string)
	// argument is what a single phase may be given besides flags, as help shows it; empty when nothing.
	argument() string
	run(ctx context.Context, env *Env, flags *pflag.FlagSet, list phases.Command) error
}

// newPhases is `init phase` and the like: a command for each phase and for each part of one.
func newPhases(env *Env, list phases.Command, fresh func() command) *cobra.Command {
	c := &cobra.Command{
		Use: "phase", Short: "Run a single phase of " + list.Name,
		RunE: needsSub,
	}
	for _, ph := range list.Phases {
		c.AddCommand(newPhase(env, list, fresh, ph, ph.Name))
	}
	return c
}

func newPhase(env *Env, list phases.Command, fresh func() command, ph phases.Phase, name string) *cobra.Command {
	c := &cobra.Command{Use: ph.Name, Short: ph.About, Args: cobra.NoArgs}
	if ph.Alias != "" {
		c.Aliases = []string{ph.Alias}
	}
	if ph.Ours {
		ownCommand(c)
	}
	if len(ph.Sub) == 0 {
		runnable(env, list, fresh(), c, name, ph.Flags)
		return c
	}
	c.RunE = needsSub
	all := &cobra.Command{Use: "all", Short: "Run all parts of " + ph.Name, Args: cobra.NoArgs}
	var flags []string
	for _, sub := range ph.Sub {
		flags = append(flags, sub.Flags...)
		c.AddCommand(newPhase(env, list, fresh, sub, name+"/"+sub.Name))
	}
	runnable(env, list, fresh(), all, name, flags)
	c.AddCommand(all)
	return c
}

// runnable makes the command run its phase with the flags that the phase understands.
func runnable(env *Env, list phases.Command, f command, c *cobra.Command, name string, flags []string) {
	all := f.flagSet()
	for _, flag := range flags {
		if found := all.Lookup(flag); found != nil && c.Flags().Lookup(flag) == nil {
			c.Flags().AddFlag(found)
		}
	}
	f.common().add(c.Flags())
	completeValues(c, list)
	if more := f.argument(); more != "" {
		c.Use, c.Args = c.Use+" "+more, cobra.MaximumNArgs(1)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		one, err := list.Select(name)
		if err != nil {
			return err
		}
		f.setPhase(name)
		return f.run(c.Context(), env, c.Flags(), one)
	}
}

// needsSub is the error of a command that only groups others.
func needsSub(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return cause.Usage.Mark(fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath()))
	}
	_ = c.Help()
	return cause.Usage.Mark(fmt.Errorf("cannot run %q alone: name one of its sub-commands", c.CommandPath()))
}

// phaseTable lists the phases for help.
func phaseTable(list phases.Command) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, ph := range list.Phases {
		fmt.Fprintf(w, "  %s\t%s\n", ph.Name, ph.About)
		for _, sub := range ph.Sub {
			fmt.Fprintf(w, "    /%s\t%s\n", sub.Name, sub.About)
		}
	}
	_ = w.Flush()
	return b.String()
}

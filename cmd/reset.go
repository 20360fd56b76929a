package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/plan"
)

func newReset(env *Env) *cobra.Command {
	f := &resetFlags{}
	list := phases.Reset()
	c := &cobra.Command{
		Use:   "reset",
		Short: "Take back what init or join made of this machine",
		Long: "reset takes back what init or join made of this machine, whether kubewright's or kubeadm's: the node leaves its cluster, and\n" +
			"the machine is as it was before. What others have put there stays. It can be interrupted and run again at any time.\n\n" +
			"The phases, in order:\n" + phaseTable(list),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), env, c.Flags(), list) },
	}
	c.Flags().AddFlagSet(f.flagSet())
	f.runFlags.add(c.Flags())
	completeValues(c, list)
	c.AddCommand(newPhases(env, list, func() command { return &resetFlags{} }))
	return c
}

// run is reset, or one phase of it.
func (f *resetFlags) run(ctx context.Context, env *Env, flags *pflag.FlagSet, list phases.Command) error {
	if err := f.runFlags.check(); err != nil {
		return err
	}
	if f.elsewhere() {
		return cause.Usage.Mark(errors.New("cannot use --root with reset: it is about this machine, not about files alone; use --dry-run to see what would go"))
	}
	out := newReporter(env, f.runFlags)
	return out.finish(f.runOn(ctx, env, flags, list, out))
}

func (f *resetFlags) runOn(ctx context.Context, env *Env, flags *pflag.FlagSet, list phases.Command, out *reporter) error {
	h := env.Machine.Host(f.root)
	c, err := f.load(env, flags)
	if err != nil {
		return cause.Usage.Mark(err)
	}
	out.warn(c.Warnings)
	if err := phases.Reset().CheckSkip(c.SkipPhases); err != nil {
		return err
	}
	f.dryRun, f.force, f.skipped = c.DryRun, c.Force, c.SkipPhases
	unlock, err := f.begin(ctx, env, h, list)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := f.gather(ctx, env, h, c, flags, out)
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return err
	}
	p, err := f.plan(ctx, s, list, out)
	if err != nil {
		return err
	}
	out.warn(f.beforehand(s.facts))
	if f.asks() {
		text := fmt.Sprintf("This takes back what init or join made of this machine, node %s: the kubelet and its pods, the files below %s and %s.",
			s.facts.Resetting.Node, config.KubernetesDir, s.facts.Resetting.KubeletDir)
		if err := confirm(env, out, text); err != nil {
			return err
		}
	}
	if !f.dryRun && f.runs("remove-etcd-member") {
		clearLock(ctx, s)
	}
	return f.execute(ctx, env, s, p, list, out, func(changes int) error { return f.closing(env, s, changes, out) })
}

// closing puts away the records of the runs that were taken back, and says what was left alone.
func (f *resetFlags) closing(env *Env, s *session, changes int, out *reporter) error {
	if f.phase == "" && len(s.facts.Skip) == 0 {
		runs, err := plan.History(s.host)
		if err == nil {
			err = plan.PutAway(s.host, runs)
		}
		if err != nil {
			return err
		}
	}
	var left, moved []string
	if f.runs("cleanup-node") {
		left = leftAlone(env, s)
	}
	if e := s.facts.Resetting.Etcd; e != nil {
		moved = slices.DeleteFunc(slices.Clone(e.MovedTo), func(dir string) bool { return !s.host.Exists(dir) })
	}
	if out.json != nil {
		out.result(changes, event{Node: s.facts.Resetting.Node, LeftAlone: left, Moved: moved})
		return nil
	}
	if changes == 0 {
		out.line("Nothing to do: everything is as it should be.")
	} else if f.phase == "" {
		out.line("\nThis machine is no node any more.")
	}
	for _, what := range left {
		out.line("Left alone: %s", what)
	}
	out.moved(moved)
	return nil
}

// runs says that a phase is part of this run.
func (f *resetFlags) runs(phase string) bool {
	return (f.phase == "" || f.phase == phase) && !slices.Contains(f.skipped, phase)
}

// leftAlone names what a user may look for among what reset takes away, and does not.
func leftAlone(env *Env, s *session) []string {
	var left []string
	if names, err := s.host.ReadDir(config.ManifestsDir); err == nil {
		for _, name := range names {
			left = append(left, config.ManifestsDir+"/"+name+" (no static pod of init or join)")
		}
	}
	r := s.facts.Resetting
	if names, err := s.host.ReadDir(r.CertificatesDir); err == nil && len(names) > 0 {
		left = append(left, r.CertificatesDir+" (what was there before, or is of others)")
	}
	for _, kv := range env.Environ {
		if home, ok := strings.CutPrefix(kv, "HOME="); ok && s.host.Exists(home+"/.kube/config") {
			left = append(left, home+"/.kube/config (if it is of this cluster, it is of no use any more)")
		}
	}
	return left
}

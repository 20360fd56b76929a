package cmd

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/phases"
)

func newInit(env *Env) *cobra.Command {
	f := &initFlags{}
	list := phases.Init()
	c := &cobra.Command{
		Use:   "init",
		Short: "Make this machine the first control-plane node of a cluster",
		Long: "init makes this machine the first control-plane node of a cluster. It can be interrupted and run again at any time:\n" +
			"what is right already is left alone.\n\nThe phases, in order:\n" + phaseTable(list),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), env, c.Flags(), list) },
	}
	all := f.flagSet()
	all.VisitAll(func(flag *pflag.Flag) {
		if !phaseOnly[flag.Name] {
			c.Flags().AddFlag(flag)
		}
	})
	f.runFlags.add(c.Flags())
	f.addTimeline(c.Flags())
	completeValues(c, list)
	c.AddCommand(newPhases(env, list, func() command { return &initFlags{} }))
	return c
}

// phaseOnly are flags that only phases have.
var phaseOnly = map[string]bool{
	"kubeconfig": true, "kubeconfig-dir": true, "print-manifest": true,
	"apiserver-extra-args": true, "controller-manager-extra-args": true, "scheduler-extra-args": true,
}

// run is init, or one phase of it.
func (f *initFlags) run(ctx context.Context, env *Env, flags *pflag.FlagSet, list phases.Command) error {
	if err := f.runFlags.check(); err != nil {
		return err
	}
	if err := f.absolutePaths(); err != nil {
		return cause.Usage.Mark(err)
	}
	out := newReporter(env, f.runFlags)
	var err error
	if out.timeline, err = f.record("kubewright init"); err == nil {
		err = f.runOn(ctx, env, flags, list, out)
		if !f.dryRun {
			err = errors.Join(err, out.timeline.write(env.Machine.Host("/")))
		}
	}
	return out.finish(err)
}

func (f *initFlags) runOn(ctx context.Context, env *Env, flags *pflag.FlagSet, list phases.Command, out *reporter) error {
	h, began := env.Machine.Host(f.root), time.Now()
	in, err := f.load(ctx, env, h, flags)
	if err != nil {
		return cause.Usage.Mark(err)
	}
	out.warn(in.config.Warnings)
	if err := phases.Init().CheckSkip(in.config.Init.SkipPhases); err != nil {
		return err
	}
	f.dryRun, f.onlyPrints = in.config.Init.DryRun, f.printManifest
	if f.dryRun && out.timeline != nil {
		return errors.New("cannot write --timeline: a dry run waits for nothing")
	}
	unlock, err := f.begin(ctx, env, h, list)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := f.gather(ctx, env, h, in)
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
	if f.printManifest {
		return out.manifests(p)
	}
	out.timeline.planned(began)
	out.timeline.watch(ctx, s)
	return f.execute(ctx, env, s, p, list, out, func(changes int) error {
		return f.closing(ctx, s, changes, out)
	})
}

// The rest makes the commands for the phases from the same flags.
func (f *initFlags) common() *runFlags    { return &f.runFlags }
func (f *initFlags) setPhase(name string) { f.phase = name }
func (f *initFlags) argument() string     { return "" }

package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/phases"
)

func newJoin(env *Env) *cobra.Command {
	f := &joinFlags{}
	list := phases.Join()
	c := &cobra.Command{
		Use:   "join [api-server-endpoint]",
		Short: "Make this machine a node of a cluster that is there",
		Long: "join makes this machine a worker of the cluster, or with --control-plane another control-plane node. It can be interrupted\n" +
			"and run again at any time: what is right already is left alone.\n\nThe phases, in order:\n" + phaseTable(list),
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.runAt(c.Context(), env, c.Flags(), list, first(args))
		},
	}
	c.Flags().AddFlagSet(f.flagSet())
	f.runFlags.add(c.Flags())
	completeValues(c, list)
	c.AddCommand(newPhases(env, list, func() command { return &joinFlags{} }))
	return c
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// run is one phase of join.
func (f *joinFlags) run(ctx context.Context, env *Env, flags *pflag.FlagSet, list phases.Command) error {
	return f.runAt(ctx, env, flags, list, first(flags.Args()))
}

// runAt is join, or one phase of it.
func (f *joinFlags) runAt(ctx context.Context, env *Env, flags *pflag.FlagSet, list phases.Command, endpoint string) error {
	if err := f.runFlags.check(); err != nil {
		return err
	}
	out := newReporter(env, f.runFlags)
	return out.finish(f.runOn(ctx, env, flags, list, endpoint, out))
}

func (f *joinFlags) runOn(ctx context.Context, env *Env, flags *pflag.FlagSet, list phases.Command, endpoint string, out *reporter) error {
	h := env.Machine.Host(f.root)
	in, err := f.load(ctx, env, h, flags, endpoint)
	if err != nil {
		return cause.Usage.Mark(err)
	}
	out.warn(in.join.Warnings)
	if err := phases.Join().CheckSkip(in.join.SkipPhases); err != nil {
		return err
	}
	f.dryRun = in.join.DryRun
	unlock, err := f.begin(ctx, env, h, list)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, err := f.gather(ctx, env, h, in, list, cancel, out)
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
	err = f.execute(ctx, env, s, p, list, out, func(changes int) error {
		return f.closing(s, changes, out)
	})
	if abandon := s.facts.Joining.Abandon; err != nil && abandon != nil {
		done, failed := abandon(ctx)
		if done != "" {
			out.warn([]string{done})
		}
		err = errors.Join(err, failed)
	}
	return err
}

// closing says how the run ended.
func (f *joinFlags) closing(s *session, changes int, out *reporter) error {
	node := s.facts.Config.Init.NodeRegistration.Name
	if out.program == Kubeadm && out.json == nil && f.phase == "" {
		fmt.Fprintln(out.out, "This node has joined the cluster.") // scripts look for these words on stdout
	}
	if out.json != nil {
		ev := event{Node: node}
		if f.phase == "" && s.facts.Joining.ControlPlane {
			ev.Next = &next{Kubeconfig: s.facts.AdminKubeconfig}
		}
		out.result(changes, ev)
		return nil
	}
	switch {
	case changes == 0:
		out.line("Nothing to do: everything is as it should be.")
	case f.phase != "":
	case s.facts.Joining.ControlPlane:
		out.line("\nNode %s is a control-plane node of the cluster. To use the cluster from here, as root:\n\n  export KUBECONFIG=%s",
			node, s.facts.AdminKubeconfig)
	default:
		out.line("\nNode %s has joined the cluster. To see it, on a control-plane node: kubectl get nodes", node)
	}
	return nil
}

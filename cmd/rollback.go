package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/config"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/plan"
)

// rollbackFlags are the flags of rollback.
type rollbackFlags struct {
	runFlags
	force, wipeEtcd, forceDataLoss bool
}

func newRollback(env *Env) *cobra.Command {
	f := &rollbackFlags{runFlags: runFlags{root: "/"}}
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Take back what the last run has changed",
		Long: "rollback takes back what the last run of init, join or certs has changed, by its record and backwards, together with the attempts\n" +
			"that it carried on. Where that run has made this machine a node, its pods go, too. It can be interrupted and run again.\n\n" +
			"It stops at a point of no return, such as a member that was added to etcd on a node that was one before, and says so.\n" +
			"kubewright history shows the runs, and --dry-run what would be done.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), env) },
	}
	s := c.Flags()
	s.BoolVar(&f.dryRun, "dry-run", false, "show what would be done; change nothing")
	s.BoolVarP(&f.force, "force", "f", false, "do not ask")
	s.BoolVar(&f.forceDataLoss, "force-data-loss", false, "take this member out of etcd although the others lose their quorum, or none of them answers")
	s.BoolVar(&f.wipeEtcd, "wipe-etcd", false, "delete the data of an etcd that the run has started, instead of moving it aside")
	s.StringVarP(&f.output, "output", "o", "text", "text, or json or yaml: one event for each thing that happens")
	return ownCommand(c)
}

func (f *rollbackFlags) run(ctx context.Context, env *Env) error {
	if err := f.check(); err != nil {
		return err
	}
	out := newReporter(env, f.runFlags)
	return out.finish(f.runOn(ctx, env, out))
}

func (f *rollbackFlags) runOn(ctx context.Context, env *Env, out *reporter) error {
	h := env.Machine.Host(f.root)
	unlock, err := f.begin(ctx, env, h, phases.Rollback(false))
	if err != nil {
		return err
	}
	defer unlock()
	runs, err := plan.History(h)
	if err != nil {
		return fmt.Errorf("cannot roll back: %w", err)
	}
	group, resumed := plan.Last(runs, phases.RollbackName)
	if len(group) == 0 {
		return f.nothing(h, runs, out)
	}
	last := group[len(group)-1]
	if last.Command == phases.Reset().Name {
		return cause.Refused.Mark(errors.New("cannot roll back a reset: the keys that it took away are gone\nto bring it to its end: kubewright reset"))
	}
	back, err := f.lookBack(ctx, env, h, group, resumed, out)
	if back != nil && back.session != nil {
		defer back.session.close()
	}
	if err != nil {
		return err
	}
	p, err := f.plan(ctx, back.session, back.list, out)
	if err != nil {
		return err
	}
	out.warn(back.warnings)
	if !f.dryRun && !f.force {
		if err := confirm(env, out, back.describe(last)); err != nil {
			return err
		}
	}
	back.session.takesBack = group
	return f.execute(ctx, env, back.session, p, back.list, out, func(changes int) error { return f.closing(h, back, changes, out) })
}

// nothing is how a rollback ends that finds no run, and puts an earlier one away that had come that far.
func (f *rollbackFlags) nothing(h *host.Host, runs []plan.PastRun, out *reporter) error {
	if !f.dryRun {
		if err := plan.PutAway(h, rollbacks(runs)); err != nil {
			return err
		}
	}
	if out.json != nil {
		out.result(0, event{})
		return nil
	}
	out.line("Nothing to do: there is no record of a run that could be taken back.")
	return nil
}

// closing puts away the records of what is taken back, and last that of the rollback itself: as long as that is there, the next one
// knows what to bring to its end.
func (f *rollbackFlags) closing(h *host.Host, back *wayBack, changes int, out *reporter) error {
	if b := back.barrier; b != nil {
		return cause.Refused.Mark(fmt.Errorf("cannot go back further: %s, of phase %s, can't be taken back, and what was before it stays\n"+
			"what came after it is taken back; kubewright reset takes this machine out of its cluster", b.Step, b.Phase))
	}
	if err := plan.PutAway(h, back.session.takesBack); err != nil {
		return err
	}
	own, err := plan.History(h)
	if err == nil {
		own = rollbacks(own)
		for _, r := range own { // before its record is away, which is the very end: the next rollback is about an earlier run then
			err = errors.Join(err, r.Forget(h))
		}
	}
	if err == nil {
		err = plan.PutAway(h, own)
	}
	if err != nil {
		return err
	}
	moved := slices.DeleteFunc(slices.Clone(back.movedTo()), func(dir string) bool { return !h.Exists(dir) })
	if out.json != nil {
		out.result(changes, event{Moved: moved})
		return nil
	}
	out.moved(moved)
	last := back.session.takesBack[len(back.session.takesBack)-1]
	out.line("\nThe machine is as it was before %s of %s.", last.Command, began(back.session.takesBack[0]))
	return nil
}

// rollbacks picks those among the runs.
func rollbacks(runs []plan.PastRun) []plan.PastRun {
	return slices.DeleteFunc(slices.Clone(runs), func(r plan.PastRun) bool { return r.Command != phases.RollbackName })
}

// began is when a run began, for people.
func began(r plan.PastRun) string {
	at := r.Run.Time
	if at.IsZero() && len(r.Records) > 0 {
		at = r.Records[0].Time
	}
	return at.Local().Format(time.DateTime)
}

// describe says what the user is asked about.
func (b *wayBack) describe(last plan.PastRun) string {
	text := fmt.Sprintf("This takes back %s of %s, which %s", last.Command, began(last), endedHow(last))
	if n := len(b.group); n > 1 {
		text += fmt.Sprintf(", and %d attempts before it", n-1)
	}
	if b.startedKubelet {
		return text + fmt.Sprintf(":\nthe kubelet and its pods, and what they have left below %s.", config.KubeletDir)
	}
	if paths := b.session.facts.Reversal.Paths; len(paths) > 0 {
		text += fmt.Sprintf(":\n%s.", strings.Join(paths[:min(len(paths), 5)], ", "))
	}
	return text
}

func endedHow(r plan.PastRun) string {
	switch r.Result() {
	case plan.Finished:
		return "came to its end"
	case plan.Unfinished:
		return "did not come to its end"
	}
	return string(r.Result())
}

package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/plan"
)

// historyFlags are the flags of history.
type historyFlags struct {
	output string
}

func newHistory(env *Env) *cobra.Command {
	f := &historyFlags{}
	c := &cobra.Command{
		Use:   "history [run]",
		Short: "List what kubewright has done on this machine",
		Long: "history lists the runs that changed this machine, the oldest first, with how they ended. With the name of a run, or the\n" +
			"beginning of it, or \"last\", it lists what that run did, and how long each step took; with -v 1 also why.",
		Args: takes(1, "the name of one run"),
		RunE: func(_ *cobra.Command, args []string) error { return f.run(env, first(args)) },
	}
	c.Flags().StringVarP(&f.output, "output", "o", "text", "text, json or yaml")
	return ownCommand(c)
}

func (f *historyFlags) run(env *Env, name string) error {
	if err := checkOutput(f.output, "text", "json", "yaml"); err != nil {
		return err
	}
	runs, err := allRuns(env.Machine.Host("/"))
	if err != nil {
		return err
	}
	list := make([]pastRun, 0, len(runs))
	for _, r := range runs {
		list = append(list, newPastRun(r))
	}
	if name != "" {
		one, err := pick(list, name)
		if err != nil {
			return err
		}
		if f.output != "text" {
			return printValue(env, f.output, one)
		}
		return f.steps(env, one)
	}
	if f.output != "text" {
		for i := range list {
			list[i].Steps, list[i].Phases = nil, nil
		}
		return printValue(env, f.output, list)
	}
	return f.table(env, list)
}

// allRuns are those that count and those that were taken back, by time.
func allRuns(h *host.Host) ([]plan.PastRun, error) {
	past, err := plan.Past(h)
	if err != nil {
		return nil, readableByRoot(err)
	}
	runs, err := plan.History(h)
	if err != nil {
		return nil, readableByRoot(err)
	}
	runs = append(past, runs...)
	slices.SortStableFunc(runs, func(a, b plan.PastRun) int { return strings.Compare(a.ID(), b.ID()) })
	return runs, nil
}

func readableByRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w\nthe records may hold keys, so that only root reads them", err)
	}
	return err
}

// pick finds a run by its name, the beginning of it, or as the last.
func pick(list []pastRun, name string) (pastRun, error) {
	var found []pastRun
	for _, r := range list {
		if r.Run == name {
			return r, nil
		}
		if strings.HasPrefix(r.Run, name) {
			found = append(found, r)
		}
	}
	switch {
	case len(list) == 0:
		return pastRun{}, fmt.Errorf("cannot show run %q: there is no record of any run on this machine", name)
	case name == "last":
		return list[len(list)-1], nil
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return pastRun{}, fmt.Errorf("cannot show run %q: %d runs begin like that; kubewright history lists them", name, len(found))
	}
	return pastRun{}, fmt.Errorf("cannot show run %q: there is no such run; kubewright history lists them", name)
}

func (f *historyFlags) table(env *Env, list []pastRun) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(env.Stdout, "No run has changed this machine yet.")
		return err
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tCOMMAND\tBEGAN\tTOOK\tCHANGES\tRESULT")
	for _, r := range list {
		result := string(r.Result)
		if r.TakenBack {
			result += ", taken back"
		}
		if len(r.Of) > 0 {
			result += " (of " + strings.Join(r.Of, ", ") + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", r.Run, r.Command, r.Began.Local().Format(time.DateTime), seconds(r.Seconds), r.Changes, result)
	}
	return w.Flush()
}

// steps lists what one run did: its phases, and below each the changes.
func (f *historyFlags) steps(env *Env, r pastRun) error {
	paint := newPainter(env)
	fmt.Fprintf(env.Stdout, "%s, begun %s by kubewright %s: %s\n", r.Command, r.Began.Local().Format(time.DateTime), orUnknown(r.Version), r.Result)
	for _, p := range r.Phases {
		state := ""
		if p.Failed {
			state = "  failed"
		}
		fmt.Fprintf(env.Stdout, "%-22s %s%s\n", p.Phase, seconds(p.Seconds), state)
		for _, s := range r.Steps {
			if s.Phase == p.Phase {
				f.step(env, paint, s)
			}
		}
	}
	if r.Error != "" {
		fmt.Fprintf(env.Stdout, "it ended with: %s\n", strings.ReplaceAll(r.Error, "\n", "\n  "))
	}
	return nil
}

func (f *historyFlags) step(env *Env, paint painter, s pastStep) {
	kind := kindOf(s.Change)
	text := fmt.Sprintf("  %s %s", kind.Sign(), s.Step)
	if env.verbose > 0 && s.Why != "" {
		text += ": " + s.Why
	}
	if s.Seconds == nil {
		text += "  (not known to have been done)"
	} else if *s.Seconds >= 0.1 {
		text += "  " + seconds(s.Seconds)
	}
	if s.Final {
		text += "  (can't be taken back)"
	}
	fmt.Fprintln(env.Stdout, paint.kind(kind, text))
}

// kindOf is the kind that a journal names.
func kindOf(name string) plan.Kind {
	for k := plan.Same; k < plan.Unknown; k++ {
		if k.String() == name {
			return k
		}
	}
	return plan.Unknown
}

func seconds(s *float64) string {
	if s == nil {
		return "?"
	}
	return fmt.Sprintf("%.1fs", *s)
}

func orUnknown(version string) string {
	if version == "" {
		return "of an unknown version"
	}
	return version
}

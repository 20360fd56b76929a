package cmd

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/preflight"
)

// reporter prints what a run does: one line for each phase on stderr, or one event, as JSON or YAML, for each thing on stdout.
type reporter struct {
	out, err io.Writer
	env      *Env
	json     *events
	program  Program
	verbose  int
	paint    painter
	live     *spinner
	timeline *recording
	mu       sync.Mutex
}

func newReporter(env *Env, f runFlags) *reporter {
	r := &reporter{env: env, out: env.Stdout, err: env.Stderr, program: env.program(), verbose: env.verbose, paint: newPainter(env)}
	if f.output == "json" || f.output == "yaml" {
		r.json = newEvents(env, f.output)
	} else if env.Terminal {
		r.live = newSpinner(env.Stderr)
	}
	return r
}

// finish closes the report before the run's error is told.
func (r *reporter) finish(err error) error {
	r.live.stop()
	return err
}

// line prints to stderr without disturbing the spinner.
func (r *reporter) line(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live.clear()
	fmt.Fprintln(r.err, r.program.says(fmt.Sprintf(format, args...)))
}

func (r *reporter) warn(list []string) {
	for _, w := range list {
		if r.json != nil {
			r.json.emit(event{Event: "warning", Message: r.program.says(w)})
			continue
		}
		r.line("%s %s", r.paint.warning("warning:"), strings.ReplaceAll(w, "\n", "\n  "))
	}
}

// preflight prints the findings that do not end the run.
func (r *reporter) preflight(report *preflight.Report, dryRun bool) {
	var list []string
	for _, f := range report.Warnings {
		list = append(list, f.String())
	}
	for _, f := range report.Ignored {
		f.Warning = true // it is one now
		list = append(list, f.String()+" (ignored)")
	}
	if dryRun {
		for _, f := range report.Errors {
			list = append(list, "a real run would stop here: "+f.String())
		}
	}
	r.warn(list)
}

// progress shows what a long step waits for.
func (r *reporter) progress(status string) {
	if r.json != nil {
		return
	}
	r.live.status(status)
	if r.live == nil && r.verbose > 0 {
		r.line("    %s", status)
	}
}

func (r *reporter) observer(p plan.Plan) plan.Observer {
	o := plan.Observer{
		Begin: func(phase string) { r.live.start(phase) },
		End:   r.phaseEnd,
		Step:  r.step,
	}
	if r.json == nil && r.verbose == 0 { // machines want to know what was when; with -v the steps stand above their line
		o = wholePhases(p, o)
	}
	return r.timeline.observe(o)
}

func (r *reporter) phaseEnd(phase string, changes int, took time.Duration, err error) {
	if r.json != nil {
		r.json.emit(event{Event: "phase", Phase: phase, Changes: &changes, Seconds: took.Seconds(), Failed: err != nil})
		return
	}
	state := "unchanged"
	switch {
	case err != nil:
		state = "failed"
	case changes == 1:
		state = "1 change"
	case changes > 1:
		state = fmt.Sprintf("%d changes", changes)
	}
	r.live.end()
	r.line("%s %-20s %6.1fs  %s", r.paint.mark(err == nil), phase, took.Seconds(), state)
}

func (r *reporter) step(it plan.Item) {
	if r.json != nil {
		r.json.step(it)
		return
	}
	if it.Change.Kind == plan.Same || r.verbose == 0 {
		return
	}
	r.line("    %s", r.paint.kind(it.Change.Kind, it.Change.Kind.Sign()+" "+it.Step.String()+because(it.Change)))
	if r.verbose > 1 && it.Change.Lines != "" {
		r.line("      %s", strings.ReplaceAll(strings.TrimSuffix(it.Change.Lines, "\n"), "\n", "\n      "))
	}
}

func because(c plan.Change) string {
	if c.Why == "" || plan.Obvious(c) {
		return ""
	}
	return ": " + c.Why
}

// moved says where etcd's data is now.
func (r *reporter) moved(dirs []string) {
	for _, dir := range dirs {
		r.line("etcd's data is in %s now. Delete it when nobody needs it any more.", dir)
	}
}

// result is the last event of a run that went well, with what there is to tell in it; text has said it already.
func (r *reporter) result(changes int, ev event) {
	if r.json != nil {
		ev.Event, ev.Changes, ev.Run = "result", &changes, r.env.run
		r.json.emit(ev)
	}
}

// plan prints a preview on stdout.
func (r *reporter) plan(items []plan.Item) error {
	if r.json != nil {
		for _, it := range items {
			r.json.step(it)
		}
		n := plan.Changes(items)
		r.result(n, event{DryRun: true, Message: plan.Summary(items)})
		return nil
	}
	text := plan.Text(items, plan.TextOptions{Verbose: r.verbose > 0, Paint: r.paint.kind})
	if _, err := io.WriteString(r.out, text); err != nil {
		return err
	}
	if plan.Changes(items) > 0 {
		r.line("This was a dry run: nothing was changed.")
	}
	return nil
}

// manifests prints the objects of a plan, as YAML documents.
func (r *reporter) manifests(p plan.Plan) error {
	var problems []error
	for _, s := range p.Sections {
		for _, step := range s.Steps {
			o, ok := step.(plan.Object)
			switch {
			case !ok:
			case r.json != nil:
				r.json.manifest(o.Obj)
			default:
				problems = append(problems, printObject(r.out, o.Obj))
			}
		}
	}
	return errors.Join(problems...)
}

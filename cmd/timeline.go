package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubewright/kubewright/cause"
	"github.com/kubewright/kubewright/cluster"
	"github.com/kubewright/kubewright/host"
	"github.com/kubewright/kubewright/phases"
	"github.com/kubewright/kubewright/plan"
	"github.com/kubewright/kubewright/timeline"
)

// spanFrom is how long a step takes at least that is shown by itself.
const spanFrom = 20 * time.Millisecond

// recording draws a run into a file. The nil one draws nothing.
type recording struct {
	*timeline.Recorder
	file string
	// phase is what goes on, since when its steps are short, and when its last step has ended.
	phase       string
	short, last time.Time
	stop        func()
}

// addTimeline gives a command --timeline.
func (f *runFlags) addTimeline(s *pflag.FlagSet) {
	s.StringVar(&f.timeline, "timeline", "", "write into this file (.svg or .json) what took how long, and when each component was there")
	ownFlags(s, "timeline")
}

// record begins the recording that --timeline asks for.
func (f *runFlags) record(title string) (*recording, error) {
	switch {
	case f.timeline == "":
		return nil, nil
	case filepath.Ext(f.timeline) != ".svg" && filepath.Ext(f.timeline) != ".json":
		return nil, cause.Usage.Mark(fmt.Errorf("cannot write --timeline %s: its name has to end in .svg, for a picture, or .json", f.timeline))
	}
	file, err := filepath.Abs(f.timeline)
	if err == nil {
		_, err = os.Stat(filepath.Dir(file))
	}
	if err != nil {
		return nil, cause.Usage.Mark(fmt.Errorf("cannot write --timeline: %w", err))
	}
	return &recording{Recorder: timeline.Record(title, time.Now()), file: file, stop: func() {}}, nil
}

// planned is the time in which the machine was looked at and the phases said what they want, until now.
func (r *recording) planned(began time.Time) {
	if r != nil {
		r.Span("plan", "look at the machine, make keys, run the checks", began, time.Now())
	}
}

// watch notes in the background when each component of this machine is there.
func (r *recording) watch(ctx context.Context, s *session) {
	if r == nil || s.target.Elsewhere {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	list := phases.Moments(s.facts.Config, func() (*cluster.Client, error) {
		data, err := s.host.ReadFile(s.facts.AdminKubeconfig)
		if err != nil {
			return nil, err
		}
		return cluster.New(data, cluster.Options{Read: s.host.ReadFile, Patience: phases.MomentPatience})
	})
	var done sync.WaitGroup
	done.Go(func() {
		phases.WatchMoments(ctx, list, func(m phases.Moment, at time.Time) { r.Mark(m.Component, m.Name, at) })
	})
	r.stop = func() { cancel(); done.Wait() }
}

// observe adds the recording to what is told of a run.
func (r *recording) observe(o plan.Observer) plan.Observer {
	if r == nil {
		return o
	}
	told := o
	o.Begin = func(phase string) {
		now := time.Now()
		r.phase, r.short, r.last = phase, now, now
		told.Begin(phase)
	}
	o.Step = func(it plan.Item) {
		now := time.Now()
		if now.Sub(r.last) >= spanFrom {
			r.flush()
			r.Span(r.phase, it.Step.String(), r.last, now)
			r.short = now
		}
		r.last = now
		told.Step(it)
	}
	o.End = func(phase string, changes int, took time.Duration, err error) {
		r.last = time.Now()
		r.flush()
		told.End(phase, changes, took, err)
	}
	return o
}

// flush shows the short steps of before as one.
func (r *recording) flush() {
	if r.last.After(r.short) {
		r.Span(r.phase, r.phase, r.short, r.last)
	}
}

// write draws what was recorded, also of a run that failed.
func (r *recording) write(h *host.Host) error {
	if r == nil {
		return nil
	}
	r.stop()
	t := r.End(time.Now())
	data, err := t.JSON()
	if filepath.Ext(r.file) == ".svg" {
		data, err = timeline.SVG(t)
	}
	if err == nil {
		err = h.WriteFile(r.file, host.FileSpec{Data: data, Mode: 0o644})
	}
	if err != nil {
		return fmt.Errorf("cannot write --timeline: %w", err)
	}
	return nil
}

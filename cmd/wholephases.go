package cmd

import (
	"time"

	"github.com/kubewright/kubewright/plan"
)

// wholePhases tells people of each phase once, with its time and its changes in all: a whole command does some in parts, between others.
// One that fails is told of at once, and so is what the plan does not have: the rest of it may be made anew while it runs (session.late).
func wholePhases(p plan.Plan, o plan.Observer) plan.Observer {
	type sum struct {
		left, changes int
		took          time.Duration
	}
	sums := map[string]*sum{}
	for _, s := range p.Sections {
		if sums[s.Phase] == nil {
			sums[s.Phase] = &sum{}
		}
		sums[s.Phase].left++
	}
	told := o.End
	o.End = func(phase string, changes int, took time.Duration, err error) {
		s := sums[phase]
		if s == nil {
			s = &sum{left: 1}
			sums[phase] = s
		}
		s.left, s.changes, s.took = s.left-1, s.changes+changes, s.took+took
		if s.left <= 0 || err != nil {
			told(phase, s.changes, s.took, err)
			s.changes, s.took = 0, 0
		}
	}
	return o
}

package bed

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// moment is when the power is cut: a while after init has said something.
type moment struct {
	name string
	// phases are those in which steps that changed something count; the moment begins after so many of them, or when the last of the
	// phases has ended.
	phases  []string
	changes int
	delay   time.Duration
}

// Phases of init as its events name them.
var (
	writingPhases = []string{"certs", "kubeconfig", "etcd", "control-plane", "kubelet-start"}
	objectPhases  = []string{"upload-config", "mark-control-plane", "bootstrap-token"}
	addonPhases   = []string{"addon"}
)

const (
	fileChanges   = 46 // about what init changes in files and units before it waits for the control plane
	objectChanges = 18 // about what it changes in the cluster before the addons
	addonChanges  = 12
)

// moments are n times to cut the power during one init that is run again and again, in the order in which they come. Most are while
// files are written, each a random number of files after the last. With more than one, others are in the wait for the control plane;
// with ten, also when objects are made in the cluster, and addons.
func moments(n int, random *rand.Rand) []moment {
	late := min(4, n*2/5)
	if n > 1 {
		late = max(late, 1)
	}
	var at []int
	for range n - late {
		at = append(at, random.IntN(fileChanges))
	}
	slices.Sort(at)
	var list []moment
	before := 0
	for _, target := range at {
		list = append(list, moment{"files", writingPhases, target - before, upTo(60*time.Millisecond, random)})
		before = target
	}
	wait := func() moment {
		return moment{"wait", writingPhases, never, 3*time.Second + upTo(117*time.Second, random)}
	}
	for _, make := range []func() moment{wait, wait,
		func() moment {
			return moment{"objects", objectPhases, 1 + random.IntN(objectChanges), upTo(time.Second, random)}
		},
		func() moment {
			return moment{"addons", addonPhases, 1 + random.IntN(addonChanges), upTo(2*time.Second, random)}
		},
	}[:late] {
		list = append(list, make())
	}
	return list
}

// never is more changes than there are: the moment begins at the end of its phases.
const never = 1000

// upTo is a random time below the limit.
func upTo(limit time.Duration, random *rand.Rand) time.Duration {
	return time.Duration(random.Int64N(int64(limit)))
}

func (m moment) String() string {
	switch {
	case m.changes == never:
		return fmt.Sprintf("%s: %.1fs after it began", m.name, m.delay.Seconds())
	case m.delay < time.Second:
		return fmt.Sprintf("%s: %d changes on, and %dms", m.name, m.changes, m.delay.Milliseconds())
	}
	return fmt.Sprintf("%s: %d changes on, and %.1fs", m.name, m.changes, m.delay.Seconds())
}

// seen counts the events of one run and says when a moment has begun.
type seen struct {
	moment  moment
	changed int
	begun   bool
	last    runEvent // the last step, for the table
	same    int      // steps that were right already, before the first change
	first   runEvent // the first step that changed something
}

// take looks at one event. It is true once: when the moment begins, which for no changes is at the first event.
func (s *seen) take(e runEvent) bool {
	m := s.moment
	switch e.Event {
	case "step":
		s.last = e
		changed := e.Change != "same" && !waits(e)
		switch {
		case changed && s.first.Step == "":
			s.first = e
		case s.first.Step == "":
			s.same++
		}
		if changed && slices.Contains(m.phases, e.Phase) {
			s.changed++
		}
	case "phase":
		s.last = e
	}
	now := s.changed >= m.changes ||
		e.Event == "phase" && len(m.phases) > 0 && e.Phase == m.phases[len(m.phases)-1]
	if s.begun || !now {
		return false
	}
	s.begun = true
	return true
}

// where says how far the run had come by what was heard of it.
func (s *seen) where() string {
	switch {
	case s.last.Event == "":
		return "before its first step"
	case s.last.Event == "phase":
		return "after " + s.last.Phase
	}
	return s.last.Phase + ", after " + s.last.Step
}

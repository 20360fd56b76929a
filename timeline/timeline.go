// Package timeline holds what happened when in a run, and draws it. It is pure: times come in as arguments.
package timeline

import (
	"encoding/json"
	"math"
	"slices"
	"sync"
	"time"
)

// Timeline is what happened in one run. Times count from its beginning.
type Timeline struct {
	// Title says what ran, as in "kubewright init".
	Title string    `json:"title"`
	Began time.Time `json:"began"`
	// Seconds is how long the run took.
	Seconds float64 `json:"seconds"`
	Lanes   []Lane  `json:"lanes"`
}

// Lane is one line of the picture: what a phase or a component did.
type Lane struct {
	Name  string `json:"name"`
	Spans []Span `json:"spans,omitempty"`
	Marks []Mark `json:"marks,omitempty"`
}

// Span is something that lasted, in seconds.
type Span struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Mark is a moment, in seconds.
type Mark struct {
	Name string  `json:"name"`
	At   float64 `json:"at"`
}

// JSON is the timeline for machines.
func (t *Timeline) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(t, "", "  ")
	return append(data, '\n'), err
}

// Recorder collects a timeline. It may be used by several goroutines.
type Recorder struct {
	mu sync.Mutex
	t  Timeline
}

// Record begins a timeline.
func Record(title string, began time.Time) *Recorder {
	return &Recorder{t: Timeline{Title: title, Began: began}}
}

// Span adds what lasted from one time to another. Lanes are in the order in which they are named first.
func (r *Recorder) Span(lane, name string, from, to time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lane(lane)
	l.Spans = append(l.Spans, Span{Name: name, From: r.at(from), To: r.at(to)})
}

// Mark adds a moment, unless the lane has one of that name: the first time counts.
func (r *Recorder) Mark(lane, name string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lane(lane)
	if !slices.ContainsFunc(l.Marks, func(m Mark) bool { return m.Name == name }) {
		l.Marks = append(l.Marks, Mark{Name: name, At: r.at(at)})
	}
}

// End is the timeline of a run that has ended, with the marks of each lane in the order of time.
func (r *Recorder) End(at time.Time) *Timeline {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t.Seconds = r.at(at)
	out := r.t
	out.Lanes = nil
	for _, l := range r.t.Lanes {
		l.Marks = slices.Clone(l.Marks)
		slices.SortStableFunc(l.Marks, func(a, b Mark) int {
			switch {
			case a.At < b.At:
				return -1
			case a.At > b.At:
				return 1
			}
			return 0
		})
		out.Lanes = append(out.Lanes, l)
	}
	return &out
}

// at is a time in seconds, with milliseconds. The monotonic clock counts where both times have it.
func (r *Recorder) at(t time.Time) float64 {
	return math.Round(float64(t.Sub(r.t.Began))/float64(time.Millisecond)) / 1000
}

func (r *Recorder) lane(name string) *Lane {
	i := slices.IndexFunc(r.t.Lanes, func(l Lane) bool { return l.Name == name })
	if i < 0 {
		i = len(r.t.Lanes)
		r.t.Lanes = append(r.t.Lanes, Lane{Name: name})
	}
	return &r.t.Lanes[i]
}

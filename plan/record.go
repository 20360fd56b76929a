package plan

import "time"

// line is one line of a journal: a record, or one of the others. Its JSON form is a file format.
type line struct {
	Run *Begun `json:"run,omitempty"`
	Record
	Done  *Done        `json:"done,omitempty"`
	Ended *PhaseResult `json:"ended,omitempty"`
	End   *End         `json:"end,omitempty"`
}

// Begun is the first line: what was run, by which version of kubewright, and when it began.
type Begun struct {
	Command string    `json:"command"`
	Version string    `json:"version,omitempty"`
	Time    time.Time `json:"time"`
	// Of names the runs that are taken back, by their directories.
	Of []string `json:"of,omitempty"`
}

// Record is what was there before a change, written before the change was made.
type Record struct {
	N      int       `json:"n,omitempty"`
	Time   time.Time `json:"time,omitzero"`
	Phase  string    `json:"phase,omitempty"`
	Step   string    `json:"step,omitempty"`
	Kind   string    `json:"kind,omitempty"`
	Why    string    `json:"why,omitempty"`
	Before *Before   `json:"before,omitempty"`
	// Final marks a point of no return.
	Final bool `json:"final,omitempty"`
}

// Done says that the change of record N was made, and how long that took.
type Done struct {
	N       int     `json:"n"`
	Seconds float64 `json:"seconds"`
	// Left is the API object that was changed, as the run left it.
	Left *ObjectVersion `json:"left,omitempty"`
}

// ObjectVersion tells whether somebody has changed an API object since. The generation, where the object's kind has one, counts
// changes of what is wanted; the resource version also those of the status.
type ObjectVersion struct {
	ResourceVersion string `json:"resourceVersion,omitempty"`
	Generation      int64  `json:"generation,omitempty"`
}

// PhaseResult is how a phase ended.
type PhaseResult struct {
	Phase   string  `json:"phase"`
	Seconds float64 `json:"seconds"`
	Changes int     `json:"changes"`
	Failed  bool    `json:"failed,omitempty"`
}

// End is the last line. A run that was killed has none.
type End struct {
	Result Result    `json:"result"`
	Time   time.Time `json:"time"`
	Error  string    `json:"error,omitempty"`
}

// Result is how a run ended.
type Result string

// The results.
const (
	Finished Result = "done"    // all is as it should be
	Failed   Result = "failed"  // a step did not work
	Stopped  Result = "stopped" // by a signal, or because a lock was lost
	// Unfinished has no end on record: the run goes on, or was killed, or the machine went down.
	Unfinished Result = "unfinished"
)

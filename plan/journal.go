package plan

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/kubewright/kubewright/host"
)

// RunsDir holds one directory for each run that changed something.
const RunsDir = "/var/lib/kubewright/runs"

// journalFile is the name of a journal in the directory of its run.
const journalFile = "journal.jsonl"

// Journal records what was there before each change, durably and before the change is made.
// Its directory appears with the first record: a run that changes nothing leaves no trace.
// Old contents lie in files of their own, mode 0600, because they may be keys; the journal's text holds no secret.
type Journal struct {
	Host *host.Host
	// Command is the command of the run, as in "init".
	Command string

	dir string
	n   int
}

// Record is one line of the journal.
type Record struct {
	N      int       `json:"n"`
	Time   time.Time `json:"time"`
	Phase  string    `json:"phase"`
	Step   string    `json:"step"`
	Kind   string    `json:"kind"`
	Why    string    `json:"why,omitempty"`
	Before *Before   `json:"before,omitempty"`
	// Final marks a point of no return.
	Final bool `json:"final,omitempty"`
}

// Dir is the run's directory, or "" as long as nothing was recorded.
func (j *Journal) Dir() string { return j.dir }

// Write makes the record durable. It must return before the change is made.
func (j *Journal) Write(r Record) error {
	if j.dir == "" {
		name := j.Host.Time().UTC().Format("20060102T150405.000Z") + "-" + j.Command
		dir := filepath.Join(RunsDir, name)
		if err := j.Host.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("cannot start the journal: %w", err)
		}
		j.dir = dir
		j.tidy()
	}
	j.n++
	r.N, r.Time = j.n, j.Host.Time().UTC()
	if r.Before != nil && r.Before.File != nil && r.Before.File.Data != nil {
		f := *r.Before.File
		f.Blob = fmt.Sprintf("%04d.before", r.N)
		spec := host.FileSpec{Data: f.Data, Mode: 0o600}
		if err := j.Host.WriteFile(filepath.Join(j.dir, f.Blob), spec); err != nil {
			return fmt.Errorf("cannot write the journal: %w", err)
		}
		r.Before = &Before{File: &f}
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cannot write the journal: %w", err)
	}
	if err := j.Host.AppendFile(filepath.Join(j.dir, journalFile), append(line, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot write the journal: %w", err)
	}
	return nil
}

// tidy removes what crashed runs left half-written beside their journals: it may be an old key. What can't be removed now is
// tried again by the next run.
func (j *Journal) tidy() {
	names, _ := j.Host.ReadDir(RunsDir)
	for _, name := range names {
		_ = j.Host.RemoveLeftovers(filepath.Join(RunsDir, name))
	}
}

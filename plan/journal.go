package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/kubewright/kubewright/host"
)

// RunsDir holds one directory for each run that changed something.
const RunsDir = "/var/lib/kubewright/runs"

// journalFile is the name of a journal in the directory of its run.
const journalFile = "journal.jsonl"

// Journal records what was there before each change, durably and before the change is made; and, for people, how long the steps took
// and how the run ended. Its directory appears with the first record: a run that changes nothing leaves no trace.
// Old contents lie in files of their own, mode 0600, because they may be keys; the journal's text holds no secret.
type Journal struct {
	Host *host.Host
	// Command is the command of the run, as in "init", and Version that of kubewright.
	Command, Version string
	// Of names the runs that this one takes back, by their directories.
	Of []string

	dir   string
	n     int
	begun bool
	// notes are the lines that wait for the next record, so that they cost no sync of their own.
	notes bytes.Buffer
}

// Dir is the run's directory, or "" as long as nothing was recorded.
func (j *Journal) Dir() string { return j.dir }

// ID is the name of the run, as history shows it; "" as long as nothing was recorded.
func (j *Journal) ID() string {
	if j.dir == "" {
		return ""
	}
	return filepath.Base(j.dir)
}

// Start records durably that the run has begun, before it has changed anything.
func (j *Journal) Start() error {
	j.begin()
	if err := j.open(); err != nil {
		return err
	}
	return j.flush(j.Host.AppendFile)
}

// Write makes the record durable. It must return before the change is made.
func (j *Journal) Write(r Record) error {
	j.begin()
	if err := j.open(); err != nil {
		return err
	}
	j.n++
	r.N, r.Time = j.n, j.Host.Time().UTC()
	if r.Before != nil {
		before, err := j.putAside(r.N, *r.Before)
		if err != nil {
			return fmt.Errorf("cannot write the journal: %w", err)
		}
		r.Before = &before
	}
	j.note(line{Record: r})
	return j.flush(j.Host.AppendFile)
}

// putAside writes old content into a file of its own and returns what names it.
func (j *Journal) putAside(n int, b Before) (Before, error) {
	blob := fmt.Sprintf("%04d.before", n)
	var data []byte
	switch {
	case b.File != nil && b.File.Data != nil:
		f := *b.File
		data, f.Blob, b.File = f.Data, blob, &f
	case b.Object != nil && b.Object.Data != nil:
		o := *b.Object
		data, o.Blob, b.Object = o.Data, blob, &o
	default:
		return b, nil
	}
	return b, j.Host.WriteFile(filepath.Join(j.dir, blob), host.FileSpec{Data: data, Mode: 0o600})
}

// Done notes that the last recorded change was made.
func (j *Journal) Done(took time.Duration, left *ObjectVersion) {
	j.note(line{Done: &Done{N: j.n, Seconds: took.Seconds(), Left: left}})
}

// Phase notes that a phase has ended. Such notes survive the end of the process from now on, and a power cut once more is recorded.
func (j *Journal) Phase(p PhaseResult) error {
	j.begin()
	j.note(line{Ended: &p})
	if j.dir == "" {
		return nil
	}
	return j.flush(j.Host.AppendLazily)
}

// End records how the run ended. It does nothing when nothing was recorded.
func (j *Journal) End(result Result, cause error) error {
	if j.dir == "" {
		return nil
	}
	end := End{Result: result, Time: j.Host.Time().UTC()}
	if cause != nil {
		end.Error = cause.Error()
	}
	j.note(line{End: &end})
	return j.flush(j.Host.AppendFile)
}

func (j *Journal) begin() {
	if !j.begun {
		j.begun = true
		j.note(line{Run: &Begun{Command: j.Command, Version: j.Version, Time: j.Host.Time().UTC(), Of: j.Of}})
	}
}

func (j *Journal) note(l line) {
	data, err := json.Marshal(l)
	if err != nil { // text, numbers and times always marshal
		return
	}
	j.notes.Write(append(data, '\n'))
}

func (j *Journal) path() string { return filepath.Join(j.dir, journalFile) }

// flush writes all notes.
func (j *Journal) flush(add func(path string, data []byte, mode fs.FileMode) error) error {
	if err := add(j.path(), j.notes.Bytes(), 0o600); err != nil {
		return fmt.Errorf("cannot write the journal: %w", err)
	}
	j.notes.Reset()
	return nil
}

func (j *Journal) open() error {
	if j.dir != "" {
		return nil
	}
	dir := filepath.Join(RunsDir, j.Host.Time().UTC().Format("20060102T150405.000Z")+"-"+j.Command)
	if err := j.Host.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot start the journal: %w", err)
	}
	j.dir = dir
	j.tidy()
	return nil
}

// tidy removes what crashed runs left half-written beside their journals: it may be an old key. What can't be removed now is
// tried again by the next run.
func (j *Journal) tidy() {
	names, _ := j.Host.ReadDir(RunsDir)
	for _, name := range names {
		_ = j.Host.RemoveLeftovers(filepath.Join(RunsDir, name))
	}
	_ = forgetContents(j.Host)
}

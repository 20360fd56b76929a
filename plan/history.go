package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubewright/kubewright/host"
)

// PastDir holds the records of runs whose work was taken back, so that nobody goes by them any more.
const PastDir = "/var/lib/kubewright/past"

// PastRun is one run that changed something, as its journal tells.
type PastRun struct {
	// Dir is where its journal is, and Command what was run, as in "init".
	Dir, Command string
	// Run is what the journal begins with; it is zero where the run was cut off before.
	Run     Begun
	Records []Record
	// Done are the changes that are known to have been made, by the number of their record.
	Done   map[int]Done
	Phases []PhaseResult
	// End is nil where the run did not come to an end.
	End *End
}

// ID is the name of the run: when it began, and its command.
func (r PastRun) ID() string { return filepath.Base(r.Dir) }

// Result is how the run ended.
func (r PastRun) Result() Result {
	if r.End == nil {
		return Unfinished
	}
	return r.End.Result
}

// History reads the journals of all runs that were not taken back, the oldest first. What was cut off in the middle of writing is
// left out: its change was not made. The contents of files of before are not read; see Content.
func History(h *host.Host) ([]PastRun, error) { return runsIn(h, RunsDir) }

// Past reads the journals of the runs that were taken back, and of those that did so, the oldest first.
func Past(h *host.Host) ([]PastRun, error) { return runsIn(h, PastDir) }

func runsIn(h *host.Host, dir string) ([]PastRun, error) {
	names, err := h.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the journals of earlier runs: %w", err)
	}
	var runs []PastRun
	for _, name := range names { // they begin with the time
		_, command, ok := strings.Cut(name, "-")
		if !ok {
			continue
		}
		run := PastRun{Dir: filepath.Join(dir, name), Command: command, Done: map[int]Done{}}
		if err = run.read(h); err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func (r *PastRun) read(h *host.Host) error {
	path := filepath.Join(r.Dir, journalFile)
	data, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read a journal: %w", err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	for n, text := range lines {
		var l line
		err := json.Unmarshal(text, &l)
		switch {
		case err == nil && r.sound(l):
			r.add(l)
		case n == len(lines)-1: // after the last newline: nothing, or what was cut off
		default:
			return fmt.Errorf("cannot read the journal %s: line %d is damaged, or a later version of kubewright has written it", path, n+1)
		}
	}
	return nil
}

func (r *PastRun) add(l line) {
	switch {
	case l.Run != nil:
		r.Run = *l.Run
	case l.Done != nil:
		r.Done[l.Done.N] = *l.Done
	case l.Ended != nil:
		r.Phases = append(r.Phases, *l.Ended)
	case l.End != nil:
		r.End = l.End
	default:
		r.Records = append(r.Records, l.Record)
	}
}

// Origin is what was there before kubewright changed it for the first time.
type Origin struct {
	// Files by path, and Units by name. What no run has changed is in neither.
	Files map[string]*FileBefore
	Units map[string]*UnitBefore
	// dirs are those of the runs that the files are from, by path.
	dirs map[string]string
}

// OriginOf is what the runs, the oldest first, say of a time before them. Runs of undoing, such as reset, do not count.
func OriginOf(runs []PastRun, undoing ...string) Origin {
	o := Origin{Files: map[string]*FileBefore{}, Units: map[string]*UnitBefore{}, dirs: map[string]string{}}
	for _, run := range runs {
		for _, r := range run.Records {
			switch b := r.Before; {
			case b == nil || slices.Contains(undoing, run.Command):
			case b.File != nil && o.Files[b.File.Path] == nil:
				o.Files[b.File.Path], o.dirs[b.File.Path] = b.File, run.Dir
			case b.Unit != nil && o.Units[b.Unit.Name] == nil:
				o.Units[b.Unit.Name] = b.Unit
			}
		}
	}
	return o
}

// Made says that kubewright has put there what is at the path: nothing was before.
func (o Origin) Made(path string) bool {
	b := o.Files[path]
	return b != nil && b.Absent
}

// Content is what was in a file that kubewright has changed.
func (o Origin) Content(h *host.Host, path string) ([]byte, error) {
	b := o.Files[path]
	if b == nil || b.Blob == "" {
		return nil, fmt.Errorf("cannot tell what was in %s: no journal has it", path)
	}
	return h.ReadFile(filepath.Join(o.dirs[path], b.Blob))
}

// TakenBack is when the newest of the runs that count put the records of others away: what was there then, it has left on purpose.
// Zero for never.
func TakenBack(h *host.Host, counts func(PastRun) bool) (time.Time, error) {
	names, err := h.ReadDir(PastDir)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read the journals of earlier runs: %w", err)
	}
	for _, name := range slices.Backward(names) {
		_, command, _ := strings.Cut(name, "-")
		run := PastRun{Dir: filepath.Join(PastDir, name), Command: command, Done: map[int]Done{}}
		info, err := h.Stat(filepath.Join(run.Dir, journalFile))
		if errors.Is(err, fs.ErrNotExist) { // it was cut off
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		_ = run.read(h) // of one that is damaged, the command is known
		if counts(run) {
			return info.ModTime, nil
		}
	}
	return time.Time{}, nil
}

// PutAway moves the journals of all runs to PastDir, because what they tell of is gone, each in one step, and removes the contents
// of old files beside them: they may be keys.
func PutAway(h *host.Host, runs []PastRun) error {
	for _, run := range slices.Backward(runs) { // that of undoing first: without it nobody knows what was left on purpose
		if err := putAway(h, run.Dir); err != nil {
			return fmt.Errorf("cannot put away the record of an earlier run: %w", err)
		}
	}
	return forgetContents(h)
}

func putAway(h *host.Host, dir string) error {
	if !h.Exists(filepath.Join(dir, journalFile)) { // nothing was recorded
		return h.RemoveTree(dir)
	}
	to := filepath.Join(PastDir, filepath.Base(dir))
	if h.Exists(to) { // it is moved, and a power cut has left it here, too
		return h.RemoveTree(dir)
	}
	if err := h.MkdirAll(PastDir, 0o700); err != nil {
		return err
	}
	return h.Move(dir, to)
}

// forgetContents leaves only the journals of the runs that were put away, also of those where that was interrupted.
func forgetContents(h *host.Host) error {
	names, err := h.ReadDir(PastDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, name := range names {
		errs = append(errs, PastRun{Dir: filepath.Join(PastDir, name)}.Forget(h))
	}
	return errors.Join(errs...)
}

// Forget removes the old contents of files beside the journal. From then on only people can make use of it.
func (r PastRun) Forget(h *host.Host) error {
	files, err := h.ReadDir(r.Dir)
	errs := []error{err}
	for _, file := range files {
		if file != journalFile {
			errs = append(errs, h.Remove(filepath.Join(r.Dir, file)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot remove the old contents of files from %s, which may be keys: %w", r.Dir, err)
	}
	return nil
}

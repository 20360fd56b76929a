package plan

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/kubewright/kubewright/host"
)

// Reversal is what brings back what was there before some runs.
type Reversal struct {
	// Files are steps for files, the last that was changed first, and at the end for the directories that were made.
	Files []Step
	// Paths are those of Files that are no directories.
	Paths []string
	// Units are as they were. What else they need to be told, such as which of Paths they read, is for the caller to add.
	Units []Unit
	// Objects are steps for API objects, the last that was changed first.
	Objects []Step
	// Foreign are paths that others have changed since.
	Foreign []string
	// Barrier is the point of no return, which nothing before it is taken back from; nil when there is none.
	Barrier *Record
}

// Last finds what a rollback is about: the newest run, and with it the runs of the same command right before it that did not come to
// their end, because it carried them on. An earlier rollback that did not come to its own end is about what it was about then, and is
// resumed; one that was killed before it had written what it takes back has done nothing, and says nothing.
func Last(runs []PastRun, rollback string) (group []PastRun, resumed bool) {
	runs = slices.DeleteFunc(slices.Clone(runs), func(r PastRun) bool { return r.Command == rollback && len(r.Run.Of) == 0 })
	if len(runs) == 0 {
		return nil, false
	}
	if last := runs[len(runs)-1]; last.Command == rollback {
		return slices.DeleteFunc(runs, func(r PastRun) bool { return !slices.Contains(last.Run.Of, r.ID()) }), true
	}
	runs = slices.DeleteFunc(runs, func(r PastRun) bool { return r.Command == rollback })
	first := len(runs) - 1
	for first > 0 && runs[first-1].Command == runs[first].Command && runs[first-1].Result() != Finished {
		first--
	}
	return runs[first:], false
}

// Reverse works out how to get back to where the machine was before the runs, which are given the oldest first.
func Reverse(h *host.Host, runs []PastRun) (*Reversal, error) {
	w := &walk{host: h, files: map[string]*filePast{}, units: map[string]*UnitBefore{}, objects: map[string]*objectPast{}}
	for _, run := range slices.Backward(runs) {
		for _, rec := range slices.Backward(run.Records) {
			if rec.Final {
				w.barrier = &rec
				return w.reversal()
			}
			if rec.Before != nil {
				w.add(run, rec)
			}
		}
	}
	return w.reversal()
}

// walk goes back in time and keeps, of each thing, how it was at the oldest moment so far.
type walk struct {
	host    *host.Host
	files   map[string]*filePast
	units   map[string]*UnitBefore
	objects map[string]*objectPast
	// The order in which they were met: the newest change first.
	paths, unitNames, objectNames []string
	barrier                       *Record
}

type filePast struct {
	before FileBefore
	dir    string // of the run
	leaves []string
}

type objectPast struct {
	before ObjectBefore
	dir    string
	left   *ObjectVersion
}

func (w *walk) add(run PastRun, rec Record) {
	switch b := rec.Before; {
	case b.File != nil:
		past := w.files[b.File.Path]
		if past == nil {
			past = &filePast{}
			w.files[b.File.Path] = past
			w.paths = append(w.paths, b.File.Path)
		}
		past.before, past.dir, past.leaves = *b.File, run.Dir, append(past.leaves, b.File.Leaves)
	case b.Unit != nil:
		if w.units[b.Unit.Name] == nil {
			w.unitNames = append(w.unitNames, b.Unit.Name)
		}
		w.units[b.Unit.Name] = b.Unit
	case b.Object != nil:
		name := fmt.Sprintf("%s %s/%s", b.Object.Kind, b.Object.Namespace, b.Object.Name)
		past := w.objects[name]
		if past == nil {
			past = &objectPast{left: run.Done[rec.N].Left}
			w.objects[name] = past
			w.objectNames = append(w.objectNames, name)
		}
		past.before, past.dir = *b.Object, run.Dir
	}
}

func (w *walk) reversal() (*Reversal, error) {
	r := &Reversal{Barrier: w.barrier}
	var dirs []string
	for _, path := range w.paths {
		past := w.files[path]
		if err := w.content(past.dir, past.before.Blob, &past.before.Data); err != nil {
			return nil, fmt.Errorf("cannot tell what was in %s: %w", path, err)
		}
		foreign, err := past.changedByOthers(w.host)
		if err != nil {
			return nil, err
		}
		if foreign {
			r.Foreign = append(r.Foreign, path)
		}
		for _, step := range past.before.back() {
			if f := step.(File); f.Dir {
				dirs = append(dirs, f.Path)
				continue
			}
			r.Files, r.Paths = append(r.Files, step), append(r.Paths, path)
		}
	}
	if err := w.halfWritten(r); err != nil {
		return nil, err
	}
	slices.Sort(dirs)
	for _, dir := range slices.Backward(slices.Compact(dirs)) { // the lowest first
		r.Files = append(r.Files, GoneIfEmpty(dir))
	}
	for _, name := range w.unitNames {
		r.Units = append(r.Units, w.units[name].back())
	}
	for _, name := range w.objectNames {
		past := w.objects[name]
		if err := w.content(past.dir, past.before.Blob, &past.before.Data); err != nil {
			return nil, fmt.Errorf("cannot tell what was in %s: %w", name, err)
		}
		for _, step := range past.before.back() {
			o := step.(Object)
			if !o.Absent {
				o.IfLeft = past.left
			}
			r.Objects = append(r.Objects, o)
		}
	}
	return r, nil
}

// halfWritten adds what runs that were killed have left half-written where they changed files.
func (w *walk) halfWritten(r *Reversal) error {
	seen := map[string]bool{}
	for _, path := range w.paths {
		dir := filepath.Dir(path)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		names, err := w.host.Leftovers(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			r.Files = append(r.Files, Gone(filepath.Join(dir, name)))
		}
	}
	return nil
}

// content reads what lies beside the journal of a run.
func (w *walk) content(dir, blob string, into *[]byte) (err error) {
	if blob != "" {
		*into, err = w.host.ReadFile(filepath.Join(dir, blob))
	}
	return err
}

// changedByOthers says that there is neither what the runs have written, nor what was there before, nor nothing.
func (p *filePast) changedByOthers(h *host.Host) (bool, error) {
	if p.before.Dir {
		return false, nil
	}
	info, err := h.Stat(p.before.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || info.IsDir() {
		return true, err
	}
	now := info.Link
	if now == "" {
		data, err := h.ReadFile(p.before.Path)
		if err != nil {
			return false, err
		}
		now = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	was := p.before.Link
	if was == "" && !p.before.Absent {
		was = fmt.Sprintf("%x", sha256.Sum256(p.before.Data))
	}
	return now != was && !slices.Contains(p.leaves, now), nil
}

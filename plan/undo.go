package plan

import (
	"encoding/json"
	"io/fs"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Before is what was there before a step was applied: enough to bring it back. Exactly one field is set.
// It is written to the journal, so its JSON form is a file format.
type Before struct {
	File   *FileBefore   `json:"file,omitempty"`
	Unit   *UnitBefore   `json:"unit,omitempty"`
	Object *ObjectBefore `json:"object,omitempty"`
}

// FileBefore is a file, link or directory as it was. Data lives beside the journal, in a file of its own that only root reads.
type FileBefore struct {
	Path   string      `json:"path"`
	Absent bool        `json:"absent,omitempty"`
	Dir    bool        `json:"dir,omitempty"`
	Link   string      `json:"link,omitempty"`
	Mode   fs.FileMode `json:"mode,omitempty"`
	UID    int         `json:"uid,omitempty"`
	GID    int         `json:"gid,omitempty"`
	Data   []byte      `json:"-"`
	// Above is the highest directory above Path that was not there and was made with it; empty for none.
	Above string `json:"above,omitempty"`
	// Blob names the file beside the journal that holds Data.
	Blob string `json:"blob,omitempty"`
	// Leaves is the SHA-256 of the content that the step writes, or the target of its link: what else is there was put there by others.
	// Empty for a directory, and for what the step takes away.
	Leaves string `json:"leaves,omitempty"`
}

// UnitBefore is a unit as it was.
type UnitBefore struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	// Running says that it ran, or was about to: one that crashes is started again and again.
	Running bool `json:"running"`
}

// ObjectBefore is an API object as it was, or that it was not there.
type ObjectBefore struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Absent     bool   `json:"absent"`
	// Data is the object that was there, as JSON, without what the API server itself keeps. It lies beside the journal.
	Data []byte `json:"-"`
	// Blob names the file beside the journal that holds Data.
	Blob string `json:"blob,omitempty"`
}

// Back are the steps that bring back what was there.
func (b *Before) Back() []Step {
	switch {
	case b.File != nil:
		return b.File.back()
	case b.Unit != nil:
		return []Step{b.Unit.back()}
	case b.Object != nil:
		return b.Object.back()
	}
	return nil
}

func (b *FileBefore) back() []Step {
	switch {
	case b.Absent && b.Dir:
		return append([]Step{GoneIfEmpty(b.Path)}, b.aboveGone()...)
	case b.Absent:
		return append([]Step{Gone(b.Path)}, b.aboveGone()...)
	case b.Dir:
		return nil // it was there, and stays
	}
	return []Step{File{
		Path: b.Path, Mode: b.Mode, UID: b.UID, GID: b.GID, Data: b.Data, Link: b.Link, Secret: true, Why: "as it was before",
	}}
}

// Parents are the directories that were made with the file, the lowest first.
func (b *FileBefore) Parents() []string {
	var dirs []string
	for dir := filepath.Dir(b.Path); b.Above != "" && len(dir) >= len(b.Above); dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
	}
	return dirs
}

// aboveGone removes the directories that were made with the file, as long as nothing else is in them.
func (b *FileBefore) aboveGone() []Step {
	var steps []Step
	for _, dir := range b.Parents() {
		steps = append(steps, GoneIfEmpty(dir))
	}
	return steps
}

// Gone is a file of which no copy stays.
func Gone(path string) File { return File{Path: path, Absent: true, Forget: true, Secret: true} }

// GoneIfEmpty is a directory that goes unless something is in it.
func GoneIfEmpty(dir string) File { return File{Path: dir, Dir: true, Absent: true, Extent: IfEmpty} }

func (b *UnitBefore) back() Unit {
	return Unit{Name: b.Name, Enabled: b.Enabled, Disabled: !b.Enabled, Running: b.Running}
}

func (b *ObjectBefore) back() []Step {
	u := &unstructured.Unstructured{}
	if !b.Absent {
		if b.Data == nil || json.Unmarshal(b.Data, &u.Object) != nil {
			return nil // an old copy that nobody has
		}
		return []Step{Object{Obj: u}}
	}
	u.SetAPIVersion(b.APIVersion)
	u.SetKind(b.Kind)
	u.SetNamespace(b.Namespace)
	u.SetName(b.Name)
	return []Step{Object{Obj: u, Absent: true}}
}

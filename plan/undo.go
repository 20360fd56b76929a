package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubewright/kubewright/host"
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
}

// UnitBefore is a unit as it was.
type UnitBefore struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	Running bool   `json:"running"`
}

// ObjectBefore names an API object that was not there. One that was there is left as the run made it: others may have
// changed it since, and an old copy would undo their work.
type ObjectBefore struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Absent     bool   `json:"absent"`
}

// Undo brings back what was there.
func (b *Before) Undo(ctx context.Context, t *Target) error {
	switch {
	case b.File != nil:
		return b.File.undo(t)
	case b.Unit != nil:
		return b.Unit.undo(ctx, t)
	case b.Object != nil:
		return b.Object.undo(ctx, t)
	}
	return fmt.Errorf("cannot undo a step: its record is empty")
}

func (b *FileBefore) undo(t *Target) error {
	switch {
	case b.Absent && b.Dir:
		return errors.Join(t.Host.RemoveEmptyDir(b.Path), b.undoAbove(t))
	case b.Absent:
		return errors.Join(t.Host.Remove(b.Path), b.undoAbove(t))
	case b.Dir:
		return nil // it was there, and stays
	case b.Link != "":
		return t.Host.Symlink(b.Link, b.Path)
	}
	return t.Host.WriteFile(b.Path, host.FileSpec{Data: b.Data, Mode: b.Mode, UID: b.UID, GID: b.GID})
}

// Parents are the directories that were made with the file, the lowest first.
func (b *FileBefore) Parents() []string {
	var dirs []string
	for dir := filepath.Dir(b.Path); b.Above != "" && len(dir) >= len(b.Above); dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
	}
	return dirs
}

// undoAbove removes the directories that were made with the file, as long as nothing else is in them.
func (b *FileBefore) undoAbove(t *Target) error {
	for _, dir := range b.Parents() {
		if err := t.Host.RemoveEmptyDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (b *UnitBefore) undo(ctx context.Context, t *Target) error {
	if t.Systemd == nil {
		return fmt.Errorf("cannot undo unit %s: systemd can't be reached", b.Name)
	}
	change := t.Systemd.Stop
	if b.Running {
		change = t.Systemd.Restart
	}
	if err := change(ctx, b.Name); err != nil {
		return err
	}
	if b.Enabled {
		return t.Systemd.Enable(ctx, b.Name)
	}
	return t.Systemd.Disable(ctx, b.Name)
}

func (b *ObjectBefore) undo(ctx context.Context, t *Target) error {
	if !b.Absent {
		return nil
	}
	if t.API == nil {
		return fmt.Errorf("cannot delete %s %s: there is no API server to ask", b.Kind, b.Name)
	}
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(b.APIVersion)
	u.SetKind(b.Kind)
	u.SetNamespace(b.Namespace)
	u.SetName(b.Name)
	return t.API.Delete(ctx, u)
}

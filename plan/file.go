package plan

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/kubewright/kubewright/host"
)

// File is a regular file with exact bytes, a symbolic link, a directory, or the absence of any of them.
type File struct {
	Path     string
	Mode     fs.FileMode
	UID, GID int
	Data     []byte
	// Secret keeps the content out of every diff.
	Secret bool
	// Why explains a difference better than the bytes can ("expires in 12 days").
	Why string
	// Link makes it a symbolic link to this target.
	Link string
	// Dir makes it a directory. One that is there already is right, whatever its mode: it may belong to the distribution.
	Dir bool
	// Absent means that nothing should be at Path, and Extent what that takes away.
	Absent bool
	Extent Extent
	// Forget means that what is taken away is gone for good: the journal keeps no copy, because it may be a key.
	Forget bool
	// Unknown says why it can't be told what should be there. Such a step can be previewed, but not applied.
	Unknown string
}

func (f File) String() string {
	if f.Dir || f.Extent != Itself {
		return "directory " + f.Path
	}
	return "file " + f.Path
}

// Diff compares bytes, mode and owner. A link to a directory is as good as the directory, and one to a file as the file, as
// long as nothing has to be changed: whoever made it wants it. In a preview, what may not be read is Unknown: it needs no root.
func (f File) Diff(_ context.Context, t *Target) (Change, error) {
	if f.Unknown != "" {
		return Change{Kind: Unknown, Why: f.Unknown}, nil
	}
	c, err := f.diff(t)
	if t.pending != nil && errors.Is(err, fs.ErrPermission) {
		return Change{Kind: Unknown, Why: Unreadable(err)}, nil
	}
	return c, err
}

// Unreadable is why something can't be told by a preview that may not read what is there.
func Unreadable(err error) string { return firstLine(err) + " (root can tell)" }

func (f File) diff(t *Target) (Change, error) {
	info, err := t.Host.Stat(f.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return Change{}, err
	}
	switch {
	case f.Absent && missing:
		return Change{}, nil
	case f.Absent:
		return f.diffAbsent(t, info)
	case f.Dir && !missing && info.IsDir():
		return Change{}, nil
	case missing:
		return f.create(), nil
	case info.Link != "" && f.Link == "":
		return f.diffThrough(t, info.Link)
	case f.Dir || info.IsDir():
		return Change{}, fmt.Errorf("cannot write %s: something of another kind is there; move it away", f)
	case f.Link != "":
		return diffLink(f.Link, info), nil
	}
	return f.diffContent(t, info)
}

// diffThrough looks at what a symbolic link leads to: many a data directory lies on a disk of its own. What is right there is
// right; what is not can't be replaced in one step.
func (f File) diffThrough(t *Target, link string) (Change, error) {
	there, err := t.Host.StatFollow(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Change{}, fmt.Errorf("cannot write %s: a symbolic link to %s is there, and leads nowhere; make what it leads to, or remove it", f, link)
	case err != nil:
		return Change{}, err
	case f.Dir && there.IsDir():
		return Change{}, nil
	case f.Dir || !there.Mode.IsRegular():
		return Change{}, fmt.Errorf("cannot write %s: a symbolic link to %s is there, which is something of another kind; move it away", f, link)
	}
	c, err := f.diffContent(t, there)
	if err != nil || c.Kind == Same {
		return c, err
	}
	return Change{}, fmt.Errorf("cannot write %s: a symbolic link to %s is there, and must be changed (%s); replace it by its target", f, link, c.Why)
}

func (f File) create() Change {
	c := Change{Kind: Create, Why: f.Why}
	if c.Why == "" {
		c.Why = notThere
	}
	if !f.Secret && f.Link == "" && !f.Dir {
		c.Lines = unified("/dev/null", nil, f.Path, f.Data)
	}
	return c
}

func diffLink(want string, info host.Info) Change {
	if info.Link == want {
		return Change{}
	}
	return Change{Kind: Update, Why: "should be a link to " + want}
}

func (f File) diffContent(t *Target, info host.Info) (Change, error) {
	have, err := t.Host.ReadFile(f.Path)
	if err != nil {
		return Change{}, err
	}
	var why []string
	if !bytes.Equal(have, f.Data) {
		why = append(why, orElse(f.Why, "content differs"))
	}
	if info.Mode.Perm() != f.Mode.Perm() {
		why = append(why, fmt.Sprintf("mode is %04o, should be %04o", info.Mode.Perm(), f.Mode.Perm()))
	}
	if t.Host.OwnsFiles() && (info.UID != f.UID || info.GID != f.GID) {
		why = append(why, fmt.Sprintf("owner is %d:%d, should be %d:%d", info.UID, info.GID, f.UID, f.GID))
	}
	if why == nil {
		return Change{}, nil
	}
	c := Change{Kind: Update, Why: strings.Join(why, "; ")}
	if !f.Secret {
		c.Lines = unified(f.Path, have, f.Path+" (wanted)", f.Data)
	}
	return c, nil
}

// Apply writes the file atomically and durably; directories above it that are missing are made with mode 0755. A file whose
// content is right stays the same file, with its times: who waits for what reads it has nothing to wait for.
func (f File) Apply(_ context.Context, t *Target) error {
	if f.Unknown != "" {
		return fmt.Errorf("cannot write %s: %s", f, f.Unknown)
	}
	if f.Absent {
		return f.remove(t)
	}
	if err := t.Host.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	switch {
	case f.Dir:
		return t.Host.MkdirAll(f.Path, f.Mode)
	case f.Link != "":
		return t.Host.Symlink(f.Link, f.Path)
	}
	if f.sameContent(t) {
		return t.Host.SetAccess(f.Path, f.Mode, f.UID, f.GID)
	}
	return t.Host.WriteFile(f.Path, host.FileSpec{Data: f.Data, Mode: f.Mode, UID: f.UID, GID: f.GID})
}

func (f File) sameContent(t *Target) bool {
	info, err := t.Host.Stat(f.Path)
	if err != nil || !info.Mode.IsRegular() {
		return false
	}
	have, err := t.Host.ReadFile(f.Path)
	return err == nil && bytes.Equal(have, f.Data)
}

// Before records what is at Path now.
func (f File) Before(_ context.Context, t *Target) (*Before, error) {
	b := &FileBefore{Path: f.Path, Dir: f.Dir, Leaves: f.leaves()}
	info, err := t.Host.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		b.Absent, b.Above = true, missingAbove(t.Host, f.Path)
		return &Before{File: b}, nil
	}
	if err != nil {
		return nil, err
	}
	b.Mode, b.UID, b.GID, b.Link = info.Mode.Perm(), info.UID, info.GID, info.Link
	if !info.IsDir() && info.Link == "" {
		if b.Data, err = t.Host.ReadFile(f.Path); err != nil {
			return nil, err
		}
	}
	return &Before{File: b}, nil
}

// leaves is what the journal says of the content that is written.
func (f File) leaves() string {
	switch {
	case f.Dir || f.Absent:
		return ""
	case f.Link != "":
		return f.Link
	}
	return fmt.Sprintf("%x", sha256.Sum256(f.Data))
}

// missingAbove is the highest directory above a path that is not there; empty when its own directory is.
func missingAbove(h *host.Host, path string) (highest string) {
	for dir := filepath.Dir(path); dir != "/" && !h.Exists(dir); dir = filepath.Dir(dir) {
		highest = dir
	}
	return highest
}

// unified is a unified diff without the command line that package diff puts above it, and without passwords.
func unified(oldName string, old []byte, newName string, new []byte) string {
	_, lines, _ := strings.Cut(string(diff.Diff(oldName, old, newName, new)), "\n")
	return Redact(lines)
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

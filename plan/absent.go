package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubewright/kubewright/host"
)

// Extent says how much of what is at a path goes with it.
type Extent int

// The extents. None of them follows a symbolic link below the path, or removes what is behind a mount point.
const (
	Itself     Extent = iota // a file, a link, or a directory with nothing in it
	Everything               // a directory, too, with all that is in it
	Content                  // what is in a directory; the directory stays, as it may be where a disk is mounted
	IfEmpty                  // a directory, unless something is in it: then others use it
)

// diffAbsent says what goes of that which is there.
func (f File) diffAbsent(t *Target, info host.Info) (Change, error) {
	c := Change{Kind: Delete, Why: f.Why}
	switch f.Extent {
	case Content:
		through, err := t.Host.StatFollow(f.Path)
		if err != nil || !through.IsDir() {
			return Change{}, err
		}
	case Everything:
		if !info.IsDir() {
			return c, nil
		}
	default:
		if f.Extent == IfEmpty && (!info.IsDir() || !f.emptied(t)) {
			return Change{}, nil
		}
		return c, nil
	}
	names, err := t.Host.ReadDir(f.Path)
	switch {
	case err != nil:
		return Change{}, err
	case len(names) > 0:
		c.Lines = strings.Join(names, "\n") + "\n"
		c.Why = orElse(f.Why, fmt.Sprintf("%d in it", len(names)))
	case f.Extent == Content:
		return Change{}, nil
	}
	return c, nil
}

// emptied says that nothing is in the directory or, in a preview, that nothing will be.
func (f File) emptied(t *Target) bool {
	names, err := t.Host.ReadDir(f.Path)
	return err == nil && !slices.ContainsFunc(names, func(name string) bool { return !t.pending[filepath.Join(f.Path, name)] })
}

func (f File) remove(t *Target) error {
	switch f.Extent {
	case Everything:
		return t.Host.RemoveTree(f.Path)
	case Content:
		return t.Host.EmptyDir(f.Path)
	case IfEmpty:
		return t.Host.RemoveEmptyDir(f.Path)
	}
	return t.Host.Remove(f.Path)
}

// forgets says that no copy is kept of what is taken away.
func (f File) forgets() bool {
	return f.Absent && (f.Forget || f.Extent == Everything || f.Extent == Content)
}

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tree is what the file methods need of a directory tree. *os.Root is one; machine is the other.
type tree interface {
	OpenFile(name string, flag int, perm os.FileMode) (*os.File, error)
	Stat(name string) (os.FileInfo, error)
	Lstat(name string) (os.FileInfo, error)
	Readlink(name string) (string, error)
	Mkdir(name string, perm os.FileMode) error
	Chmod(name string, mode os.FileMode) error
	Remove(name string) error
	Rename(oldname, newname string) error
	Symlink(oldname, newname string) error
	Close() error
}

// machine is the tree of the real machine. os.Root can't be used there: it refuses absolute symbolic links, and a machine
// is full of them (/var/run).
type machine struct{}

func (machine) OpenFile(name string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}
func (machine) Stat(name string) (os.FileInfo, error)     { return os.Stat(name) }
func (machine) Lstat(name string) (os.FileInfo, error)    { return os.Lstat(name) }
func (machine) Readlink(name string) (string, error)      { return os.Readlink(name) }
func (machine) Mkdir(name string, perm os.FileMode) error { return os.Mkdir(name, perm) }
func (machine) Chmod(name string, mode os.FileMode) error { return os.Chmod(name, mode) }
func (machine) Remove(name string) error                  { return os.Remove(name) }
func (machine) Rename(oldname, newname string) error      { return os.Rename(oldname, newname) }
func (machine) Symlink(oldname, newname string) error     { return os.Symlink(oldname, newname) }
func (machine) Close() error                              { return nil }

// place is a path of the caller, found in the tree.
type place struct {
	tree
	host *Host
	// dir and name are the parent, with its links resolved, and the last element, not followed.
	dir, name string
}

func (p *place) full() string { return filepath.Join(p.dir, p.name) }

// at finds a path in the tree. With follow, a symbolic link at the path itself is followed too.
// The caller closes the place.
func (h *Host) at(path string, follow bool) (*place, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%q is not an absolute path", path)
	}
	path = filepath.Clean(path)
	switch h.Root {
	case "":
		return nil, errors.New("the host has no root directory")
	case "/":
		return &place{machine{}, h, filepath.Dir(path), filepath.Base(path)}, nil
	}
	root, err := os.OpenRoot(h.Root)
	if err != nil {
		return nil, err
	}
	dir, name := filepath.Dir(path), filepath.Base(path)
	if path == "/" {
		dir, name = "/", "."
	}
	if follow {
		dir, err = chase(root, path)
		name = "."
	} else {
		dir, err = chase(root, dir)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return &place{root, h, dir, name}, nil
}

// chase resolves the symbolic links of an absolute path as they mean after a chroot, and returns the path relative to the
// root. os.Root still guards what is done with it. What does not exist is left for the operation itself to report.
func chase(t tree, path string) (string, error) {
	todo := strings.Split(path, "/")
	done := "."
	for links := 0; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		switch next {
		case "", ".":
			continue
		case "..":
			done = filepath.Dir(done) // the parent of "." is "."
			continue
		}
		here := filepath.Join(done, next)
		info, err := t.Lstat(here)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			done = here
			continue
		}
		if links++; links > 40 {
			return "", fmt.Errorf("%s: too many levels of symbolic links", path)
		}
		target, err := t.Readlink(here)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			done = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return done, nil
}

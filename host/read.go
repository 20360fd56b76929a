package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

// Info is what is at a path.
type Info struct {
	Mode     fs.FileMode
	UID, GID int
	ModTime  time.Time
	// Link is the target of a symbolic link, as it is written there; empty for everything else.
	Link  string
	Inode uint64
	Size  int64
}

// IsDir says whether it is a directory. A link to a directory is a link.
func (i Info) IsDir() bool { return i.Mode.IsDir() }

// Stat describes what is at the path; a symbolic link there is not followed. errors.Is(err, fs.ErrNotExist) when nothing is.
func (h *Host) Stat(path string) (Info, error) {
	p, err := h.at(path, false)
	if err != nil {
		return Info{}, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	defer p.Close()
	fi, err := p.Lstat(p.full())
	if err != nil {
		return Info{}, fmt.Errorf("cannot look at %s: %w", path, cause(err))
	}
	info := describe(fi)
	if fi.Mode()&fs.ModeSymlink != 0 {
		if info.Link, err = p.Readlink(p.full()); err != nil {
			return Info{}, fmt.Errorf("cannot look at %s: %w", path, cause(err))
		}
	}
	return info, nil
}

// StatFollow describes what is at the path, or what a symbolic link there leads to. It opens nothing.
func (h *Host) StatFollow(path string) (Info, error) {
	p, err := h.at(path, true)
	if err != nil {
		return Info{}, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	defer p.Close()
	fi, err := p.Stat(p.full())
	if err != nil {
		return Info{}, fmt.Errorf("cannot look at %s: %w", path, cause(err))
	}
	return describe(fi), nil
}

func describe(fi fs.FileInfo) Info {
	info := Info{Mode: fi.Mode(), ModTime: fi.ModTime(), Size: fi.Size()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		info.UID, info.GID, info.Inode = int(st.Uid), int(st.Gid), st.Ino
	}
	return info
}

// Exists says whether something is at the path, be it a link that leads nowhere.
func (h *Host) Exists(path string) bool {
	_, err := h.Stat(path)
	return err == nil
}

// ReadFile returns a file's content; symbolic links are followed.
func (h *Host) ReadFile(path string) ([]byte, error) {
	f, err := h.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	return data, nil
}

// ReadDir returns the names in a directory, sorted; a link to a directory is followed.
func (h *Host) ReadDir(path string) ([]string, error) {
	d, err := h.open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", path, cause(err))
	}
	slices.Sort(names)
	return names, nil
}

func (h *Host) open(path string) (*os.File, error) {
	p, err := h.at(path, true)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	defer p.Close()
	f, err := p.OpenFile(p.full(), os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	return f, nil
}

// cause strips the path and the name of the system call from an error, because the message names the path already, and as
// the machine sees it.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

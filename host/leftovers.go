package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// leftovers remembers the directories in which nothing is left of runs that crashed.
type leftovers struct {
	mu    sync.Mutex
	clean map[inode]bool
}

// inode is a directory, by whatever path it is reached.
type inode struct{ dev, ino uint64 }

// RemoveLeftovers removes from a directory the temporary files that crashed runs left there, whatever they were to become:
// their targets may never be written again, and they may hold keys. Only what has exactly our form of name, is a file or a
// link, and belongs to the user that we run as is removed. WriteFile, Symlink and Remove do it in each directory that they
// change, once: no other run is under way, and what this one writes now is no leftover.
func (h *Host) RemoveLeftovers(dir string) error {
	p, err := h.at(dir+"/x", false)
	if err != nil {
		return err
	}
	defer p.Close()
	return h.removeLeftovers(p)
}

func (h *Host) removeLeftovers(p *place) error {
	d, err := p.OpenFile(p.dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	h.left.mu.Lock()
	defer h.left.mu.Unlock()
	info, err := d.Stat()
	if err != nil {
		return err
	}
	var dir inode
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		dir = inode{st.Dev, st.Ino}
	}
	if h.left.clean[dir] {
		return nil
	}
	names, err := p.leftovers(d)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := p.removeIfThere(p.dir + "/" + name); err != nil {
			return err
		}
	}
	if h.left.clean == nil {
		h.left.clean = map[inode]bool{}
	}
	h.left.clean[dir] = true
	return nil
}

// Leftovers names what RemoveLeftovers would remove.
func (h *Host) Leftovers(dir string) ([]string, error) {
	p, err := h.at(dir+"/x", false)
	if err == nil {
		defer p.Close()
		var d *os.File
		if d, err = p.OpenFile(p.dir, os.O_RDONLY, 0); err == nil {
			defer d.Close()
			var names []string
			if names, err = p.leftovers(d); err == nil {
				return names, nil
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return nil, fmt.Errorf("cannot list %s: %w", dir, cause(err))
}

// leftovers are those in the directory of a place, which is open.
func (p *place) leftovers(d *os.File) ([]string, error) {
	names, err := d.Readdirnames(-1)
	return slices.DeleteFunc(names, func(name string) bool { return !leftover(name) || !p.ours(p.dir+"/"+name) }), err
}

// leftover recognizes the names that temp makes: a dot, the target's name, and the random digits only.
func leftover(name string) bool {
	name, ok := strings.CutSuffix(name, tempSuffix)
	at := len(name) - tempDigits
	return ok && at > 2 && name[0] == '.' && name[at-1] == '.' && strings.Trim(name[at:], "0123456789abcdef") == ""
}

func (p *place) ours(name string) bool {
	info, err := p.Lstat(name)
	if err != nil || !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func (p *place) removeIfThere(name string) error {
	if err := p.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

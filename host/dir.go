package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// MkdirAll makes a directory, and those above it that are missing, with exactly this mode, durably. One that is there
// already keeps its mode. Something else at the path, or above it, is an error.
func (h *Host) MkdirAll(path string, mode fs.FileMode) error {
	if err := h.mkdirAll(path, mode); err != nil {
		return fmt.Errorf("cannot make directory %s: %w", path, h.why(path, err))
	}
	return nil
}

func (h *Host) mkdirAll(path string, mode fs.FileMode) error {
	// Opening the directory itself, links followed, is what tells whether it is one.
	p, err := h.at(path, true)
	if err != nil {
		return err
	}
	defer p.Close()
	d, err := p.OpenFile(p.full(), syscall.O_DIRECTORY, 0)
	if err == nil {
		return d.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := h.mkdirAll(filepath.Dir(path), mode); err != nil {
		return err
	}
	return h.mkdir(path, mode)
}

func (h *Host) mkdir(path string, mode fs.FileMode) error {
	p, err := h.at(path, false)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := h.fault("mkdir", path); err != nil {
		return err
	}
	if err := p.Mkdir(p.full(), mode.Perm()); err != nil {
		// Two goroutines may need the same directory at the same time.
		if info, serr := p.Lstat(p.full()); serr == nil && info.IsDir() {
			return nil
		}
		return err
	}
	// The umask may have taken bits away.
	if err := p.Chmod(p.full(), mode.Perm()); err != nil {
		_ = p.Remove(p.full()) // one that is there keeps its mode
		return err
	}
	return p.sync(p.dir)
}

// Remove removes a file, a link or an empty directory, durably, and what crashed writes left beside it.
// It is no error when nothing is there.
func (h *Host) Remove(path string) error {
	if err := h.remove(path); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, h.why(path, err))
	}
	return nil
}

func (h *Host) remove(path string) error {
	p, err := h.at(path, false)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := h.fault("remove", path); err != nil {
		return err
	}
	if err := p.removeIfThere(p.full()); err != nil {
		return err
	}
	err = h.removeLeftovers(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nor is the directory there
	}
	if err != nil {
		return err
	}
	if err := h.fault("syncdir", path); err != nil {
		return err
	}
	return p.sync(p.dir)
}

// RemoveEmptyDir removes a directory, durably, unless something is in it: then others use it, and it stays without an
// error. It is no error either when nothing is there; anything but a directory is one.
func (h *Host) RemoveEmptyDir(path string) error {
	info, err := h.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("cannot remove directory %s: it is not a directory", path)
	}
	err = h.remove(path)
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot remove directory %s: %w", path, h.why(path, err))
	}
	return nil
}

// Move gives a file or directory another path on the same file system, in one step, durably. The directory that it goes to must be
// there; something that has the new path already is an error.
func (h *Host) Move(from, to string) error {
	if err := h.move(from, to); err != nil {
		return fmt.Errorf("cannot move %s to %s: %w", from, to, h.why(from, err))
	}
	return nil
}

func (h *Host) move(from, to string) error {
	p, err := h.at(from, false)
	if err != nil {
		return err
	}
	defer p.Close()
	q, err := h.at(to, false)
	if err != nil {
		return err
	}
	defer q.Close()
	if _, err := q.Lstat(q.full()); err == nil {
		return fs.ErrExist
	}
	if err := h.fault("rename", from); err != nil {
		return err
	}
	if err := p.Rename(p.full(), q.full()); err != nil { // both are of the same tree
		return err
	}
	if err := h.fault("syncdir", from); err != nil {
		return err
	}
	return errors.Join(q.sync(q.dir), p.sync(p.dir)) // at the worst it is in both places
}

// Rename gives a file or directory another name in the same directory, durably. Something that has the new name already is an
// error.
func (h *Host) Rename(path, name string) error {
	if err := h.rename(path, name); err != nil {
		return fmt.Errorf("cannot rename %s to %s: %w", path, name, h.why(path, err))
	}
	return nil
}

func (h *Host) rename(path, name string) error {
	p, err := h.at(path, false)
	if err != nil {
		return err
	}
	defer p.Close()
	to := filepath.Join(p.dir, name)
	if _, err := p.Lstat(to); err == nil {
		return fs.ErrExist
	}
	if err := h.fault("rename", path); err != nil {
		return err
	}
	if err := p.Rename(p.full(), to); err != nil {
		return err
	}
	if err := h.fault("syncdir", path); err != nil {
		return err
	}
	return p.sync(p.dir)
}

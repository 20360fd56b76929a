package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// SetAccess gives a regular file another mode and owner, durably. Its content, its inode and its time of modification stay.
// The owner is ignored where the host does not own files.
func (h *Host) SetAccess(path string, mode fs.FileMode, uid, gid int) error {
	if err := h.setAccess(path, mode, uid, gid); err != nil {
		return fmt.Errorf("cannot change the mode and owner of %s: %w", path, h.why(path, err))
	}
	return nil
}

func (h *Host) setAccess(path string, mode fs.FileMode, uid, gid int) error {
	p, err := h.at(path, false)
	if err != nil {
		return err
	}
	defer p.Close()
	// os.Root follows links whatever the flags say.
	info, err := p.Lstat(p.full())
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return err
	}
	f, err := p.OpenFile(p.full(), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := h.fault("access", path); err != nil {
		return err
	}
	if err := h.give(f, mode, uid, gid); err != nil {
		return err
	}
	return h.sync(f)
}

// give sets owner and mode, in this order: a change of the owner may clear bits of the mode.
func (h *Host) give(f *os.File, mode fs.FileMode, uid, gid int) error {
	if h.OwnsFiles() {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	return f.Chmod(mode.Perm())
}

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// RemoveTree removes what is at the path, a directory with all that is in it, durably. A symbolic link goes, and not what it leads
// to. What is mounted below the path stays, bind mounts included, and is an error, as is everything else that can't be removed; the
// rest is removed nevertheless. It is no error when nothing is there.
func (h *Host) RemoveTree(path string) error {
	if err := h.removeTree(path, false); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, err)
	}
	return nil
}

// EmptyDir is RemoveTree for what is in a directory, which stays. It may be a mount point, or a symbolic link to a directory.
func (h *Host) EmptyDir(path string) error {
	if err := h.removeTree(path, true); err != nil {
		return fmt.Errorf("cannot empty %s: %w", path, err)
	}
	return nil
}

func (h *Host) removeTree(path string, keep bool) error {
	p, err := h.at(path, keep)
	if err != nil {
		return cause(err)
	}
	defer p.Close()
	info, err := p.Lstat(p.full())
	if err == nil && keep && info.Mode()&fs.ModeSymlink != 0 { // the real machine's tree does not resolve the last element
		info, err = p.Stat(p.full())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cause(err)
	case !info.IsDir() && keep:
		return syscall.ENOTDIR
	case !info.IsDir():
		return cause(h.remove(path))
	}
	flags := os.O_RDONLY | syscall.O_DIRECTORY
	if !keep {
		flags |= syscall.O_NOFOLLOW
	}
	dir, err := p.OpenFile(p.full(), flags, 0)
	if err != nil {
		return cause(err)
	}
	defer dir.Close()
	t := treeRemoval{host: h}
	if t.mount, err = mountOf(dir); err != nil {
		return err
	}
	if !keep {
		if above, err := p.OpenFile(p.dir, os.O_RDONLY|syscall.O_DIRECTORY, 0); err == nil {
			mount, err := mountOf(above)
			above.Close()
			if err == nil && mount != t.mount {
				t.fail(fmt.Errorf("%s is a mount point", path))
				keep = true
			}
		}
	}
	t.empty(dir, path)
	if t.crashed == nil && len(t.failed) == 0 && !keep {
		if t.crashed = h.fault("remove", path); t.crashed == nil {
			t.fail(p.removeIfThere(p.full()))
		}
		if t.crashed == nil {
			t.crashed = h.fault("syncdir", path)
		}
		if t.crashed == nil {
			t.fail(p.sync(p.dir))
		}
	}
	return t.err()
}

// treeRemoval is one removal under way.
type treeRemoval struct {
	host    *Host
	mount   string // the ID of the mount that the top is on
	failed  []error
	crashed error
}

func (t *treeRemoval) fail(err error) {
	if err != nil {
		t.failed = append(t.failed, err)
	}
}

// mostFailures bounds how many are told.
const mostFailures = 5

func (t *treeRemoval) err() error {
	if t.crashed != nil {
		return t.crashed
	}
	if more := len(t.failed) - mostFailures; more > 0 {
		return errors.Join(append(t.failed[:mostFailures:mostFailures], fmt.Errorf("and %d more", more))...)
	}
	return errors.Join(t.failed...)
}

// empty removes what is in an open directory. Everything is reached by the handle of its directory: whoever puts a link in the place
// of a directory meanwhile leads us nowhere.
func (t *treeRemoval) empty(dir *os.File, path string) {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		t.fail(fmt.Errorf("%s: %w", path, cause(err)))
		return
	}
	for _, name := range names {
		if t.crashed != nil {
			return
		}
		t.remove(dir, name, filepath.Join(path, name))
	}
	if t.crashed == nil && len(names) > 0 {
		if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
			t.fail(fmt.Errorf("%s: %w", path, cause(err)))
		}
	}
}

// remove removes one entry of a directory.
func (t *treeRemoval) remove(dir *os.File, name, path string) {
	at := int(dir.Fd())
	var st unix.Stat_t
	err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	switch {
	case errors.Is(err, unix.ENOENT):
		return
	case err != nil:
		t.fail(fmt.Errorf("%s: %w", path, err))
		return
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		t.unlink(at, name, path, 0)
		return
	}
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		t.fail(fmt.Errorf("%s: %w", path, err))
		return
	}
	sub := os.NewFile(uintptr(fd), path)
	defer sub.Close()
	mount, err := mountOf(sub)
	if err == nil && mount != t.mount {
		err = errors.New("is a mount point")
	}
	if err != nil {
		t.fail(fmt.Errorf("%s: %w", path, err))
		return
	}
	before := len(t.failed)
	t.empty(sub, path)
	if t.crashed == nil && len(t.failed) == before {
		t.unlink(at, name, path, unix.AT_REMOVEDIR)
	}
}

func (t *treeRemoval) unlink(at int, name, path string, flags int) {
	if t.crashed = t.host.fault("remove", path); t.crashed != nil {
		return
	}
	err := unix.Unlinkat(at, name, flags)
	switch {
	case errors.Is(err, unix.EBUSY):
		t.fail(fmt.Errorf("%s: is a mount point", path))
	case err != nil && !errors.Is(err, unix.ENOENT):
		t.fail(fmt.Errorf("%s: %w", path, err))
	}
}

// mountOf is the ID of the mount that an open file is on. Unlike a device number it tells bind mounts apart.
func mountOf(f *os.File) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))
	if err != nil {
		return "", fmt.Errorf("cannot tell where file systems begin: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(id), nil
		}
	}
	return "", errors.New("cannot tell where file systems begin: the kernel does not say")
}

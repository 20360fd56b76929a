package host

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const openFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// openBelow opens a directory in a directory. Where another file system, or another part of the same one, is mounted, it fails
// with EXDEV; a link or a file is ENOTDIR or ELOOP.
func openBelow(parent *os.File, name string) (*os.File, error) {
	how := unix.OpenHow{Flags: openFlags, Resolve: unix.RESOLVE_NO_XDEV}
	fd, err := unix.Openat2(int(parent.Fd()), name, &how)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // before Linux 5.6, or in a container that forbids what is new
		return openCompared(parent, name)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openCompared is openBelow where the kernel can't do it. It may wait for a mounted file system whose server is gone.
func openCompared(parent *os.File, name string) (*os.File, error) {
	d, err := openAny(parent, name)
	if err != nil {
		return nil, err
	}
	same, err := sameMount(parent, d)
	if err == nil && !same {
		err = unix.EXDEV
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// openAny opens a directory in a directory, or what is mounted there.
func openAny(parent *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(parent.Fd()), name, openFlags, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// sameMount says whether no mount point is between two directories. Device numbers would not tell: a directory can be mounted
// within its own file system.
func sameMount(a, b *os.File) (bool, error) {
	x, err := mountID(a)
	if err != nil {
		return false, err
	}
	y, err := mountID(b)
	return x == y, err
}

func mountID(f *os.File) (string, error) {
	path := fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd())
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot tell mount points apart: cannot read %s: %w", path, cause(err))
	}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(id), nil
		}
	}
	return "", fmt.Errorf("cannot tell mount points apart: %s has no mnt_id", path)
}

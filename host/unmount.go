package host

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// Unmount unmounts what is mounted last at a path; a symbolic link there is not followed. The flags are those of umount2(2), as
// ParseUnmountFlags gives them. A path where nothing is mounted, or that is not there, is no error.
func (h *Host) Unmount(path string, flags int) error {
	unmount := h.Unmounter
	if unmount == nil {
		if h.Root != "/" {
			return fmt.Errorf("cannot unmount %s: mounts below the root directory %q are not a machine's", path, h.Root)
		}
		unmount = unix.Unmount
	}
	flags |= unix.UMOUNT_NOFOLLOW
	err := unmount(path, flags)
	if errors.Is(err, unix.EAGAIN) && flags&unix.MNT_EXPIRE != 0 {
		err = unmount(path, flags) // the first time only marked it
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, unix.EINVAL): // it went with another one, or it is not ours to unmount
		list, lerr := h.mounts()
		if lerr == nil && !slices.ContainsFunc(list, func(m mounted) bool { return m.Path == path }) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("cannot unmount %s: %w", path, err)
	}
	return nil
}

// ParseUnmountFlags turns names of flags of umount2(2), as a ResetConfiguration has them, into its flags. It does not take
// MNT_EXPIRE together with MNT_FORCE or MNT_DETACH, as the kernel does not.
func ParseUnmountFlags(names []string) (int, error) {
	flags := 0
	for _, name := range names {
		switch name {
		case "MNT_FORCE":
			flags |= unix.MNT_FORCE
		case "MNT_DETACH":
			flags |= unix.MNT_DETACH
		case "MNT_EXPIRE":
			flags |= unix.MNT_EXPIRE
		case "UMOUNT_NOFOLLOW":
			flags |= unix.UMOUNT_NOFOLLOW
		default:
			return 0, fmt.Errorf("cannot use unmount flag %q: it is not one of MNT_FORCE, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW", name)
		}
	}
	if flags&unix.MNT_EXPIRE != 0 && flags&(unix.MNT_FORCE|unix.MNT_DETACH) != 0 {
		return 0, errors.New("cannot use unmount flag MNT_EXPIRE: it can't be used with MNT_FORCE or MNT_DETACH")
	}
	return flags, nil
}

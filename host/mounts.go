package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mountTable lists what is mounted, as this process sees it (proc_pid_mountinfo(5)).
const mountTable = "/proc/self/mountinfo"

// Mount is one mount.
type Mount struct {
	// Path is where it is mounted.
	Path string
	// FSType is its file system's type, as "tmpfs" or "cgroup2".
	FSType string
}

// Mounts lists what is mounted, in the order in which it was.
func (h *Host) Mounts() ([]Mount, error) {
	data, err := h.ReadFile(mountTable)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var mounts []Mount
	for line := range strings.Lines(string(data)) {
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(rest) < 1 {
			return nil, fmt.Errorf("cannot read %s: no mount in %q", mountTable, strings.TrimSpace(line))
		}
		mounts = append(mounts, Mount{Path: unescape(fields[4]), FSType: rest[0]})
	}
	return mounts, nil
}

// MountsBelow lists what is mounted strictly below a directory, in the order in which it has to be unmounted. A link to a directory
// stands for the directory.
func (h *Host) MountsBelow(dir string) ([]Mount, error) {
	if h.Root == "/" {
		resolved, err := filepath.EvalSymlinks(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot look for mounts below %s: %w", dir, cause(err))
		}
		dir = resolved
	}
	all, err := h.Mounts()
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(dir, "/") + "/"
	below := slices.DeleteFunc(all, func(m Mount) bool { return !strings.HasPrefix(m.Path, prefix) })
	slices.Reverse(below) // what was mounted last covers what was before
	return below, nil
}

// unescape reads the octal escapes of the mount table: spaces, tabs, newlines and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Unmount takes a mount away, with flags of umount2(2). It follows no link, and that nothing is mounted there any more is no error.
func (h *Host) Unmount(path string, flags int) error {
	unmount := h.Unmounter
	if unmount == nil {
		if h.Root != "/" {
			return fmt.Errorf("cannot unmount %s: it is below another root", path)
		}
		unmount = unix.Unmount
	}
	err := unmount(path, flags|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot unmount %s: %w", path, err)
	}
	return nil
}

// ParseUnmountFlags reads flags by their names in umount2(2).
func ParseUnmountFlags(names []string) (flags int, err error) {
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
			return 0, fmt.Errorf("there is no flag %s of umount", name)
		}
	}
	return flags, nil
}

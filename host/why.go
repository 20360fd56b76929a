package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// why is the cause of a change that failed at a path and, where that is known, what to do about it, in a line of its own.
func (h *Host) why(path string, err error) error {
	err = cause(err)
	if hint := h.hint(path, err); hint != "" {
		return fmt.Errorf("%w\n%s", err, hint)
	}
	return err
}

// hint says what helps against an error of the kernel; empty where that depends on what was tried.
func (h *Host) hint(path string, err error) string {
	if crashed(err) {
		return ""
	}
	switch {
	case errors.Is(err, unix.ENOSPC):
		at := h.fileSystem(path)
		return fmt.Sprintf("%s%s: make room on it", at.name, at.room(h.OwnsFiles()))
	case errors.Is(err, unix.EDQUOT):
		return fmt.Sprintf("a quota on %s is used up: make room there, or raise it", h.fileSystem(path).name)
	case errors.Is(err, unix.EROFS):
		at := h.fileSystem(path)
		return fmt.Sprintf("%s is mounted read-only; run: mount -o remount,rw %s\nif the kernel did that because the disk fails, dmesg tells", at.name, at.mount)
	case errors.Is(err, unix.EIO):
		return fmt.Sprintf("the disk below %s fails: dmesg tells more", h.fileSystem(path).name)
	case errors.Is(err, fs.ErrPermission) && !h.OwnsFiles():
		return "run this command as root"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("not even root may: look at attributes (lsattr -d %s), at a security module such as SELinux or AppArmor (dmesg), and whether it is on a network file system",
			filepath.Dir(path))
	}
	return ""
}

// fileSystem is that in which a path is, or would be.
type fileSystem struct {
	mount string // where it is mounted
	name  string // for a message
	stat  *unix.Statfs_t
}

func (h *Host) fileSystem(path string) fileSystem {
	dir := filepath.Dir(path)
	for dir != "/" && !h.Exists(dir) {
		dir = filepath.Dir(dir)
	}
	if real, err := h.resolve(dir); err == nil {
		dir = real
	}
	at := fileSystem{mount: dir}
	if stat := (unix.Statfs_t{}); unix.Statfs(filepath.Join(h.Root, dir), &stat) == nil {
		at.stat = &stat
	}
	list, _ := h.mounts()
	var found Mount
	for _, m := range list { // the last one is seen
		if len(m.Path) >= len(found.Path) && (m.Path == dir || strings.HasPrefix(dir, strings.TrimSuffix(m.Path, "/")+"/")) {
			found = m.Mount
		}
	}
	if found.Path == "" {
		at.name = "the file system of " + dir
		return at
	}
	at.mount, at.name = found.Path, fmt.Sprintf("the file system at %s (%s)", found.Path, found.FSType)
	return at
}

// room says how much is free; root may use what is kept for it.
func (s fileSystem) room(root bool) string {
	if s.stat == nil {
		return " is full"
	}
	free := s.stat.Bavail
	if root {
		free = s.stat.Bfree
	}
	text := fmt.Sprintf(" has %s of %s free", size(free*uint64(s.stat.Bsize)), size(s.stat.Blocks*uint64(s.stat.Bsize)))
	if s.stat.Files > 0 && s.stat.Ffree == 0 {
		text += fmt.Sprintf(", and none of its %d inodes", s.stat.Files)
	}
	return text
}

// size is a number of bytes for people.
func size(bytes uint64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && bytes >= 10<<10 {
		bytes, units = bytes>>10, units[1:]
	}
	return fmt.Sprintf("%d %s", bytes, units[0])
}

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Mount is one mounted file system. Several may be on one path; only the last is seen.
type Mount struct {
	Path   string // absolute, as the machine sees it
	FSType string // as in /proc/filesystems: "tmpfs", "cgroup2"
}

// mounted is a line of the kernel's list.
type mounted struct {
	Mount
	id, parent string // parent is what it is mounted on
}

const mountInfo = "/proc/self/mountinfo"

// mounts lists what is mounted, in the kernel's order: later mounts last. A machine without a mountinfo has none.
func (h *Host) mounts() ([]mounted, error) {
	text, err := h.ReadFile(mountInfo)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []mounted
	for line := range strings.Lines(string(text)) {
		// Before the dash: ID, parent, device, root, path, options and any number of tags.
		point, system, ok := strings.Cut(line, " - ")
		fields := strings.Fields(point)
		if !ok || len(fields) < 6 {
			return nil, fmt.Errorf("cannot read %s: cannot understand %q", mountInfo, strings.TrimSpace(line))
		}
		fsType, _, _ := strings.Cut(system, " ")
		list = append(list, mounted{Mount{Path: unescape(fields[4]), FSType: unescape(fsType)}, fields[0], fields[1]})
	}
	return list, nil
}

// unescape undoes the kernel's escapes: a backslash and three octal digits.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if b, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(b))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// MountsBelow lists the mount points below a path, itself not counted, in an order in which they can be unmounted: what is
// mounted on another one, or after it, comes before it. Symbolic links in the path are resolved first.
func (h *Host) MountsBelow(path string) ([]Mount, error) {
	top, err := h.resolve(path)
	if err != nil {
		return nil, fmt.Errorf("cannot look for mounts below %s: %w", path, cause(err))
	}
	list, err := h.mounts()
	if err != nil {
		return nil, err
	}
	parents := map[string]string{}
	for _, m := range list {
		parents[m.id] = m.parent
	}
	depth := func(m mounted) (n int) {
		id, ok := m.id, true
		for ; ok && n <= len(parents); n++ { // the root's parent is not listed, or is itself
			id, ok = parents[id]
		}
		return n
	}
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b mounted) int { return depth(b) - depth(a) })
	var below []Mount
	for _, m := range list {
		if m.Path != top && strings.HasPrefix(m.Path, strings.TrimSuffix(top, "/")+"/") {
			below = append(below, m.Mount)
		}
	}
	return below, nil
}

// resolve follows the symbolic links of a path, as the machine sees them. A path where nothing is stays as it is.
func (h *Host) resolve(path string) (string, error) {
	p, err := h.at(path, true)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if h.Root != "/" {
		return filepath.Join("/", p.full()), nil
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Clean(path), nil
	}
	return real, err
}

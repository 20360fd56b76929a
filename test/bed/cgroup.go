package bed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hierarchy is one mounted tree of cgroups of the host.
type hierarchy struct {
	path    string // where the host has it
	point   string // where the machine mounts it below /sys/fs/cgroup; "." for the only one, "-" for nowhere
	options string
}

// hierarchies reads the host's cgroup mounts. If controllers sit on version 1 trees, machines see only these; they have a
// group in the version 2 tree all the same, or their processes would be in the host's.
func hierarchies() []hierarchy {
	data, _ := os.ReadFile("/proc/self/mounts")
	var v1, v2 []hierarchy
	seen := map[string]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 || seen[f[1]] {
			continue
		}
		seen[f[1]] = true
		switch f[2] {
		case "cgroup2":
			v2 = append(v2, hierarchy{path: f[1], point: ".", options: "-"})
		case "cgroup":
			v1 = append(v1, hierarchy{path: f[1], point: filepath.Base(f[1]), options: cgroupOptions(f[3])})
		}
	}
	if len(v1) > 1 {
		for i := range v2 {
			v2[i].point = "-"
		}
		return append(v1, v2...)
	}
	return v2
}

// cgroupOptions keeps what names the hierarchy among the options of its mount.
func cgroupOptions(all string) string {
	var keep []string
	for _, o := range strings.Split(all, ",") {
		switch {
		case strings.HasPrefix(o, "name="):
			keep = append(keep, "none", o)
		case o == "rw" || o == "ro" || o == "relatime" || o == "nosuid" || o == "nodev" || o == "noexec" || o == "xattr" ||
			strings.HasPrefix(o, "release_agent="):
		default:
			keep = append(keep, o)
		}
	}
	return strings.Join(keep, ",")
}

// machineShares is the processor time of a machine on a busy host, where one process has 1024.
const machineShares = "8192"

// createCgroups makes the machine's own group in every hierarchy and describes them for the boot script.
func createCgroups(name string) (string, error) {
	var lines []string
	for _, h := range hierarchies() {
		group := filepath.Join(h.path, name)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return "", fmt.Errorf("cannot create cgroup: %w", err)
		}
		// A cpuset takes no process before it has processors and memory.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if data, err := os.ReadFile(filepath.Join(h.path, file)); err == nil && h.point != "." {
				if err := os.WriteFile(filepath.Join(group, file), data, 0o644); err != nil {
					return "", fmt.Errorf("cannot set up cgroup: %w", err)
				}
			}
		}
		// To the processes of the host all of a machine is but one, and a busy host would starve it.
		if shares := filepath.Join(group, "cpu.shares"); h.point != "." {
			if _, err := os.Stat(shares); err == nil {
				if err := os.WriteFile(shares, []byte(machineShares), 0o644); err != nil {
					return "", fmt.Errorf("cannot set up cgroup: %w", err)
				}
			}
		}
		lines = append(lines, strings.Join([]string{group, h.point, h.options}, " "))
	}
	return strings.Join(lines, "\n"), nil
}

// thaw lets frozen processes below a group go on: runc freezes a container for a moment while it makes it, and one that is frozen
// when its machine is killed never ends.
func thaw(top string) {
	filepath.WalkDir(top, func(p string, d os.DirEntry, err error) error { //nolint:errcheck // groups vanish while we walk
		if err != nil || !d.IsDir() {
			return nil
		}
		state := filepath.Join(p, "freezer.state")
		if now, err := os.ReadFile(state); err == nil && !strings.HasPrefix(string(now), "THAWED") {
			os.WriteFile(state, []byte("THAWED"), 0o644) //nolint:errcheck // tried again
		}
		return nil
	})
}

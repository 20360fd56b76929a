package systemdtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubewright/kubewright/systemd"
)

// searchPath is where systemd looks for units of the machine, the most important first (systemd.unit(5)).
var searchPath = [...]string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"}

// unitFiles is what lies below Root for a unit.
type unitFiles struct {
	fragment string
	masked   bool
	dropIns  []string
	dirs     map[string]bool // that have drop-ins
	stamp    string          // differs when a file was added, removed or changed
}

// files looks at what is below Root. With known, only these directories with drop-ins count: systemd does not notice that
// one is new until it reads its unit files again.
func (f *Fake) files(name string, known map[string]bool) unitFiles {
	found := unitFiles{dirs: map[string]bool{}}
	if f.Root == "" {
		return found
	}
	var stamp strings.Builder
	taken := map[string]bool{}
	for _, dir := range searchPath {
		path := filepath.Join(dir, name)
		if info, err := os.Lstat(filepath.Join(f.Root, path)); err == nil && found.fragment == "" {
			found.fragment = path
			target, _ := os.Readlink(filepath.Join(f.Root, path))
			found.masked = target == "/dev/null"
			fmt.Fprintln(&stamp, path, info.ModTime().UnixNano(), info.Size())
		}
		if known != nil && !known[dir] {
			continue
		}
		confs, _ := filepath.Glob(filepath.Join(f.Root, path+".d", "*.conf"))
		found.dirs[dir] = len(confs) > 0
		for _, conf := range confs { // sorted by Glob
			info, err := os.Lstat(conf)
			if base := filepath.Base(conf); err == nil && !taken[base] {
				taken[base] = true
				found.dropIns = append(found.dropIns, path+".d/"+base)
				fmt.Fprintln(&stamp, conf, info.ModTime().UnixNano(), info.Size())
			}
		}
	}
	found.stamp = stamp.String()
	return found
}

// unit returns the unit, loading it if it is not loaded; like systemd, a unit that was not found is looked for again.
func (f *Fake) unit(name string) *unit {
	u := f.units[name]
	if u == nil {
		u = &unit{Unit: systemd.Unit{Name: name, LoadState: "not-found", ActiveState: "inactive", SubState: "dead"}}
		f.units[name] = u
	}
	if !u.set && u.LoadState == "not-found" {
		f.load(u)
	}
	return u
}

func (f *Fake) load(u *unit) {
	found := f.files(u.Name, nil)
	u.seen, u.DropInPaths = found, found.dropIns
	if u.set {
		return
	}
	u.FragmentPath = found.fragment
	switch {
	case found.fragment == "":
		u.LoadState = "not-found"
	case found.masked:
		u.LoadState, u.UnitFileState = "masked", "masked"
	default:
		u.LoadState = "loaded"
		if u.UnitFileState == "" || u.UnitFileState == "masked" {
			u.UnitFileState = "disabled"
		}
	}
}

package manifests

import (
	"slices"

	"github.com/kubewright/kubewright/config"
)

// flags are a component's command line before the user's extraArgs.
type flags struct {
	args  []config.Arg
	files []string // names of flags whose value is a file that the component reads
}

// add appends a flag.
func (f *flags) add(name, value string) {
	f.args = append(f.args, config.Arg{Name: name, Value: value})
}

// file appends a flag whose value is a file; an empty path turns the flag's feature off.
func (f *flags) file(name, path string) {
	f.add(name, path)
	f.files = append(f.files, name)
}

// command is the component's command line with the user's flags.
func (f *flags) command(component string, extra []config.Arg) []string {
	return append([]string{component}, config.MergeArgs(f.args, extra)...)
}

// paths are the files that the component reads in the end, sorted: the user may name others than we do.
func (f *flags) paths(extra []config.Arg) []string {
	var paths []string
	for _, name := range f.files {
		args := f.args
		if _, given := config.ArgValue(extra, name); given {
			args = extra
		}
		for _, a := range args {
			if a.Name == name && a.Value != "" {
				paths = append(paths, a.Value)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

package config

import (
	"cmp"
	"slices"
)

// MergeArgs makes command-line flags of base, sorted, and after them extra in the order given. Every base flag that extra
// also names is dropped; a name may be repeated in extra.
func MergeArgs(base, extra []Arg) []string {
	given := make(map[string]bool, len(extra))
	for _, a := range extra {
		given[a.Name] = true
	}
	sorted := slices.SortedFunc(slices.Values(base), func(a, b Arg) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	flags := make([]string, 0, len(base)+len(extra))
	for _, a := range sorted {
		if !given[a.Name] {
			flags = append(flags, a.Flag())
		}
	}
	for _, a := range extra {
		flags = append(flags, a.Flag())
	}
	return flags
}

// Flag is the argument as the component gets it.
func (a Arg) Flag() string { return "--" + a.Name + "=" + a.Value }

// ArgValue is the value that a component ends up with when a name is given several times: the last one.
func ArgValue(args []Arg, name string) (value string, found bool) {
	for _, a := range args {
		if a.Name == name {
			value, found = a.Value, true
		}
	}
	return value, found
}

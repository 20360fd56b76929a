package config

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// MergeArgs makes command-line flags of base, sorted, and after them those of extra that replace, in the order given. A base flag
// that extra also names is dropped, or changed where extra appends or prepends to it; a name may be repeated in extra.
func MergeArgs(base, extra []Arg) []string {
	last := make(map[string]Arg, len(extra))
	for _, a := range extra {
		last[a.Name] = a
	}
	sorted := slices.SortedFunc(slices.Values(base), func(a, b Arg) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	flags := make([]string, 0, len(base)+len(extra))
	for _, a := range sorted {
		switch change, given := last[a.Name]; {
		case given && change.MergeMethod == ArgReplace:
			continue
		case given && change.MergeMethod == ArgAppend:
			a.Value += change.Value
		case given && change.MergeMethod == ArgPrepend:
			a.Value = change.Value + a.Value
		}
		flags = append(flags, a.Flag())
	}
	for _, a := range extra {
		if a.MergeMethod == ArgReplace {
			flags = append(flags, a.Flag())
		}
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

// mergeMethod is the name of the field that only experimentalVersion has.
const mergeMethod = "mergeMethod"

// noMergeMethods takes that field out of a document of APIVersion, with a problem for each: it would count, as the types know it.
func (l *loader) noMergeMethods(d document) {
	b := blame{loader: l, kind: d.kind, root: d.node}
	eachMerge(d.value, nil, func(arg map[string]any, path []string) {
		delete(arg, mergeMethod)
		at := append(slices.Clip(path), mergeMethod)
		l.addMinor(lineOf(d.node, at...), "it is left out", "%s: unknown field %s; only %s has it", d.kind, b.field(at), experimentalVersion)
	})
}

// eachMerge visits the arguments with that field in a value at path.
func eachMerge(value any, path []string, visit func(arg map[string]any, path []string)) {
	switch v := value.(type) {
	case map[string]any:
		if _, found := v[mergeMethod]; found && isArg(path) {
			visit(v, path)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachMerge(v[key], append(slices.Clip(path), key), visit)
		}
	case []any:
		for i, item := range v {
			eachMerge(item, append(slices.Clip(path), strconv.Itoa(i)), visit)
		}
	}
}

// isArg says that the path leads to one argument of a list of them.
func isArg(path []string) bool {
	return len(path) > 1 && (path[len(path)-2] == "extraArgs" || path[len(path)-2] == "kubeletExtraArgs")
}

// merges says that an argument of the lists is merged with another value.
func merges(lists ...[]Arg) bool {
	return slices.ContainsFunc(slices.Concat(lists...), func(a Arg) bool { return a.MergeMethod != ArgReplace })
}

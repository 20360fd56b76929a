package bed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Difference is what one inventory has and another one has not, a line each, sorted: "+ file /etc/new", "- link cni0",
// "~ file /etc/hosts: content".
type Difference []string

// Diff compares two inventories of a machine.
func Diff(before, after Inventory) Difference {
	var d Difference
	for item, properties := range before {
		switch now, there := after[item]; {
		case !there:
			d = append(d, "- "+item.Kind+" "+item.Name)
		case now != properties:
			d = append(d, "~ "+item.Kind+" "+item.Name+": "+changed(properties, now))
		}
	}
	for item := range after {
		if _, there := before[item]; !there {
			d = append(d, "+ "+item.Kind+" "+item.Name)
		}
	}
	slices.SortFunc(d, func(a, b string) int { // by what it is, whatever became of it
		return cmp.Or(strings.Compare(a[2:], b[2:]), strings.Compare(a, b))
	})
	return d
}

// changed names the properties that differ, with both values but for those of content, which is a hash.
func changed(before, after string) string {
	old, now := properties(before), properties(after)
	var names []string
	for name := range old {
		names = append(names, name)
	}
	for name := range now {
		if _, both := old[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var said []string
	for _, name := range names {
		switch {
		case old[name] == now[name]:
		case name == "content":
			said = append(said, name)
		default:
			said = append(said, fmt.Sprintf("%s %s -> %s", name, old[name], now[name]))
		}
	}
	return strings.Join(said, ", ")
}

// properties splits words like "mode=0644". One without "=" is a value of its own.
func properties(text string) map[string]string {
	all := map[string]string{}
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		all[name] = value
	}
	return all
}

// Except leaves out the lines that match a pattern, in which "*" stands for anything. A pattern that no line matches is a line of
// the result, because a list of exceptions should say what is true; not so if it begins with "?", which stands for perhaps.
func (d Difference) Except(patterns ...string) Difference {
	used := map[string]bool{}
	rest := Difference{}
	for _, line := range d {
		known := false
		for _, p := range patterns {
			if matches(strings.TrimPrefix(p, "?"), line) {
				known, used[p] = true, true
			}
		}
		if !known {
			rest = append(rest, line)
		}
	}
	for _, p := range patterns {
		if !used[p] && !strings.HasPrefix(p, "?") {
			rest = append(rest, "! no line for the exception "+p)
		}
	}
	return rest
}

// String is the lines.
func (d Difference) String() string { return strings.Join(d, "\n") }

// matches says whether the whole text is as the pattern, in which "*" stands for anything.
func matches(pattern, text string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	if !more {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], next
	}
}

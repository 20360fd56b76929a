package plan

import (
	"fmt"
	"strings"
)

// TextOptions says how much of a plan is printed.
type TextOptions struct {
	// Verbose shows also what is right already, and the content of files to be created.
	Verbose bool
	// Paint colours a line by its kind. Nil leaves it as it is.
	Paint func(k Kind, line string) string
}

// Text renders a preview for people: phases, one line for each change, the diff below it, and a closing count.
func Text(items []Item, o TextOptions) string {
	var b strings.Builder
	phase := ""
	for _, it := range items {
		if it.Change.Kind == Same && !o.Verbose {
			continue
		}
		if it.Phase != phase {
			phase = it.Phase
			fmt.Fprintf(&b, "%s\n", phase)
		}
		line := fmt.Sprintf("  %s %s", it.Change.Kind.Sign(), it.Step)
		if why := it.Change.Why; why != "" && !Obvious(it.Change) {
			line += ": " + why
		}
		_, does := it.Step.(Do)
		if does && Final(it.Step) && it.Change.Kind != Same && it.Change.Kind != Delete { // of what goes the sign says it
			line += "  (can't be taken back)"
		}
		if o.Paint != nil {
			line = o.Paint(it.Change.Kind, line)
		}
		b.WriteString(line + "\n")
		switch {
		case it.Change.Kind == Update || o.Verbose:
			b.WriteString(indent(it.Change.Lines))
		case does:
			b.WriteString(indent(some(it.Change.Lines)))
		}
	}
	b.WriteString(Summary(items) + "\n")
	return b.String()
}

// some are the first of many lines.
func some(lines string) string {
	const most = 12
	list := strings.SplitAfter(strings.TrimSuffix(lines, "\n"), "\n")
	if len(list) <= most+1 {
		return lines
	}
	return strings.Join(list[:most], "") + fmt.Sprintf("and %d more, which -v shows\n", len(list)-most)
}

// Obvious says that the sign of a change, or the summary, tells why.
func Obvious(c Change) bool {
	return c.Kind == Create && c.Why == notThere || c.Kind == Unknown && c.Why == noAPI
}

// Summary counts a preview in one line.
func Summary(items []Item) string {
	if Changes(items) == 0 {
		return "Nothing to do."
	}
	count := map[Kind]int{}
	later := 0
	for _, it := range items {
		if it.Change.Kind == Unknown && it.Change.Why == noAPI {
			later++
			continue
		}
		count[it.Change.Kind]++
	}
	var parts []string
	for _, p := range []struct {
		kind Kind
		text string
	}{
		{Create, "to create"}, {Update, "to change"}, {Delete, "to delete"}, {Run, "to run"},
		{Unknown, "that can't be told yet"},
	} {
		if n := count[p.kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, p.text))
		}
	}
	if later > 0 {
		parts = append(parts, fmt.Sprintf("%d in the cluster, to be compared when its API server is up", later))
	}
	return "Plan: " + strings.Join(parts, ", ") + "."
}

func indent(lines string) string {
	if lines == "" {
		return ""
	}
	return "      " + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", "\n      ") + "\n"
}

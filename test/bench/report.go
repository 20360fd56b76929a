package bench

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
)

// Text is the report for people.
func (r *JoinReport) Text() string {
	var b strings.Builder
	for _, m := range r.Machines {
		fmt.Fprintf(&b, "A %s by %s: %d requests, %.1f s\n", m.Role, m.Tool, len(m.Requests), m.Seconds)
		for _, request := range m.Requests {
			fmt.Fprintf(&b, "  %s\n", request)
		}
	}
	if len(r.Rounds) == 0 {
		return b.String()
	}
	fmt.Fprintln(&b, "\nMany joins at once by kubewright; seconds for each:")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "nodes\tfailed\trequests\tper join\tmin\tmedian\tp90\tp99\tmax\t")
	for _, round := range r.Rounds {
		s := round.Seconds
		fmt.Fprintf(table, "%d\t%d\t%d\t%.2f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t\n", round.Nodes, len(round.Failures), round.Requests, round.PerJoin,
			s.Min, s.Median, s.P90, s.P99, s.Max)
	}
	table.Flush() //nolint:errcheck // into memory
	last := r.Rounds[len(r.Rounds)-1]
	fmt.Fprintf(&b, "\nThe requests of %d joins:\n", last.Nodes)
	for _, k := range last.Kinds {
		fmt.Fprintf(&b, "  %4d  %s %s: %d\n", k.Count, k.Verb, k.URI, k.Code)
	}
	for _, round := range r.Rounds {
		for _, failure := range round.Failures[:min(3, len(round.Failures))] {
			fmt.Fprintf(&b, "\n%s\n", failure)
		}
	}
	return b.String()
}

// Save writes the report as name.txt and name.json into a folder.
func (r *JoinReport) Save(dir, name string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot save the report: %w", err)
	}
	return save(dir, map[string][]byte{name + ".json": append(data, '\n'), name + ".txt": []byte(r.Text())})
}

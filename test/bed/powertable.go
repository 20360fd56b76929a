package bed

import (
	"fmt"
	"text/tabwriter"
)

// table prints a line for each cut.
func (o *outage) table() {
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CUT\tMOMENT\tINIT WAS AT\tBLOCKS LOST\tON THE DISK AT THE NEXT BOOT\tTHE NEXT RUN")
	for n, r := range o.rows {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", n+1, r.moment, r.at, r.lost, r.kept, r.resumed)
	}
	w.Flush() //nolint:errcheck // a table that nobody reads
}

// resumed says how a run went on from where the last one was cut.
func (s *seen) resumed() string {
	if s.first.Step == "" {
		return fmt.Sprintf("%d right, nothing to change so far", s.same)
	}
	return fmt.Sprintf("%d right, then %s %s", s.same, s.first.Change, s.first.Step)
}
